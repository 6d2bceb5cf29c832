{% macro star_of_summary(relation) %}
    {%- set columns = ['count_lifetime_orders', 'first_ordered_at', 'last_ordered_at', 'lifetime_spend'] -%}
    {%- for column in columns -%}
        {{ relation }}.{{ column }}
        {%- if not loop.last %},
    {% endif -%}
    {%- endfor -%}
{% endmacro %}
