with source as (

    select * from {{ source('raw', 'coupon_redemptions') }}

),

renamed as (

    select
        household_id,
        campaign_id,
        coupon_upc,
        cast(redemption_date as date) as redeemed_on
    from source

)

select * from renamed
