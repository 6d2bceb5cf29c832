{%- set bots = var('bot_agents') -%}
{#
  select * from {{ ref('an_old_model') }}
#}
with source as (
    select * from {{ source('web', 'page_views') }}
    {{ limit_in_dev('viewed_at') }}
)
select
    md5(cast(coalesce(cast(user_id as varchar), '') || '-' || view_id as varchar)) as view_key,
    *,
    {{ is_bot('agent', bots) }} as is_bot,
    '{% raw %}{{ not a template }}{% endraw %}' as note,
    '{{ env_var("SESSIONS_REGION", "eu") }}' as region
from source
where {{ dbt.datediff('viewed_at', dbt.current_timestamp(), 'day') }} < {{ var('lookback_days') * 10 }}
