select
    cast(issues.installation as varchar) as installation,
    cast(issues.number as bigint) as number,
    cast(issues.title as varchar) as title,
    cast(issues.body as varchar) as body,
    cast(issues.opened_at as timestamp) as opened_at,
    cast(issues.assignee as varchar) as assignee,
    cast(issues.event_id as varchar) as event_id
from {{ ref('stg_issues') }} as issues
inner join {{ ref('stg_installations') }} as installations on issues.installation = installations.installation
where issues.installation = '{{ var("partition") }}'
order by installation, number
