select
    {{ ledger.surrogate_key(['account_id', 'booked_on', 'line']) }} as booking_id,
    {{ in_currency('amount', var('currency')) }} as amount,
    {{ safe_divide('debit', 'credit') }} as ratio,
    {{ dbt.datediff('booked_on', 'valued_on', 'month') }} as months,
    {{ half_up('amount') }} as rounded,
    {{ dbt.concat(['account_id', "'-'", 'line']) }} as reference,
    {{ dbt.safe_cast('line', 'integer') }} as line_number,
    {{ hash('account_id') }} as account_hash
from {{ source('bank', 'bookings') }}
join {{ source('bank', 'Accounts') }} using (account_id)
