{{ config(materialized=env_var('SESSIONS_DAILY', 'table')) }}
{%- set days = 3 %}
{% set spine %}
  select unnest(range({{ days }})) as day_number
{% endset %}
select
  {{ pivot('agent', ['mobile', 'desktop'], then_value='pages', suffix='_pages') }},
  {{ dbt.dateadd('day', 'day_number', "date '2024-01-01'") }} as day
from ({{ spine }}) as spine
{% for n in range(days) if n is odd %}
cross join {{ ref('sessions') }} as s{{ n }}
{%- else %}
-- never
{%- endfor %}
{%- call qualify_by('day') %} partition by day_number {% endcall %}
