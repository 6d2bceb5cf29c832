with transactions as (

    select * from {{ ref('stg_transactions') }}

),

products as (

    select * from {{ source('products', 'products') }}

)

select
    cast(transactions.basket_id as bigint) as basket_id,
    cast(transactions.product_id as bigint) as product_id,
    cast(transactions.household_id as bigint) as household_id,
    cast(transactions.store_id as bigint) as store_id,
    cast(transactions.sold_at as timestamp) as sold_at,
    cast(transactions.business_date as date) as business_date,
    cast(transactions.week as integer) as week,
    cast(coalesce(products.department, 'UNKNOWN') as varchar) as department,
    cast(products.product_id is not null as boolean) as has_known_product,
    cast(products.is_private_label as boolean) as is_private_label,
    cast(coalesce(products.product_type = 'GASOLINE-REG UNLEADED', false) as boolean) as is_fuel,
    cast(transactions.quantity as bigint) as quantity,
    cast(transactions.sales_value as decimal(10, 2)) as sales_value,
    cast(
        transactions.sales_value + transactions.retail_discount + transactions.coupon_match_discount as decimal(10, 2)
    ) as list_value,
    cast(transactions.retail_discount as decimal(10, 2)) as retail_discount,
    cast(transactions.coupon_discount as decimal(10, 2)) as coupon_discount,
    cast(transactions.coupon_match_discount as decimal(10, 2)) as coupon_match_discount
from transactions
left join products on transactions.product_id = products.product_id
order by basket_id, product_id
