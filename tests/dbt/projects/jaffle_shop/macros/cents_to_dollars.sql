{# A basic example for a project-wide macro to cast a column uniformly #}

{% macro cents_to_dollars(column_name, precision=2) -%}
    {{ return(adapter.dispatch('cents_to_dollars')(column_name, precision)) }}
{%- endmacro %}

{% macro default__cents_to_dollars(column_name, precision) -%}
    ({{ column_name }} / 100)::numeric(16, {{ precision }})
{%- endmacro %}

{% macro postgres__cents_to_dollars(column_name, precision) -%}
    ({{ column_name }}::numeric(16, {{ precision }}) / 100)
{%- endmacro %}

{% macro bigquery__cents_to_dollars(column_name) %}
    round(cast(({{ column_name }} / 100) as numeric), 2)
{% endmacro %}
