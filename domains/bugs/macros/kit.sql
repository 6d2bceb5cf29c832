{#- Written by `kit sync`, for builds and for dbt by itself. Do not edit: builds refuse a changed copy. -#}

{#- In a build: writes a mart to Parquet in the staging folder and puts a view over it, so that tests read what is published.
    Outside of one: a table. -#}
{% materialization published, adapter="duckdb" %}
  {%- if not env_var('KIT_STAGING', '') %}{{ return(dbt.materialization_table_duckdb()) }}{% endif -%}
  {%- if model.name not in env_var('KIT_PORTS').split(',') -%}
    {{ exceptions.raise_compiler_error(
      "'" ~ model.name ~ "' is no output port; declare it in product.odps.yaml, or materialize it as view or table"
    ) }}
  {%- endif -%}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set location = (env_var('KIT_STAGING') ~ '/' ~ model.name ~ '/' ~ env_var('KIT_FILE') ~ '.parquet') | replace("'", "''") -%}
  {{ run_hooks(pre_hooks) }}
  {%- if config.get('contract').enforced and env_var('KIT_ENFORCE', 'contracts') %}{{ get_assert_columns_equivalent(compiled_code) }}{% endif %}
  {% call statement('main') -%}
    copy (
      {{ compiled_code }}
    ) to '{{ location }}' (format parquet, compression zstd);
    create or replace view {{ target_relation }} as select * from read_parquet('{{ location }}', hive_partitioning = false);
  {%- endcall %}
  {{ adapter.commit() }}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{#- The moments of a snapshot, in UTC whatever the time zone of the machine is. -#}
{% macro duckdb__snapshot_get_time() -%}
(now() at time zone 'UTC')
{%- endmacro %}

{#- Generic tests for the rules of contracts; `kit sync` writes the calls. A row that a test returns violates the rule. -#}

{% test in_range(model, column_name, min=none, max=none) %}
select * from {{ model }} where {{ contract_outside(column_name, min, max) }}
{% endtest %}

{% test text_length(model, column_name, min=none, max=none) %}
select * from {{ model }} where {{ contract_outside("length(" ~ column_name ~ ")", min, max) }}
{% endtest %}

{% test row_count(model, min=none, max=none) %}
select count(*) as observed from {{ model }} having {{ contract_outside("count(*)", min, max) }}
{% endtest %}

{% test mostly_not_null(model, column_name, at_least) %}
select count({{ column_name }}) as observed from {{ model }} having count({{ column_name }}) < {{ at_least }} * count(*)
{% endtest %}

{#- The regular expression matches somewhere in the text. -#}
{% test matches(model, column_name, pattern) %}
select * from {{ model }} where not regexp_matches({{ column_name }}, {{ contract_value(pattern) }})
{% endtest %}

{#- Neither NaN nor infinite. -#}
{% test finite(model, columns) %}
select * from {{ model }} where not isfinite({{ columns | map('tojson') | join(") or not isfinite(") }})
{% endtest %}

{% test unique_together(model, columns) %}
{%- set key = columns | map('tojson') | join(", ") %}
select * from {{ model }}
semi join (select {{ key }} from {{ model }} group by {{ key }} having count(*) > 1) using ({{ key }})
{% endtest %}

{#- `to` is a relation, or the name of a table as SQL of the kit knows it: PRODUCT.PORT or raw.SOURCE. -#}
{% test refers_to(model, columns, to, keys) %}
select * from {{ model }} as child
where not exists (
  select 1 from {{ to.split('.') | map('tojson') | join(".") if to is string else to }} as parent
  where true {%- for column in columns %} and parent.{{ keys[loop.index0] | tojson }} = child.{{ column | tojson }}{% endfor %}
) {%- for column in columns %} and child.{{ column | tojson }} is not null{% endfor %}
{% endtest %}

{#- In a query `${table}` is the model; a query in parts has the model between them. `reads` are other models in it. -#}
{% test query_returns(model, query, expected, reads=[]) %}
with rule(observed) as (
{{ contract_query(model, query) }}
) select if(count(*) = 1, cast(any_value(observed) as varchar), count(*) || ' rows; the query must give one value') as observed from rule having not (count(*) = 1 and coalesce(any_value(observed) {{ expected }}, false))
{% endtest %}

{% test returns_no_rows(model, query, reads=[]) %}
{{ contract_query(model, query) }}
{% endtest %}

{% macro contract_query(model, query) -%}
{{ (query.split('${table}') if query is string else query) | join(model | string) }}
{%- endmacro %}

{% macro contract_outside(measured, min, max) -%}
{%- if min is not none %}{{ measured }} < {{ contract_value(min) }}{% endif -%}
{%- if min is not none and max is not none %} or {% endif -%}
{%- if max is not none %}{{ measured }} > {{ contract_value(max) }}{% endif -%}
{%- if min is none and max is none %}false{% endif -%}
{%- endmacro %}

{#- A value as SQL: a fraction is a double, and a query of DuckDB ends at a NUL. -#}
{% macro contract_value(value) -%}
{%- if value is string -%} ('{{ value | replace("'", "''") | replace("\0", "' || chr(0) || '") }}')
{%- elif value is float -%} {{ value }}::double
{%- else -%} {{ value }}
{%- endif -%}
{%- endmacro %}
