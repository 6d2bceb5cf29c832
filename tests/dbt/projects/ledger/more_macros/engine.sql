{# Both of dbt's own are replaced: the first by its name, the second by the name of its default. #}
{% macro hash(field) %}sha256({{ field }}::varchar){% endmacro %}
{% macro default__datediff(first, second, part) %}months_between({{ first }}, {{ second }}){% endmacro %}

{% macro half_up(column) %}{{ adapter.dispatch('half_up', macro_namespace='ledger')(column) }}{% endmacro %}
{% macro default__half_up(column) %}round({{ column }}){% endmacro %}
{% macro duckdb__half_up(column) %}floor({{ column }} + 0.5){% endmacro %}
