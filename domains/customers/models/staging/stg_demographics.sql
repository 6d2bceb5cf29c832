with source as (

    select * from {{ source('raw', 'demographics') }}

),

renamed as (

    select
        household_id,
        age as age_range,
        income as income_range,
        home_ownership,
        marital_status,
        household_size,
        household_comp as household_composition,
        kids_count
    from source

)

select * from renamed
