import json

import pytest

from kit.governance.sources import check_sources
from tests.support.contracts import contract
from tests.support.files import write
from tests.support.small_mesh import SmallMesh

COLUMNS = [
    ("item", "varchar", {"primaryKey": True}),
    ("changed_at", "timestamp", {"physicalName": "Changed At"}),
    ("email", "varchar", {"classification": "personal"}),
]
KEYLESS = [("item", "varchar", {}), *COLUMNS[1:]]
IMPORTS = "from kit.ingest.connectors import airbyte, postgres, postgress, rest\n\n\ndef sales("
CONTRACT = "domains/shop/sources/sales.odcs.yaml"
MANIFEST = "streams: [{name: orders}, {name: items}]\n"


def problems(small: SmallMesh, function: str, columns: list[tuple[str, str, dict[str, object]]] = COLUMNS) -> list[str]:
    folder = small.domains / "shop"
    write(folder / "api.yaml", MANIFEST)
    write(folder / "ingest.py", IMPORTS + function)
    write(folder / "sources/sales.odcs.yaml", contract("shop.raw.sales", "sales", columns))
    product = small.product("shop")
    return [f"{finding.line}: {finding.message.removeprefix('sales(): ')}" for finding in check_sources(product)]


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (
            "):\n    return postgress(table='a')",
            "5: there is no connector 'postgress'; did you mean postgres? there are: airbyte, postgres, rest",
        ),
        (
            "):\n    return postgres(\n        dsn_env='SHOP_DSN', table='a',\n        cursr='Changed At')",
            "7: postgres has no option 'cursr'; did you mean cursor? there are: dsn_env, table, query, cursor, "
            "deleted, as_text, lookback, timeout_seconds",
        ),
        (
            "):\n    return rest('api.yaml', stream='orders', x=1)",
            "5: rest has no option 'x'; there are: manifest, stream, config, secrets_env, cursor, deleted, as_text, "
            "timeout_seconds, cdk",
        ),
        ("):\n    return postgres(table='a')", "5: postgres lacks dsn_env=…"),
        (
            "):\n    return postgres('SHOP_DSN', dsn_env='A', table='a')",
            "5: postgres takes no arguments without a name; write dsn_env, table, query, cursor, deleted, as_text, lookback, "
            "timeout_seconds with theirs",
        ),
        (
            "):\n    return postgres(dsn_env='postgres://me:hidden@db/shop', table='a')",
            "5: postgres(dsn_env=…) is the name of an environment variable with the address, such as SHOP_DSN",
        ),
        (
            "):\n    return rest('api.yaml', stream='orders', secrets_env={'key': '4-secret'})",
            "5: secrets_env['key'] is the name of an environment variable, such as SHOP_API_KEY",
        ),
        (
            "):\n    return rest('api.yaml', stream='order')",
            "5: there is no stream 'order' in api.yaml; there are: orders, items",
        ),
        (
            "):\n    return rest('none.yaml', stream='order')",
            "5: there is no manifest none.yaml; write its path relative to the domain folder",
        ),
        (
            "):\n    return airbyte('source-faker', stream='users')",
            "5: 'airbyte-source-faker' is no exact version of a package; write one such as source-faker==7.2.1",
        ),
        (
            "):\n    return postgres(dsn_env='SHOP_DSN', table='a',\n        cursor='changed')",
            f"6: 'changed' is the cursor, and is no column of the contract; add it to {CONTRACT}",
        ),
        (
            "):\n    return postgres(dsn_env='SHOP_DSN', table='a', cursor='email')",
            "5: the cursor email is personal or masked, and its value would be in the manifest; choose another",
        ),
        (
            "):\n    return postgres(dsn_env='SHOP_DSN', table='a', deleted='gone')",
            f"5: 'gone' marks deleted rows, and is no column of the contract; add it to {CONTRACT}",
        ),
    ],
)
def test_a_wrong_declaration_is_found_with_its_line(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, function: str, problem: str
) -> None:
    monkeypatch.chdir(small.root)
    assert problems(small, function) == [problem]


@pytest.mark.parametrize(
    ("function", "reason", "line"),
    [
        ("):\n    return postgres(dsn_env='SHOP_DSN', table=name(), cursor='Changed At')", "the cursor Changed At", 5),
        ("state):\n    yield {'item': 'a'}", "a state", 4),
    ],
)
def test_an_increment_without_a_key_is_found(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, function: str, reason: str, line: int
) -> None:
    monkeypatch.chdir(small.root)
    assert problems(small, function, KEYLESS) == [
        f"{line}: with {reason} only new rows are read, and they replace older ones by the key, which the contract lacks; "
        f"write primaryKey: true at the columns that identify a row, in {CONTRACT}"
    ]
    assert problems(small, function) == []


@pytest.mark.parametrize(
    "function",
    [
        "):\n    return rest('api.yaml', stream='items', cursor='Changed At')",
        "):\n    return postgres(**options())",
        "):\n    return airbyte('source-faker==7.2.1', stream='users', config={'count': 1})",
        "):\n    return 'sales.csv'",
    ],
)
def test_what_is_right_or_not_known_has_no_finding(small: SmallMesh, function: str) -> None:
    assert problems(small, function, KEYLESS if "items" not in function else COLUMNS) == []


def test_kit_check_has_the_findings(small: SmallMesh) -> None:
    write(small.domains / "shop/ingest.py", IMPORTS.replace("postgress", "rest as api") + "):\n    return postgres(table='a')")
    done = small.kit("check", "--json")
    found = [item for item in json.loads(done.stdout)["problems"] if item["path"].endswith("shop/ingest.py")]
    assert [(item["line"], item["message"]) for item in found] == [(5, "sales(): postgres lacks dsn_env=…")]
    assert done.returncode == 1


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("def sale():\n    return 'a.csv'\n", True),
        ("import os\nsales_ = 1\n", True),
        ("def other():\n    sales()\n", True),
        ("from feeds import *\n", False),
        ("from feeds import read as sales\n", False),
        ("try:\n    sales = lambda: 'a'\nexcept ValueError:\n    pass\n", False),
        ("globals()['sa' + 'les'] = lambda: 'a.csv'\n", False),
        ("if True:\n    def sales():\n        return 'a.csv'\n", False),
        ("def sales(:\n", False),
    ],
)
def test_a_source_without_a_function_is_found(small: SmallMesh, code: str, found: bool) -> None:
    write(small.domains / "shop/ingest.py", code)
    findings = [finding.message for finding in check_sources(small.product("shop"))]
    assert findings == ["has no function 'sales', which the source of that name needs"] * found
