{#- The rules of a contract that dbt has no test for: one row per rule that is broken. In a query `${table}` is the model. -#}
{% test keeps_contract(model, rules, reads=[]) %}
{%- for rule in rules %}
select '{{ rule.rule | replace("'", "''") }}' as rule, count(*) as failing
from (
{{ rule.breaks | replace('${table}', model | string) }}
) as broken
having count(*) > 0
{% if not loop.last %}union all{% endif %}
{%- else %}
select 1 as failing where false
{%- endfor %}
{% endtest %}
