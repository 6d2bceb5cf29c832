with source as (

    select * from {{ source('raw', 'telemetry') }}

),

renamed as (

    select
        installation,
        event_id,
        occurred_at,
        source,
        type,
        {{ without_addresses('value') }} as value,
        {{ without_addresses('title') }} as title,
        frames,
        "user",
        ip
    from source

)

select * from renamed
