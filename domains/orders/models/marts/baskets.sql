-- Grouped by all that a basket has one of: a basket in two stores would break the key, not be hidden by it.
select
    cast(basket_id as bigint) as basket_id,
    cast(household_id as bigint) as household_id,
    cast(store_id as bigint) as store_id,
    cast(sold_at as timestamp) as sold_at,
    cast(business_date as date) as business_date,
    cast(week as integer) as week,
    cast(count(*) as bigint) as lines,
    cast(sum(case when is_fuel then 0 else quantity end) as bigint) as units,
    cast(sum(sales_value) as decimal(12, 2)) as sales_value,
    cast(sum(list_value) as decimal(12, 2)) as list_value,
    cast(sum(retail_discount) as decimal(12, 2)) as retail_discount,
    cast(sum(coupon_discount) as decimal(12, 2)) as coupon_discount,
    cast(sum(coupon_match_discount) as decimal(12, 2)) as coupon_match_discount,
    cast(sum(coupon_discount) > 0 as boolean) as is_coupon_used
from {{ ref('order_lines') }}
group by basket_id, household_id, store_id, sold_at, business_date, week
order by basket_id
