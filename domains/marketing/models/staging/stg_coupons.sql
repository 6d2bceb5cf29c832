with source as (

    select * from {{ source('raw', 'coupons') }}

),

renamed as (

    -- One row in twenty-four is a repetition.
    select distinct
        campaign_id,
        coupon_upc,
        product_id
    from source

)

select * from renamed
