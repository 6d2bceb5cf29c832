select
    cast(product_id as bigint) as product_id,
    cast(manufacturer_id as bigint) as manufacturer_id,
    cast(department as varchar) as department,
    cast(product_category as varchar) as product_category,
    cast(product_type as varchar) as product_type,
    cast(package_size as varchar) as package_size,
    cast(is_private_label as boolean) as is_private_label
from {{ ref('stg_products') }}
order by product_id
