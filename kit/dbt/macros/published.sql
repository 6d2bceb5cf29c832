{% materialization published, adapter="duckdb" %}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set location = env_var('KIT_STAGING') ~ '/' ~ model.name -%}
  {{ run_hooks(pre_hooks) }}
  {%- if config.get('contract').enforced %}{{ get_assert_columns_equivalent(compiled_code) }}{% endif %}
  {% call statement('main') -%}
    copy ({{ compiled_code }}) to '{{ location }}/data.parquet' (format parquet, compression zstd);
    create or replace view {{ target_relation }} as select * from read_parquet('{{ location }}/data.parquet');
  {%- endcall %}
  {{ adapter.commit() }}
  {{ run_hooks(post_hooks) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
