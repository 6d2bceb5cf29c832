select
    cast(receipt_id as bigint) as receipt_id,
    cast(sold_on as date) as sold_on,
    cast(drink as varchar) as drink,
    cast(amount as decimal(10, 2)) as amount,
    cast(is_card as boolean) as is_card
from {{ ref('stg_tea_receipts') }}
order by receipt_id
