with source as (

    select * from {{ source('raw', 'transactions') }}

),

renamed as (

    select
        basket_id,
        product_id,
        household_id,
        store_id,
        transaction_timestamp as sold_at,
        {{ store_date('transaction_timestamp') }} as business_date,
        cast(week as integer) as week,
        quantity,
        -- Whole cents, delivered as floating point.
        cast(sales_value as decimal(10, 2)) as sales_value,
        cast(retail_disc as decimal(10, 2)) as retail_discount,
        cast(coupon_disc as decimal(10, 2)) as coupon_discount,
        cast(coupon_match_disc as decimal(10, 2)) as coupon_match_discount
    from source

)

select * from renamed
