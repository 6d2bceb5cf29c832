from pathlib import Path

import pytest

from kit.core.errors import TransformError
from kit.dbt.templates import Templates
from tests.support.small_mesh import write


def render(folder: Path, text: str) -> str:
    return " ".join(Templates("own", [folder], {"ref": lambda name: f'"{name}"'}).render(text, this="t").split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select * from {{ ref('sales') }}", 'select * from "sales"'),
        ("{% for n in range(2) %}c{{ n }} {% endfor %}{{ this }}", "c0 c1 t"),
        ("{{ cents('price') }}", "round(price * 100)"),
        ("{{ twice('a') }}", "a, a"),
        ("{{ engine() }}", "for duckdb"),
        ("{{ whose() }}", "t"),
        ("{{ dbt.datediff('a', 'b', 'day') }}", "(date_diff('day', a::timestamp, b::timestamp ))"),
        ("{{ datediff('a', 'b', 'day') }}", "mine"),
        ("{{ early('x') }}", "X"),
        ("{{ own.twice('a') }}, {{ dbt.concat(['a', 'b']) }}", "a, a, a || b"),
        ("{{ dbt.dateadd('day', 1, 'a') }}", "mine"),  # dbt takes the default of the project before its own for DuckDB
        ("{{ adapter.dispatch('dateadd')('day', 1, 'a') }}", "(a + cast(1 as bigint) * interval 1 day)"),
        ("{% if modules is defined and nobody is not defined %}yes{% endif %}", "yes"),
        ("{% set found = [] %}{% do found.append('a') %}{{ found[0] }}", "a"),
    ],
)
def test_a_text_is_rendered_as_dbt_would(tmp_path: Path, text: str, expected: str) -> None:
    write(
        tmp_path / "macros.sql",
        """
        {% macro cents(column) %}round({{ column }} * 100){% endmacro %}
        {%- macro twice(x) -%} {{ x }}, {{ x }} {%- endmacro %}
        {% macro engine() %}{{ return(adapter.dispatch('engine')()) }}{% endmacro %}
        {% macro default__engine() %}for all{% endmacro %}
        {% macro duckdb__engine() %}for duckdb{% endmacro %}
        {% macro whose() %}{{ this }}{% endmacro %}
        {% macro early(x) %}{% if x %}{{ return(x | upper) }}{% endif %}nothing{% endmacro %}
        {% macro datediff(a, b, part) %}mine{% endmacro %}
        {% macro default__dateadd(part, n, a) %}mine{% endmacro %}
        {% test positive(model) %}select {{ nonsense( {% endtest %}
        {% materialization special, adapter="duckdb" %}{{ adapter.commit() }}{% endmaterialization %}
        """.replace("{{ nonsense( ", ""),
    )
    assert render(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ nobody() }}", "UndefinedError: 'nobody' is undefined"),
        ("{{ run_query('select 1') }}", "TransformError|UndefinedError|LookupError"),
        ("{{ adapter.get_relation('a') }}", "UndefinedError"),
        ("{% if %}", "TemplateSyntaxError"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ modules.re }}", "a value that only dbt knows"),
        ("{% if flags %}{% endif %}", "a value that only dbt knows"),
        ("{% for node in graph %}{% endfor %}", "a value that only dbt knows"),
        ("{{ exceptions.warn('x') }}", "a value that only dbt knows"),
        ("{{ adapter.dispatch('twice', 'elsewhere')() }}", "LookupError"),
        ("{{ ref.__globals__ }}", "SecurityError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ range(100000000) | list }}", "OverflowError"),
    ],
)
def test_what_only_dbt_can_do_or_nobody_may_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(TransformError, match=reason):
        render(tmp_path, text)
