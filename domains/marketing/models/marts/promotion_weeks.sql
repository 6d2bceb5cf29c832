with sales as (

    select
        week,
        store_id,
        product_id,
        count(*) as lines,
        sum(sales_value) as sales_value
    from {{ source('orders', 'order_lines') }}
    group by week, store_id, product_id

),

-- A product with two records in one store and week sells once: the record that names a display takes the sale, then
-- the one that names a mailer. '0', for none, sorts first. Twenty million records are thinned out before this is decided.
sold_offers as (

    select
        promotions.week,
        promotions.store_id,
        promotions.product_id,
        max(promotions.display_location || promotions.mailer_location) as placement,
        max(sales.lines) as lines,
        max(sales.sales_value) as sales_value
    from {{ ref('stg_promotions') }} as promotions
    inner join sales
        on promotions.week = sales.week
        and promotions.store_id = sales.store_id
        and promotions.product_id = sales.product_id
    group by promotions.week, promotions.store_id, promotions.product_id

),

placement_sales as (

    select
        week,
        placement,
        count(*) as sold_offers,
        sum(lines) as lines,
        sum(sales_value) as sales_value
    from sold_offers
    group by week, placement

),

placements as (

    select
        week,
        display_location,
        mailer_location,
        count(*) as records,
        count(distinct store_id) as stores,
        count(distinct product_id) as products
    from {{ ref('stg_promotions') }}
    group by week, display_location, mailer_location

),

store_weeks as (

    select distinct week, store_id
    from {{ ref('stg_promotions') }}

),

weeks as (

    select
        sales.week,
        sum(sales.sales_value) as sales_value
    from sales
    inner join store_weeks
        on sales.week = store_weeks.week
        and sales.store_id = store_weeks.store_id
    group by sales.week

)

select
    cast(placements.week as integer) as week,
    cast(placements.display_location as varchar) as display_location,
    cast(placements.mailer_location as varchar) as mailer_location,
    cast(placements.records as bigint) as records,
    cast(placements.stores as bigint) as stores,
    cast(placements.products as bigint) as products,
    cast(coalesce(placement_sales.sold_offers, 0) as bigint) as sold_offers,
    cast(coalesce(placement_sales.lines, 0) as bigint) as lines,
    cast(coalesce(placement_sales.sales_value, 0) as decimal(14, 2)) as sales_value,
    cast(coalesce(cast(placement_sales.sales_value as double) / nullif(weeks.sales_value, 0), 0) as decimal(9, 6)) as sales_share
from placements
left join placement_sales
    on placements.week = placement_sales.week
    and placements.display_location || placements.mailer_location = placement_sales.placement
left join weeks on placements.week = weeks.week
order by week, display_location, mailer_location
