with source as (

    select * from {{ source('raw', 'issues') }}

),

renamed as (

    select
        installation,
        number,
        {{ without_addresses('title') }} as title,
        {{ without_addresses('body') }} as body,
        opened_at,
        assignee,
        event_id
    from source

)

select * from renamed
