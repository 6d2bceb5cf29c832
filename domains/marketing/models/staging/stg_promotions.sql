with source as (

    select * from {{ source('raw', 'promotions') }}

),

renamed as (

    select
        week,
        store_id,
        product_id,
        display_location,
        mailer_location
    from source

)

select * from renamed
