{#- Writes a mart to Parquet in the staging folder and puts a view over it, so that tests read what is published. -#}
{% materialization published, adapter="duckdb" %}
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
