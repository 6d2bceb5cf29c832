import json
from pathlib import Path
from typing import Any

import pytest

from kit.core.errors import KitError, UnknownName
from kit.core.yaml import parse_yaml
from kit.mesh.context import Context
from kit.scaffold import port_source
from kit.scaffold.port_files import PortFiles
from kit.scaffold.port_source import files_from_origin, files_from_ports, origin_file
from tests.support.findings import assert_names
from tests.support.small_mesh import SmallMesh, write


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    return small


def made(mesh: SmallMesh, product: str, port: str | None, origin: str) -> PortFiles:
    return files_from_origin(Context(mesh.config), product, port, origin, mesh.domains / product)


def parsed(files: PortFiles, name: str) -> dict[str, Any]:
    text = files.files[name]
    assert isinstance(text, str)
    data: dict[str, Any] = parse_yaml(Path(name), text).data
    return data


def test_an_origin_is_a_file_or_a_port(mesh: SmallMesh) -> None:
    write(mesh.root / "visits.csv", "a\n1\n")
    assert origin_file("visits.csv") == mesh.root / "visits.csv"
    assert origin_file("shop.sales") is None


@pytest.mark.parametrize(
    ("origin", "says"),
    [
        ("gone.csv", "there is no file gone.csv"),
        ("gone.ipynb", "there is no file gone.ipynb"),
        ("domains", "domains is a folder; name one file ("),
        ("pyproject.toml", "'pyproject.toml' is neither a file ("),
        ("sales", "'sales' is neither a file ("),
        ("some/where.txt", "'some/where.txt' is neither a file ("),
        ("postgres://me:hidden@host/db", "a connector makes a source of a product that exists: write `kit new NAME`, then"),
        ("mysql://me:hidden@host/db", "there is no connector 'mysql'; there are: airbyte, postgres, rest"),
    ],
)
def test_what_is_neither_is_refused(mesh: SmallMesh, origin: str, says: str) -> None:
    with pytest.raises(KitError) as error:
        origin_file(origin)
    assert str(error.value).startswith(says)
    assert "hidden" not in str(error.value)


def test_a_raw_file_becomes_a_source_a_staging_model_and_a_mart(mesh: SmallMesh) -> None:
    write(mesh.root / "Shop Visits.csv", "Visit Nr;paid\n1;2.50\n2;3.00\n")
    found = made(mesh, "plan", "visits", "Shop Visits.csv")
    assert found.output == {"name": "visits", "type": "dbt", "version": "1.0.0", "contractId": "plan.visits"}
    assert found.inputs == (
        {"name": "raw.shop_visits", "version": "1.0.0", "contractId": "plan.raw.shop_visits"},
    )  # fmt: skip
    assert found.reads == ("raw", "shop_visits", "Shop Visits.csv as delivered.")
    assert list(found.files) == [
        "contracts/visits.odcs.yaml", "sources/shop_visits.odcs.yaml", "models/staging/stg_shop_visits.sql",
        "models/marts/visits.sql", "data/Shop Visits.csv",
    ]  # fmt: skip
    assert found.files["data/Shop Visits.csv"] == mesh.root / "Shop Visits.csv"
    assert "def shop_visits():" in found.ingest
    assert 'return "data/Shop Visits.csv"' in found.ingest
    assert "from {{ ref('stg_shop_visits') }}\norder by visit_nr\n" in str(found.files["models/marts/visits.sql"])


def test_the_contract_of_the_source_has_the_names_and_the_format_of_the_file(mesh: SmallMesh) -> None:
    write(mesh.root / "visits.csv", "Visit Nr;paid\n1;2.50\n2;3.00\n")
    source = parsed(made(mesh, "plan", None, "visits.csv"), "sources/visits.odcs.yaml")
    assert source["id"] == "plan.raw.visits"
    assert "slaProperties" not in source
    (table,) = source["schema"]
    assert (table["name"], table["description"]) == ("visits", "One row per row of visits.csv, as delivered.")
    assert [(item["name"], item.get("physicalName"), item["description"]) for item in table["properties"]] == [
        ("visit_nr", "Visit Nr", "The column Visit Nr of visits.csv."),
        ("paid", None, "The column paid of visits.csv."),
    ]
    assert ";" in json.dumps(source["customProperties"])


def test_a_file_that_is_refused_lands_once_its_format_is_given(mesh: SmallMesh) -> None:
    content = "Bericht März\n\nOrt;Preis;Anzahl\nBonn;1,50;-\nKiel;2,00;7".encode("latin-1")
    (mesh.root / "visits.csv").write_bytes(content)
    context, folder = Context(mesh.config), mesh.domains / "plan"
    given: list[str] = []
    for facts, option in [
        (("visits.csv", "line 1", "0xe4"), "encoding=latin-1"),
        (("visits.csv", "line 3", "3 fields", "the header has 1"), "headerLine=3"),
    ]:
        with pytest.raises(KitError) as error:
            files_from_origin(context, "plan", None, "visits.csv", folder, given)
        assert_names(error.value, KitError, *facts, f"add --csv {option}")
        given.append(option)
    found = files_from_origin(context, "plan", None, "visits.csv", folder, given)
    questions = {
        "preis": "is it a decimal(18,2)? Then declare decimalComma: true in csv, and the type decimal(18,2)",
        "anzahl": "does '-' mean that a value is missing? Then declare nullMarkers: [\"-\"] in csv, and the type bigint",
    }
    assert found.questions == questions
    source = parsed(found, "sources/visits.odcs.yaml")
    described = {item["name"]: item["description"] for item in source["schema"][0]["properties"]}
    assert described == {"ort": "The column Ort of visits.csv."} | {name: f"TODO: {text}" for name, text in questions.items()}
    given += ["decimalComma=true", "nullMarkers=-"]
    found = files_from_origin(context, "plan", None, "visits.csv", folder, given)
    source = parsed(found, "sources/visits.odcs.yaml")
    assert [item["physicalType"] for item in source["schema"][0]["properties"]] == ["varchar", "decimal(18,2)", "bigint"]
    assert source["customProperties"] == [
        {"property": "csv", "value": {
            "delimiter": ";", "encoding": "latin-1", "headerLine": 3, "nullMarkers": ["-"], "decimalComma": True,
            "openEnd": True,
        }}
    ]  # fmt: skip
    assert found.questions == {}


def test_only_a_csv_file_has_a_format(mesh: SmallMesh) -> None:
    with pytest.raises(KitError, match=r"--csv is for a CSV file; shop.totals is none"):
        files_from_origin(Context(mesh.config), "plan", None, "shop.totals", mesh.domains / "plan", ["delimiter=;"])


def test_a_large_raw_file_stays_where_it_is(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    write(mesh.root / "visits.csv", "visit_nr,paid\n1,2.50\n2,3.00\n")
    monkeypatch.setattr(port_source, "LARGEST_COPY", 10)
    found = made(mesh, "plan", None, "visits.csv")
    assert [name for name in found.files if name.startswith("data/")] == []
    assert f'return "{mesh.root}/visits.csv"' in found.ingest
    assert parsed(found, "sources/visits.odcs.yaml")["customProperties"] == [
        {"property": "reads", "value": [f"{mesh.root}/visits.csv"]}
    ]


def test_a_port_of_another_product_is_a_source_of_the_mart(mesh: SmallMesh) -> None:
    found = made(mesh, "plan", None, "shop.totals")
    assert found.output["contractId"] == "plan.totals"
    assert found.inputs == ({"name": "shop.totals", "version": "1.0.0", "contractId": "shop.totals"},)
    assert found.reads == ("shop", "totals", "")
    assert found.files["models/marts/totals.sql"] == (
        "select\n    cast(item as varchar) as item,\n    cast(amount as decimal(18, 2)) as amount\n"
        "from {{ source('shop', 'totals') }}\norder by item\n"
    )
    assert parsed(found, "contracts/totals.odcs.yaml")["id"] == "plan.totals"


def test_a_port_of_the_same_product_is_a_model(mesh: SmallMesh) -> None:
    found = made(mesh, "shop", "sums", "shop.totals")
    assert (found.inputs, found.reads) == ((), None)
    assert "from {{ ref('totals') }}" in str(found.files["models/marts/sums.sql"])


@pytest.mark.parametrize(
    ("product", "port", "origin", "says"),
    [
        (
            "plan",
            "again",
            "plan.forecast",
            "'plan.forecast' is made by a notebook, which runs after dbt; write `kit new notebook ",
        ),
        ("shop", "again", "plan.forecast", "'plan.forecast' is itself made from 'shop'; products cannot read each other in a"),
        ("plan", "A", "shop.totals", "'A' cannot name a port; "),
        ("plan", "A", "feed/sales.csv", "'A' cannot name a port; "),
    ],
)
def test_what_cannot_be_the_origin_of_a_port_is_refused(
    mesh: SmallMesh, product: str, port: str, origin: str, says: str
) -> None:
    with pytest.raises(KitError) as error:
        made(mesh, product, port, origin)
    assert str(error.value).startswith(says)


def test_a_notebook_reads_ports_and_hands_over_the_first(mesh: SmallMesh) -> None:
    providers = [mesh.mesh.port("shop.totals"), mesh.mesh.port("plan.forecast")]
    found = files_from_ports(mesh.mesh, "plan", "again", providers)
    assert found.output["inputContracts"] == [
        {"id": "shop.totals", "version": "1.0.0"}, {"id": "plan.forecast", "version": "1.0.0"}
    ]  # fmt: skip
    assert [item["name"] for item in found.inputs] == ["shop.totals"]
    assert (list(found.files), found.has_dbt) == (["contracts/again.odcs.yaml", "notebooks/again.ipynb"], False)
    columns = parsed(found, "contracts/again.odcs.yaml")["schema"][0]["properties"]
    assert [column["name"] for column in columns] == ["item", "amount"]
    with pytest.raises(KitError, match=r"'plan\.forecast' is itself made from 'shop'"):
        files_from_ports(mesh.mesh, "shop", "again", providers)


@pytest.mark.parametrize("name", ["class", "import", "lambda"])
def test_a_file_named_like_a_word_of_python_becomes_a_source_that_ingest_can_define(mesh: SmallMesh, name: str) -> None:
    write(mesh.root / f"{name}.csv", "code,price\na,1.5\n")
    found = made(mesh, "shop", None, f"{name}.csv")
    assert found.output["name"] == name
    assert [item["name"] for item in found.inputs] == [f"raw.{name}_data"]
    compile(found.ingest, "ingest.py", "exec")


def test_a_port_of_a_raw_source_has_its_columns_and_reads_its_staging_model(mesh: SmallMesh) -> None:
    product = mesh.domains / "shop"
    found = made(mesh, "shop", "takings", "shop.raw.sales")
    columns = [column.name for column in mesh.product("shop").sources[0].contract.columns]
    assert [item["name"] for item in parsed(found, "contracts/takings.odcs.yaml")["schema"][0]["properties"]] == columns
    assert "from {{ source('raw', 'sales') }}" in str(found.files["models/marts/takings.sql"])
    assert (found.inputs, found.reads) == ((), ("raw", "sales", ""))
    write(product / "models/staging/stg_sales.sql", "select * from {{ source('raw', 'sales') }}\n")
    found = made(mesh, "shop", None, "shop.raw.sales")
    assert found.output is not None and found.output["name"] == "sales"
    assert "from {{ ref('stg_sales') }}" in str(found.files["models/marts/sales.sql"])
    with pytest.raises(
        UnknownName, match=r"'shop.raw.sails' is no source of 'shop'; did you mean shop.raw.sales\? there are: shop.raw.sales"
    ):
        made(mesh, "shop", None, "shop.raw.sails")
