with baskets as (

    select
        household_id,
        count(*) as baskets,
        sum(case when is_coupon_used then 1 else 0 end) as coupon_baskets,
        sum(sales_value) as sales_value,
        min(business_date) as first_basket_on,
        max(business_date) as last_basket_on
    from {{ source('orders', 'baskets') }}
    group by household_id

),

campaigns as (

    select
        household_id,
        count(*) as campaigns_received
    from {{ ref('stg_campaigns') }}
    group by household_id

),

redemptions as (

    select
        household_id,
        count(distinct campaign_id) as campaigns_redeemed,
        count(*) as redemptions
    from {{ ref('stg_coupon_redemptions') }}
    group by household_id

)

select
    cast(baskets.household_id as bigint) as household_id,
    cast(
        case
            when redemptions.household_id is not null then 'redeeming'
            when campaigns.household_id is not null then 'targeted'
            else 'untargeted'
        end as varchar
    ) as engagement,
    cast(coalesce(campaigns.campaigns_received, 0) as bigint) as campaigns_received,
    cast(coalesce(redemptions.campaigns_redeemed, 0) as bigint) as campaigns_redeemed,
    cast(coalesce(redemptions.redemptions, 0) as bigint) as redemptions,
    cast(baskets.baskets as bigint) as baskets,
    cast(baskets.coupon_baskets as bigint) as coupon_baskets,
    cast(cast(baskets.coupon_baskets as double) / baskets.baskets as decimal(6, 4)) as coupon_basket_share,
    cast(baskets.sales_value as decimal(14, 2)) as sales_value,
    cast(baskets.first_basket_on as date) as first_basket_on,
    cast(baskets.last_basket_on as date) as last_basket_on,
    cast(households.household_id is not null as boolean) as has_demographics
from baskets
left join campaigns on baskets.household_id = campaigns.household_id
left join redemptions on baskets.household_id = redemptions.household_id
left join {{ source('customers', 'households') }} as households on baskets.household_id = households.household_id
order by household_id
