select
    cast(purchases.purchase_id as bigint) as purchase_id,
    cast(purchases.user_id as bigint) as user_id,
    cast(purchases.product_id as bigint) as product_id,
    cast(products.make as varchar) as make,
    cast(products.model as varchar) as model,
    cast(products.price as double) as price,
    cast(
        case
            when purchases.returned_at is not null then 'returned'
            when purchases.purchased_at is not null then 'bought'
            else 'in cart'
        end as varchar
    ) as state,
    cast(purchases.added_to_cart_at as timestamp) as added_to_cart_at,
    cast(purchases.purchased_at as timestamp) as purchased_at,
    cast(purchases.returned_at as timestamp) as returned_at
from {{ ref('stg_purchases') }} as purchases
left join {{ ref('stg_products') }} as products on purchases.product_id = products.product_id
order by purchase_id
