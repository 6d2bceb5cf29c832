-- depends_on: {{ ref('balance') }}
{% if execute %}
select sum(total) as difference from {{ ref('balance') }} having abs(sum(total)) > {{ var('tolerance', 0.01) }}
{% else %}
select 1
{% endif %}
