select {{ deep(3) }} as depth, {{ first_of([none, '', 'x', 'y']) }} as first, '{{ describe(ref("bookings")) }}' as made_of
from {{ ref('ledger', 'balance') }} as b, {{ ref('bookings') }}
where {{ is_one_of('b.side', ('assets',)) }}
