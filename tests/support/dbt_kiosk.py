"""An existing dbt project, as a team has one before it knows the kit: the orders of a kiosk, with most that dbt offers."""

from pathlib import Path

from tests.support.files import write

FILES = {
    "dbt_project.yml": """\
name: kiosk_analytics
version: "1.4"
config-version: 2
profile: warehouse # of their own
model-paths: [transform]
seed-paths: [seeds]
macro-paths: [macros]
test-paths: [tests]
clean-targets: [target, dbt_packages]
vars:
  cents: 100
seeds:
  kiosk_analytics:
    demo:
      +enabled: "{{ var('load_demo', false) }}"
models:
  kiosk_analytics:
    +materialized: table
    staging:
      +materialized: view
""",
    "profiles.yml": "warehouse: {target: dev, outputs: {dev: {type: duckdb, path: kiosk.duckdb}}}\n",
    "README.md": "# Kiosk\n",
    "packages.yml": 'packages:\n  - package: dbt-labs/dbt_utils\n    version: [">=1.0.0", "<2.0.0"]\n',
    "dbt_packages/dbt_utils/dbt_project.yml": "name: dbt_utils\nversion: 1.0.0\nconfig-version: 2\n",
    "dbt_packages/dbt_utils/macros/tests.sql": """\
{% test expression_is_true(model, expression, column_name=none) %}
select * from {{ model }} where not ({{ column_name or '' }} {{ expression }})
{% endtest %}
{% test unique_combination_of_columns(model, combination_of_columns) %}
select 1 from {{ model }} group by {{ combination_of_columns | join(', ') }} having count(*) > 1
{% endtest %}
""",
    "macros/to_euros.sql": "{% macro to_euros(column) %}({{ column }} / {{ var('cents') }})::decimal(12, 2){% endmacro %}\n",
    "seeds/raw_guests.csv": "id,name\n1,Ann\n2,Bo\n3,Cy\n",
    "seeds/raw_orders.csv": "id,guest,drink,cents,ordered\n" + "".join(
        f"{i},{i % 3 + 1},{'tea' if i % 2 else 'cocoa'},{i}50,2024-01-0{i % 9 + 1}\n" for i in range(1, 21)
    ),
    "seeds/demo/RAW_MENU.csv": "drink,price\ntea,2.40\ncocoa,3.60\n",
    "transform/staging/_sources.yml": """\
version: 2
sources:
  # The till writes it once a night.
  - name: till
    database: prod
    schema: landing
    tables:
      - name: menu
        identifier: RAW_MENU
        description: What is sold.
        columns:
          - name: drink
            data_tests: [unique]
  - name: shop
    tables:
      - name: totals
""",
    "transform/staging/stg_guests.sql": "select id as guest_id, name as guest_name from {{ ref('raw_guests') }}\n",
    "transform/staging/stg_orders.sql": """\
select
    id as order_id,
    guest as guest_id,
    drink,
    {{ to_euros('cents') }} as amount,
    ordered as ordered_on
from {{ ref('raw_orders') }}
""",
    "transform/staging/stg_menu.sql": "select drink, price from {{ source('till', 'menu') }}\n",
    "transform/staging/schema.yml": """\
version: 2
models:
  - name: stg_orders
    description: One row per order.
    columns:
      - name: order_id
        tests: [unique, not_null]
""",
    "transform/guests.sql": """\
with orders as (
    select * from {{ ref('orders') }}
),

final as (
    select
        guests.guest_id,
        guests.guest_name,
        sum(case when orders.drink = 'tea' then 1 else 0 end) as teas,
        max(orders.ordered_on) as newest
    from {{ ref('stg_guests') }} as guests
    left join orders on orders.guest_id = guests.guest_id
    group by all
)

select * from final
""",
    "transform/orders.sql": """\
{{ config(materialized='table') }}

with priced as (
    select orders.*, menu.price from {{ ref('stg_orders') }} as orders
    left join {{ ref('stg_menu') }} as menu on menu.drink = orders.drink
)

select * from priced
""",
    "transform/finance/drinks.sql": """\
select drink, ordered_on, count(*) as orders, sum(amount) as amount
from {{ ref('orders') }}
where drink in (select item from {{ source('shop', 'totals') }}) or true
group by drink, ordered_on
order by drink, ordered_on
""",
    "transform/schema.yml": """\
version: 2

models:
  # Who buys.
  - name: guests
    description: Everybody who ever ordered. One row per guest.
    meta: {owner: kiosk}
    columns:
      - name: guest_id
        description: Number of the guest.
        meta: {pii: false}
        tests:
          - unique
          - not_null
      - name: nickname
        description: Not there any more.

  # What they buy.
  - name: orders
    description: '{{ doc("orders") }}'
    config:
      tags: [nightly]
      materialized: table
    tests:
      - dbt_utils.expression_is_true:
          expression: "amount >= 0"
    columns:
      - name: order_id
        description: Number of the order.
        tests: [unique, not_null]
      - name: guest_id
        description: Who ordered.
        tests:
          - not_null
          - relationships: {to: "ref('stg_guests')", field: guest_id}
      - name: drink
        tests:
          - accepted_values: {values: [tea, cocoa]}
          - not_null: {config: {where: "order_id > 5"}}
      - name: price
        tests:
          - not_null: {severity: warn}

exposures:
  - name: till_report
    type: dashboard
    owner: {name: Ann}
    depends_on: ["ref('orders')"]
""",
    "transform/finance/drinks.yml": """\
version: 2
models:
  - name: drinks
    description: One row per drink and day.
    tests:
      - dbt_utils.unique_combination_of_columns:
          combination_of_columns: [drink, ordered_on]
    columns:
      - name: drink
        tests:
          - not_null
          - relationships: {to: "source('till', 'menu')", field: drink}
      - name: ordered_on
        tests: [not_null]
      - name: orders
        tests:
          - dbt_utils.expression_is_true: {expression: "> 0"}
unit_tests:
  - name: counts
    model: drinks
    given:
      - input: ref('orders')
        rows: [{drink: tea, amount: 1}, {drink: tea, amount: 2}]
      - input: source('shop', 'totals')
        rows: []
    expect: {rows: [{drink: tea, orders: 2}]}
""",
    "transform/docs.md": "{% docs orders %}\nOne row per order,\nas the till has it.\n{% enddocs %}\n",
    "tests/no_order_without_amount.sql": "select * from {{ ref('orders') }} where amount is null\n",
    "target/manifest.json": "{}",
}  # fmt: skip


def write_kiosk(folder: Path) -> Path:
    """Write the project; it reads the port `shop.totals` of the mesh, and a menu from its own seeds."""
    for name, text in FILES.items():
        write(folder / name, text)
    return folder
