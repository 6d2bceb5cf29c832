{#- The calendar date at the stores, which keep US Eastern time, of a UTC timestamp. -#}
{% macro store_date(timestamp) -%}
  {{ adapter.dispatch('store_date')(timestamp) }}
{%- endmacro %}

{% macro default__store_date(timestamp) -%}
  cast({{ timestamp }} at time zone 'UTC' at time zone 'America/New_York' as date)
{%- endmacro %}

{% macro spark__store_date(timestamp) -%}
  cast(from_utc_timestamp({{ timestamp }}, 'America/New_York') as date)
{%- endmacro %}
