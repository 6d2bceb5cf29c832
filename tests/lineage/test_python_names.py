import ast

import pytest

from kit.lineage.python_names import ANY, NameTable, imported


def last(code: str) -> tuple[str, str | None]:
    """The path and the text of the expression in the last line, after the names of all lines are bound."""
    tree = ast.parse(code)
    names = NameTable({"kit.inputs": "kit.inputs()", "kit.open": "kit.open()"}, {"__import__", "eval"})
    for node in ast.walk(tree):
        names.bind(node)
    expression = tree.body[-1]
    assert isinstance(expression, ast.Expr)
    return names.path(expression.value), names.text(expression.value)


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("import kit\nkit.read", "kit.read"),
        ("import kit.storage as s\ns.Store", "kit.storage.Store"),
        ("from kit import read as r\nr", "kit.read"),
        ("import kit\nk = kit\nk.inputs().read", "kit.inputs().read"),
        ("import kit\ngetattr(kit, 'read')", "kit.read"),
        ("import kit\nkit.open()['shop.' + 'sales']", "kit.open()[shop.sales]"),
        ("import kit\nkit.open()[name]", f"kit.open()[{ANY}]"),
        ("__import__('intake')", "intake"),
        ("eval", "eval"),
        ("unknown.read", ""),
        ("unknown()", ""),
    ],
)
def test_path_of_an_expression(code: str, path: str) -> None:
    assert last(code)[0] == path


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("'a'", "a"),
        ("name = 'a'\nname", "a"),
        ("name = 'a'\nname = 'b'\nname", ANY),
        ("f'a{n}b'", f"a{ANY}b"),
        ("'a' + name", f"a{ANY}"),
        ("from pathlib import Path\nPath('a') / 'b' / name", f"a/b/{ANY}"),
        ("1", None),
        ("x + y", None),
    ],
)
def test_text_of_an_expression(code: str, text: str | None) -> None:
    assert last(code)[1] == text


def test_imported_names() -> None:
    nodes = ast.parse("import a.b, c\nfrom d.e import f, g\nfrom . import h").body
    assert [list(imported(node)) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)] == [
        ["a.b", "c"], ["d.e.f", "d.e.g"], [],
    ]  # fmt: skip
