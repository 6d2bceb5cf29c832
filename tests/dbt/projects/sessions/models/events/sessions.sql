{% set gap = var('session_gap')['minutes'] %}
{% set ns = namespace(total=0) %}
{% for weight in [1, 2, 3] %}{% set ns.total = ns.total + weight %}{% endfor %}
{%- set aggregates = {} -%}
{%- do aggregates.update({'pages': 'count(*)', 'started_at': 'min(viewed_at)', 'ended_at': 'max(viewed_at)'}) %}

with marked as (
    select
        *,
        case when {{ datediff('lag(viewed_at) over (partition by user_id order by viewed_at)', 'viewed_at', 'minute') }} > {{ gap }}
            then 1 else 0 end as is_new
    from {{ ref('page_views') }}
)

select
    user_id,
    sum(is_new) over (partition by user_id order by viewed_at) as session_number,
    {{ ns.total }} as weight,
    {% for name, expression in aggregates.items() -%}
        {% if name == 'pages' %}{% continue %}{% endif -%}
        {{ expression }} as {{ adapter.quote(name) }},
    {% endfor -%}
    {{ aggregates.pages }} as pages,
    '{{ target.schema }}.{{ this.identifier }}' as made_by,
    {{ tojson([1, "a", none]) | replace('"', "'") }} as settings
from marked
group by all
{# closes the model #}
