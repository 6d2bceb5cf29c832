{#- A text without addresses of people and hosts, and without tokens of services: a mark is in their place. -#}
{% macro without_addresses(text) -%}
regexp_replace(
    regexp_replace(
        {{ text }},
        '[[:alnum:]._%+-]+@[[:alnum:].-]+\.[[:alpha:]]{2,}|\b([[:digit:]]{1,3}\.){3}[[:digit:]]{1,3}\b', '[address]', 'g'
    ),
    '\b((gh[pousr]|github_pat|glpat|xox[abpr]|sk)[_-][[:alnum:]_-]{8,}|(AKIA|ASIA)[[:upper:][:digit:]]{16})', '[token]', 'g'
)
{%- endmacro %}
