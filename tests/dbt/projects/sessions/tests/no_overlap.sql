select a.user_id
from {{ ref('sessions') }} as a
join {{ ref('sessions') }} as b using (user_id)
where a.session_number < b.session_number and a.ended_at > b.started_at
