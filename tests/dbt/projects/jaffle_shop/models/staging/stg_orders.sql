with

source as (

    select * from {{ ref('raw_orders') }}

    -- if you generate a larger dataset, you can limit the timespan to the current time with the following line
    -- where ordered_at <= {{ var('truncate_timespan_to', 'current_timestamp') }}
    where ordered_at >= '{{ var("first_order_date") }}'

),

renamed as (

    select

        id as order_id,
        store_id as location_id,
        customer as customer_id,
        status,

        ---------- numerics
        subtotal as subtotal_cents,
        tax_paid as tax_paid_cents,
        order_total as order_total_cents,
        {{ cents_to_dollars('subtotal') }} as subtotal,
        {{ cents_to_dollars('tax_paid') }} as tax_paid,
        {{ cents_to_dollars('order_total', precision=4) }} as order_total,

        ---------- timestamps
        {{ dbt.date_trunc('day','ordered_at') }} as ordered_at

    from source

)

select * from renamed
