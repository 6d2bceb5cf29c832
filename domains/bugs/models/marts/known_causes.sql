select
    cast(causes.installation as varchar) as installation,
    cast(causes.number as bigint) as number,
    cast(causes.module as varchar) as module,
    cast(causes.function as varchar) as function
from {{ source('raw', 'causes') }} as causes
semi join {{ ref('issues') }} as issues
    on causes.installation = issues.installation
    and causes.number = issues.number
order by installation, number
