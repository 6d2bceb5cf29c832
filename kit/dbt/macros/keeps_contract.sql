{#- The rules of a contract that dbt has no test for: one row per rule that is broken. In a query `${table}` is the model;
    a query in parts has the model between them. -#}
{% test keeps_contract(model, rules, reads=[]) %}
{%- for rule in rules %}
select '{{ rule.rule | replace("'", "''") }}' as rule, count(*) as failing
from (
{{ (rule.breaks.split('${table}') if rule.breaks is string else rule.breaks) | join(model | string) }}
) as broken
having count(*) > 0
{% if not loop.last %}union all{% endif %}
{%- else %}
select 1 as failing where false
{%- endfor %}
{% endtest %}
