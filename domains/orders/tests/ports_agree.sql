-- The three ports are one set of sales: no line may be lost or counted twice between them.
with totals as (

    select 'order_lines' as port, count(*) as lines, sum(sales_value) as sales_value, count(distinct basket_id) as baskets
    from {{ ref('order_lines') }}
    union all
    select 'baskets', sum(lines), sum(sales_value), count(*)
    from {{ ref('baskets') }}
    union all
    select 'daily_sales', sum(lines), sum(sales_value), null
    from {{ ref('daily_sales') }}

)

select other.*
from totals
inner join totals as other
    on totals.port = 'order_lines'
    and (
        totals.lines <> other.lines
        or totals.sales_value <> other.sales_value
        or totals.baskets <> other.baskets
    )
