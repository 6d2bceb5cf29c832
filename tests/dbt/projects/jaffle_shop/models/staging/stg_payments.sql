{{ config(materialized='view', tags=['finance', 'daily']) }}

select
    id as payment_id,
    order_id,
    payment_method,
    {#- `amount` is stored in cents #}
    {{ cents_to_dollars('amount') }} as amount
from {{ ref('raw_payments') }}
