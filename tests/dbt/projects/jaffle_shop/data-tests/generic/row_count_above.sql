{% test row_count_above(model, minimum) %}
select count(*) as rows_found from {{ model }} having count(*) < {{ minimum }}
{% endtest %}
