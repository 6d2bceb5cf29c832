-- An installation without assigned issues needs no code.
select
    cast(code.installation as varchar) as installation,
    cast(code.chunk_id as varchar) as chunk_id,
    cast(code.package as varchar) as package,
    cast(code.version as varchar) as version,
    cast(code.module as varchar) as module,
    cast(code.function as varchar) as function,
    cast(code.path as varchar) as path,
    cast(code.first_line as bigint) as first_line,
    cast(code.last_line as bigint) as last_line,
    cast(code.text as varchar) as text
from {{ source('raw', 'source_code') }} as code
semi join {{ ref('issues') }} as issues on code.installation = issues.installation
order by installation, chunk_id
