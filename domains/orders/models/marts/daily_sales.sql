select
    cast(business_date as date) as business_date,
    cast(department as varchar) as department,
    cast(count(distinct basket_id) as bigint) as baskets,
    cast(count(distinct household_id) as bigint) as households,
    cast(count(*) as bigint) as lines,
    cast(sum(quantity) as bigint) as quantity,
    cast(sum(sales_value) as decimal(14, 2)) as sales_value,
    cast(sum(retail_discount + coupon_discount + coupon_match_discount) as decimal(14, 2)) as discount_value
from {{ ref('order_lines') }}
group by business_date, department
order by business_date, department
