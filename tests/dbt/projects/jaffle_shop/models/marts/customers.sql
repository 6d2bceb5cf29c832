{{
    config(
        materialized='table',
        contract={'enforced': false},
        meta={'owner': '@alice', 'priority': 1}
    )
}}

with customers as (
    select * from {{ ref('stg_customers') }}
),

customer_orders_summary as (
    select
        orders.customer_id,
        count(distinct orders.order_id) as count_lifetime_orders,
        {%- for column, function in [('first_ordered_at', 'min'), ('last_ordered_at', 'max')] %}
        {{ function }}(orders.ordered_at) as {{ column }}{{ "," if not loop.last }}
        {%- endfor %},
        sum(orders.amount) as lifetime_spend
    from {{ ref('orders') }} as orders
    group by 1
)

select
    customers.*,
    {{ star_of_summary('customer_orders_summary') }},
    case
        when customer_orders_summary.count_lifetime_orders > 1 then 'returning'
        else 'new'
    end as customer_type
from customers
left join customer_orders_summary
    on customers.customer_id = customer_orders_summary.customer_id
