with source as (

    select * from {{ source('raw', 'products') }}

),

renamed as (

    select
        product_id,
        manufacturer_id,
        department,
        product_category,
        product_type,
        package_size,
        -- A third brand becomes null, which the contract refuses, instead of passing as national.
        case brand when 'Private' then true when 'National' then false end as is_private_label
    from source

)

select * from renamed
