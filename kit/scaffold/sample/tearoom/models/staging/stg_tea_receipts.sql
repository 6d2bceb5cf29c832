with source as (

    select * from {{ source('raw', 'tea_receipts') }}

),

renamed as (

    select
        receipt_id,
        sold_on,
        drink,
        amount,
        -- A third way to pay becomes null, which the contract refuses, instead of passing as cash.
        case paid_by when 'card' then true when 'cash' then false end as is_card
    from source

)

select * from renamed
