with source as (

    select * from {{ source('raw', 'products') }}

),

renamed as (

    select
        id as product_id,
        make,
        model,
        year as model_year,
        price
    from source

)

select * from renamed
