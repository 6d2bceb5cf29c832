{{ config(
    unique_key = 'view_key',
    incremental_strategy = 'delete+insert',
    post_hook = [
      "delete from {{ this }} where viewed_at < '2000-01-01'",
      {"sql": "analyze", "transaction": false},
    ],
) }}

select * from {{ ref('stg_page_views') }}

{% if is_incremental() %}

  -- this filter will only be applied on an incremental run
  where viewed_at >= (select max(viewed_at) - interval {{ var('lookback_days') }} day from {{ this }})

{% elif target.name == 'dev' %}

  where viewed_at >= current_date - 1

{% endif %}
