{%- set groups = fromjson('{"assets": [1, 2], "debts": [3]}') -%}
{%- set names = groups | sort -%}
{% for name, group in groups | dictsort %}
{% if not loop.first %}union all by name{% endif %}
select
    '{{ name }}' as side,
    {{ loop.index0 }} as position,
    {{ dbt.string_literal(name | upper) }} as title,
    {{ sum_of(*group, table='bookings', cast='double') }} as total
{{ from_own('bookings') }}
where class in ({{ group | join(', ') }}) and '{{ names[0] }}' <> ''
{% endfor %}
