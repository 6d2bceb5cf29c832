with household_days as (

    select
        household_id,
        business_date,
        count(*) as baskets,
        sum(sales_value) as sales_value
    from {{ source('orders', 'baskets') }}
    group by household_id, business_date

),

observed as (

    select
        min(business_date) as first_on,
        max(business_date) as last_on
    from household_days

),

seen as (

    select
        campaigns.*,
        observed.first_on,
        greatest(campaigns.starts_on, observed.first_on) as seen_from,
        least(campaigns.ends_on, observed.last_on) as seen_until
    from {{ ref('stg_campaign_descriptions') }} as campaigns
    cross join observed

),

campaigns as (

    select
        campaign_id,
        campaign_type,
        starts_on,
        ends_on,
        seen_from,
        starts_on = seen_from and ends_on = seen_until as is_complete,
        {{ dbt.datediff('seen_from', 'seen_until', 'day') }} + 1 as seen_days,
        {{ dbt.datediff('first_on', 'starts_on', 'day') }} as days_before
    from seen

),

activity as (

    select
        campaigns.campaign_id,
        targets.household_id is not null as is_target,
        {{ dbt.datediff('campaigns.seen_from', 'household_days.business_date', 'day') }} as day_number,
        campaigns.seen_days,
        household_days.baskets,
        household_days.sales_value
    from campaigns
    cross join household_days
    left join {{ ref('stg_campaigns') }} as targets
        on campaigns.campaign_id = targets.campaign_id
        and household_days.household_id = targets.household_id

),

-- Day 0 is the first day of the campaign; the baseline is as many days before it.
sales as (

    select
        campaign_id,
        sum(case when is_target and day_number >= 0 then baskets else 0 end) as baskets,
        sum(case when is_target and day_number < 0 then baskets else 0 end) as baseline_baskets,
        sum(case when is_target and day_number >= 0 then sales_value else 0 end) as sales_value,
        sum(case when is_target and day_number < 0 then sales_value else 0 end) as baseline_sales_value,
        sum(case when not is_target and day_number >= 0 then sales_value else 0 end) as other_sales_value,
        sum(case when not is_target and day_number < 0 then sales_value else 0 end) as other_baseline_sales_value
    from activity
    where day_number >= -seen_days and day_number < seen_days
    group by campaign_id

),

targets as (

    select
        campaign_id,
        count(*) as households_targeted
    from {{ ref('stg_campaigns') }}
    group by campaign_id

),

coupons as (

    select
        campaign_id,
        count(distinct coupon_upc) as coupons,
        count(distinct product_id) as products_covered
    from {{ ref('stg_coupons') }}
    group by campaign_id

),

redemptions as (

    select
        campaign_id,
        count(*) as redemptions,
        count(distinct household_id) as households_redeeming
    from {{ ref('stg_coupon_redemptions') }}
    group by campaign_id

),

joined as (

    select
        campaigns.campaign_id,
        campaigns.campaign_type,
        campaigns.starts_on,
        campaigns.ends_on,
        campaigns.is_complete,
        campaigns.seen_days,
        campaigns.days_before >= campaigns.seen_days as has_baseline,
        coalesce(coupons.coupons, 0) as coupons,
        coalesce(coupons.products_covered, 0) as products_covered,
        coalesce(targets.households_targeted, 0) as households_targeted,
        coalesce(redemptions.households_redeeming, 0) as households_redeeming,
        coalesce(redemptions.redemptions, 0) as redemptions,
        coalesce(sales.baskets, 0) as baskets,
        coalesce(sales.sales_value, 0) as sales_value,
        sales.baseline_baskets,
        sales.baseline_sales_value,
        sales.other_sales_value,
        sales.other_baseline_sales_value
    from campaigns
    left join targets on campaigns.campaign_id = targets.campaign_id
    left join coupons on campaigns.campaign_id = coupons.campaign_id
    left join redemptions on campaigns.campaign_id = redemptions.campaign_id
    left join sales on campaigns.campaign_id = sales.campaign_id

)

select
    cast(campaign_id as bigint) as campaign_id,
    cast(campaign_type as varchar) as campaign_type,
    cast(starts_on as date) as starts_on,
    cast(ends_on as date) as ends_on,
    cast(is_complete as boolean) as is_complete,
    cast(seen_days as integer) as observed_days,
    cast(coupons as bigint) as coupons,
    cast(products_covered as bigint) as products_covered,
    cast(households_targeted as bigint) as households_targeted,
    cast(households_redeeming as bigint) as households_redeeming,
    cast(redemptions as bigint) as redemptions,
    cast(cast(households_redeeming as double) / nullif(households_targeted, 0) as decimal(6, 4)) as redemption_rate,
    cast(baskets as bigint) as baskets,
    cast(case when has_baseline then baseline_baskets end as bigint) as baseline_baskets,
    cast(sales_value as decimal(14, 2)) as sales_value,
    cast(case when has_baseline then baseline_sales_value end as decimal(14, 2)) as baseline_sales_value,
    cast(
        case when has_baseline then cast(sales_value as double) / nullif(baseline_sales_value, 0) - 1 end as decimal(9, 4)
    ) as sales_change,
    cast(
        case when has_baseline then cast(other_sales_value as double) / nullif(other_baseline_sales_value, 0) - 1 end
        as decimal(9, 4)
    ) as other_sales_change
from joined
order by campaign_id
