select
    cast(user_id as bigint) as user_id,
    cast(email as varchar) as email,
    cast(age as bigint) as age,
    cast(country_code as varchar) as country_code,
    cast(registered_at as timestamp) as registered_at
from {{ ref('stg_users') }}
order by user_id
