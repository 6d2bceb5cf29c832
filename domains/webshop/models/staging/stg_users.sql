with source as (

    select * from {{ source('raw', 'users') }}

),

renamed as (

    select
        id as user_id,
        email,
        age,
        json_extract_string(address, '$.country_code') as country_code,
        cast(created_at as timestamp) as registered_at
    from source

)

select * from renamed
