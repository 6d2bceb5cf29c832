select
    cast(events.installation as varchar) as installation,
    cast(events.event_id as varchar) as event_id,
    cast(events.occurred_at as timestamp) as occurred_at,
    cast(events.source as varchar) as source,
    cast(events.type as varchar) as type,
    cast(events.value as varchar) as value,
    cast(events.title as varchar) as title,
    cast(events.frames as varchar) as frames,
    cast(events."user" as varchar) as "user",
    cast(events.ip as varchar) as ip
from {{ ref('stg_telemetry') }} as events
semi join {{ ref('issues') }} as issues
    on events.installation = issues.installation
    and events.event_id = issues.event_id
order by installation, event_id
