{% macro limit_in_dev(column, days=none) %}
{%- if target.name in ('dev', 'duckdb') and target.type != 'bigquery' %}
where {{ column }} >= current_date - {{ days or var('lookback_days') }}
{%- endif -%}
{% endmacro %}

{%- macro is_bot(column, agents) -%}
    {%- if not agents %}false{% else -%}
    (
    {%- for agent in agents %}
        {{ column }} ilike '%{{ agent | replace("'", "''") }}%' {{ 'or' if not loop.last }}
    {%- endfor %}
    )
    {%- endif -%}
{%- endmacro -%}

{# {% macro pivot() %} what pivot was before {% endmacro %} #}
{% macro pivot(column, values, agg='sum', then_value=1, else_value=0, prefix='', suffix='') %}
  {% for value in values %}
    {{ agg }}(case when {{ column }} = '{{ value }}' then {{ then_value }} else {{ else_value }} end)
      as {{ adapter.quote(prefix ~ value ~ suffix) }}
    {% if not loop.last %},{% endif %}
  {% endfor %}
{% endmacro %}

{% macro qualify_by(column) %}
qualify row_number() over ({{ caller() }} order by {{ column }}) = 1
{%- endmacro %}
