with source as (

    select * from {{ source('raw', 'installations') }}

),

active as (

    select
        installation,
        code_host
    from source
    where suspended_at is null

)

select * from active
