select
    cast(user_id as bigint) as user_id,
    cast(email as varchar) as email,
    cast(age as bigint) as age,
    cast(gender as varchar) as gender,
    cast(language as varchar) as language,
    cast(academic_degree as varchar) as academic_degree,
    cast(occupation as varchar) as occupation,
    cast(country_code as varchar) as country_code,
    cast(registered_at as timestamp) as registered_at
from {{ ref('stg_users') }}
order by user_id
