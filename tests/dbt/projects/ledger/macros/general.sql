{% macro surrogate_key(fields) %}{{ return(adapter.dispatch('surrogate_key', 'ledger')(fields)) }}{% endmacro %}
{% macro default__surrogate_key(fields) -%}
    {%- set parts = [] -%}
    {%- for field in fields -%}
        {%- do parts.append("coalesce(cast(" ~ field ~ " as varchar), '_null_')") -%}
        {%- if not loop.last %}{%- do parts.append("'-'") -%}{%- endif -%}
    {%- endfor -%}
    md5({{ parts | join(' || ') }})
{%- endmacro %}
{% macro snowflake__surrogate_key(fields) %}md5_binary({{ fields[0] }}){% endmacro %}

{% macro in_currency(column, currency) %}
  {%- set rate = var('rates').get(currency, 1) -%}
  {%- if rate == 1 %}{{ column }}{% else %}{{ column }} * {{ rate }}{% endif -%}
{% endmacro %}

{%- macro safe_divide(a, b) %} {{ a }} / nullif({{ b }}, 0) {% endmacro %}

{% macro sum_of() -%}
  sum({% for n in varargs %}{{ kwargs.table }}.c{{ n }}{{ ' + ' if not loop.last }}{% endfor %})::{{ kwargs['cast'] }}
{%- endmacro %}

{% macro from_own(name) %}from {{ ref(name) }}{% endmacro %}

{% macro deep(n) %}{% if n > 0 %}({{ deep(n - 1) }} + 1){% else %}0{% endif %}{% endmacro %}

{% macro first_of(values) %}
  {% for value in values %}
    {% if value %}{{ return("'" ~ value ~ "'") }}{% endif %}
  {% endfor %}
  {{ return('null') }}
{% endmacro %}

{% macro is_one_of(column, values) %}{{ column }} in ('{{ values | join("', '") }}'){% endmacro %}

{% macro describe(relation) %}{{ relation.schema }}.{{ relation.identifier }} as {{ relation.name | title }}{% endmacro %}
