import json
import re
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from kit.core import database
from kit.core.errors import KitError, MeshError, UnknownName
from kit.core.files import write_durably
from kit.core.policy import Policy
from kit.dbt.committed import write_macros
from kit.governance.check import check_mesh
from kit.mesh.context import Context
from kit.scaffold.new import Owner, check_new_product, new_notebook, new_port, new_product, new_source
from kit.scaffold.templates import SAMPLE
from tests.support.findings import assert_names, pairs
from tests.support.landing import land_source
from tests.support.small_mesh import SmallMesh, notebook, write

ANN = Owner("Ann Lee", "ann@example.com")
VISITS = "Visit Nr,order,paid\n1,x,2.50\n2,y,3.00\n"


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but what builds make."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and folder / "state" not in path.parents]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> SmallMesh:
    monkeypatch.chdir(small.root)
    write(small.root / "visits.csv", VISITS)
    return small


def test_the_sample_is_sound_but_for_what_a_person_writes(mesh: SmallMesh) -> None:
    new_product(Context(mesh.config), "tearoom", Owner("Sample Owner", "owner@example.com"), "hospitality", None, None)
    made = tree(mesh.domains / "tearoom")
    for name in ("catalog.yaml", "macros/kit.sql", "profiles.yml"):  # which `kit sync` writes
        made.pop(name)
    assert made == {name: text for name, text in tree(SAMPLE).items() if "__pycache__" not in name}
    assert pairs(check_mesh(mesh.context)) == [
        ("tearoom", f"domains/tearoom/{message}")
        for message in (
            "product.odps.yaml:9: description.purpose: still to be written (TODO: what the data is, and for whom)",
            "product.odps.yaml:10: description.limitations: still to be written "
            "(TODO: what it does not know or cannot be used for)",
            "product.odps.yaml:11: description.usage: still to be written (TODO: how to read it, and what to join it on)",
            "README.md:10: still to be written (TODO: what this product is, in one sentence.)",
            "README.md:14: still to be written (TODO: defects its readers must know.)",
        )
    ]


def test_a_product_from_a_file_keeps_its_rows_and_renames_its_columns(mesh: SmallMesh) -> None:
    made = new_product(Context(mesh.config), "walkin", ANN, "retail: north", "visits.csv", None)
    product = mesh.product("walkin")
    assert (made.port, product.owner, product.folder) == ("walkin.visits", "Ann Lee", mesh.domains / "walkin")
    assert {column.name: column.type for column in product.ports[0].contract.columns} == {
        "visit_nr": "bigint", "order": "varchar", "paid": "decimal(18,2)",
    }  # fmt: skip
    assert (product.folder / "data/visits.csv").read_text() == VISITS
    assert (product.folder / "models/marts/visits.sql").read_text() == (
        'select\n    cast(visit_nr as bigint) as visit_nr,\n    cast("order" as varchar) as "order",\n'
        "    cast(paid as decimal(18, 2)) as paid\nfrom {{ ref('stg_visits') }}\norder by visit_nr\n"
    )
    assert 'domain: "retail: north"\n' in (product.folder / "product.odps.yaml").read_text()


@pytest.mark.parametrize("text", ["my_id,b\n1,x\n\n2,y\n,z\n4,\"\"\n", "My Id,b\n1,x\n\n2,y\n,z\n4,\"\"\n",
                                  "My Id;b\n1;x\n\n2;y\n;z\n4;\"\"\n"])  # fmt: skip
def test_the_same_rows_land_whatever_the_header_and_the_delimiter_are(mesh: SmallMesh, text: str) -> None:
    write(mesh.root / "VISITS.CSV", text)
    new_product(Context(mesh.config), "walkin", ANN, "retail", "VISITS.CSV", None)
    product = mesh.product("walkin")
    assert (product.folder / "ingest.py").read_text().endswith(
        'def visits():\n    """VISITS.CSV as delivered: a path, here from this folder, or a polars frame."""\n'
        '    return "data/VISITS.CSV"\n'
    )  # fmt: skip
    landed = land_source(mesh.config, product, mesh.root / "state/raw")
    assert database.relation([landed.path]).fetchall() == [(1, "x"), (2, "y"), (None, "z"), (4, None)]


def test_a_file_lands_in_the_format_that_was_given(mesh: SmallMesh) -> None:
    (mesh.root / "stores.csv").write_bytes("sep=;\r\nOrt;Preis\r\nK\xf6ln;1,50\r\nKiel;NA".encode("latin-1"))
    csv = ["encoding=latin-1", "decimalComma=true", "nullMarkers=NA"]
    new_product(Context(mesh.config), "walkin", ANN, "retail", "stores.csv", None, csv)
    product = mesh.product("walkin")
    landed = land_source(mesh.config, product, mesh.root / "state/raw")
    assert database.relation([landed.path]).fetchall() == [("Köln", Decimal("1.50")), ("Kiel", None)]
    made = new_port(Context(mesh.config), "walkin.again", "visits.csv", ["delimiter=,"])
    assert made.questions == {}


@pytest.mark.parametrize("origin", ["tills.csv", "sums.ipynb"])
def test_under_a_policy_only_what_a_person_writes_is_left(mesh: SmallMesh, origin: str) -> None:
    write(mesh.root / "tills.csv", "till_id,place,opened_on\n1,x,2024-01-02\n2,y,2024-01-03\n")
    write(mesh.root / "sums.ipynb", json.dumps(notebook(["import polars as pl", "pl.DataFrame({'sum_id': [1]})"])))
    new_product(Context(mesh.config), "walkin", ANN, "retail", origin, None)
    strict = replace(mesh.config, policy=Policy.from_settings({}))
    found = [message for name, message in pairs(check_mesh(Context(strict))) if name == "walkin"]
    assert [message for message in found if "still to be written (TODO: " not in message] == []
    assert (
        len([message for message in found if ".classification: still" in message]) == {"tills.csv": 6, "sums.ipynb": 1}[origin]
    )
    assert [message for message in found if "README.md" in message and "|" in message] == []


def test_a_port_is_added_and_what_the_person_wrote_stays(mesh: SmallMesh) -> None:
    new_product(Context(mesh.config), "walkin", ANN, "retail", "visits.csv", None)
    descriptor = mesh.domains / "walkin/product.odps.yaml"
    text = (
        descriptor.read_text()
        .replace("team:\n", "# who to ask\nteam: # of one\n")
        .replace("outputPorts:\n", "outputPorts: # x\n")
    )
    write(descriptor, text)
    made = new_port(Context(mesh.config), "walkin.amounts", "shop.totals")
    last = "  - {name: visits, type: dbt, version: 1.0.0, contractId: walkin.visits}\n"
    source = "  - {name: raw.visits, version: 1.0.0, contractId: walkin.raw.visits}\n"
    assert descriptor.read_text() == text.replace(
        last, last + "  - {name: amounts, type: dbt, version: 1.0.0, contractId: walkin.amounts}\n"
    ).replace(source, source + "  - {name: shop.totals, version: 1.0.0, contractId: shop.totals}\n")
    assert [str(path.relative_to(mesh.domains)) for path in made.files if path.is_relative_to(mesh.domains / "walkin")] == [
        "walkin/contracts/amounts.odcs.yaml", "walkin/models/marts/amounts.sql", "walkin/models/sources.yml",
        "walkin/product.odps.yaml", "walkin/catalog.yaml", "walkin/models/marts/amounts.yml",
        "walkin/expectations/amounts.json", "walkin/README.md",
    ]  # fmt: skip
    theirs, ours = mesh.mesh.port("shop.totals").contract, mesh.mesh.port("walkin.amounts").contract
    assert [(column.name, column.description) for column in ours.columns] == [
        (column.name, column.description) for column in theirs.columns
    ]


def test_a_notebook_hands_over_what_it_reads(mesh: SmallMesh) -> None:
    new_notebook(Context(mesh.config), "plan.again", ("shop.sales", "shop.totals"))
    text = json.loads((mesh.domains / "plan/notebooks/again.ipynb").read_text())
    assert ["".join(cell["source"]) for cell in text["cells"] if cell["cell_type"] == "code"] == [
        'import kit\n\ninputs = kit.inputs()\nsales = inputs.read("shop.sales")\ntotals = inputs.read("shop.totals")',
        'frame = sales.select(\n    "sale_id",\n    "item",\n    "amount",\n    "sold_on",\n)',
        'kit.output("again", frame)',
    ]
    assert [item.port for item in mesh.product("plan").inputs] == ["shop.totals", "shop.sales"]


FILES = ".parquet, .csv, .csv.gz, .ipynb"


@pytest.mark.parametrize(
    ("name", "origin", "port", "kind", "facts"),
    [
        ("port", None, None, KitError, ("'port'", "`kit new port PRODUCT.PORT`")),
        ("Big", None, None, KitError, ("'Big'", "a-z, 0-9 and _")),
        ("shop", None, None, KitError, ("domains/shop", "nothing was written")),
        ("broken", None, None, KitError, ("domains/broken", "nothing was written")),
        ("x", None, "raw", KitError, ("'raw'", "a-z, 0-9 and _")),
        ("x", "visits.csv", "A", KitError, ("'A'", "a-z, 0-9 and _")),
        ("x", "nowhere.csv", None, KitError, ("nowhere.csv",)),
        ("x", "domains", None, KitError, ("domains", FILES)),
        ("x", "pyproject.toml", None, KitError, ("'pyproject.toml'", FILES, "PRODUCT.PORT")),
        ("x", "shop.none", None, UnknownName, ("'shop'", "'none'", "shop.sales, shop.totals")),
        ("x", "none.a", None, UnknownName, ("'none'", "broken, plan, shop")),
        ("x", "broken.a", None, MeshError, ("'broken'", "domains/broken/product.odps.yaml:1: ")),
    ],
)
def test_no_product_from_wrong_input(
    mesh: SmallMesh, name: str, origin: str | None, port: str | None, kind: type[KitError], facts: tuple[str, ...]
) -> None:
    write(mesh.domains / "broken/product.odps.yaml", "- a\n")
    before = tree(mesh.root)
    with pytest.raises(KitError) as caught:
        check_new_product(mesh.config, name)
        new_product(Context(mesh.config), name, ANN, "retail", origin, port)
    assert_names(caught.value, kind, *facts)
    assert tree(mesh.root) == before


@pytest.mark.parametrize(
    ("id", "origin", "kind", "facts"),
    [
        ("shop", "visits.csv", UnknownName, ("'shop'", "PRODUCT.PORT", "plan, shop")),
        ("none.a", "visits.csv", UnknownName, ("'none'", "plan, shop")),
        ("shop.sales", "visits.csv", KitError, ("'shop'", "'sales'", "nothing was written")),
        ("shop.a", "x.ipynb", KitError, ("x.ipynb", "`kit promote x.ipynb --product shop --port a`")),
        ("shop.a", "plan.forecast", KitError, ("'plan.forecast'", "'shop'")),
        ("plan.a", "plan.forecast", KitError, ("'plan.forecast'", "`kit new notebook plan.a`")),
        ("shop.stock", "feed/sales.csv", KitError, ("domains/shop/sources/sales.odcs.yaml", "nothing was written")),
    ],
)
def test_no_port_from_wrong_input(
    mesh: SmallMesh,
    id: str,  # noqa: A002
    origin: str,
    kind: type[KitError],
    facts: tuple[str, ...],
) -> None:
    before = tree(mesh.root)
    with pytest.raises(KitError) as caught:
        new_port(Context(mesh.config), id, origin)
    assert_names(caught.value, kind, *facts)
    assert tree(mesh.root) == before


@pytest.mark.parametrize(
    ("reads", "kind", "facts"),
    [
        (("plan.forecast",), KitError, ("'plan.forecast'", "'shop'")),
        (("shop.none",), UnknownName, ("'shop'", "'none'", "shop.sales, shop.totals")),
    ],
)
def test_no_notebook_from_wrong_input(
    mesh: SmallMesh, reads: tuple[str, ...], kind: type[KitError], facts: tuple[str, ...]
) -> None:
    before = tree(mesh.root)
    with pytest.raises(KitError) as caught:
        new_notebook(Context(mesh.config), "shop.a", reads)
    assert_names(caught.value, kind, *facts)
    assert tree(mesh.root) == before


def test_a_descriptor_that_cannot_be_replaced_leaves_nothing_behind(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: str | bytes) -> None:
        if path.name == "product.odps.yaml":
            raise OSError(28, "No space left on device")
        write_durably(path, content)

    before = tree(mesh.root)
    monkeypatch.setattr("kit.scaffold.changes.write_durably", full)
    with pytest.raises(KitError, match=r"^domains/plan/product.odps.yaml: nothing was written: No space left on device$"):
        new_notebook(Context(mesh.config), "plan.again", ("shop.sales",))
    assert tree(mesh.root) == before


@pytest.mark.parametrize("text", ["Ann", "<a@b.c>", "Ann <>", "Ann\n <a@b.c>"])
def test_an_owner_is_a_name_and_a_mail(text: str) -> None:
    with pytest.raises(KitError, match="is not an owner; write 'Name <mail>'"):
        Owner.parse(text)
    assert Owner.parse(" Ann Lee <ann@example.com> ") == ANN


@pytest.mark.slow
def test_what_is_made_builds_as_it_stands(mesh: SmallMesh) -> None:
    shutil.rmtree(mesh.domains / "plan")
    shutil.rmtree(mesh.domains / "shop")
    shutil.copytree(SAMPLE, mesh.domains / "tearoom", ignore=shutil.ignore_patterns("__pycache__"))
    write_macros(mesh.domains / "tearoom")
    write(mesh.root / "pyproject.toml", '[tool.kit]\nstorage = "state"\nas_of = 2017-11-12\n')
    new_product(Context(mesh.config), "walkin", ANN, "retail", "visits.csv", None)
    new_port(Context(mesh.config), "walkin.tea", "tearoom.tea_per_day")
    for name in ("tearoom", "walkin"):
        outcome = mesh.build(name)
        assert outcome.status == "published", outcome.message
    with mesh.store.open("walkin") as snapshot:
        rows = {port.name: snapshot.port(port.name)["rows"] for port in mesh.product("walkin").ports}
    assert rows == {"visits": 2, "tea": 10}


def test_a_source_is_added_with_a_staging_model_that_reads_it(mesh: SmallMesh) -> None:
    new_product(Context(mesh.config), "tearoom", ANN, "retail", None, None)
    made = new_source(Context(mesh.config), "tearoom.visits", "visits.csv")
    assert {str(path.relative_to(mesh.domains / "tearoom")) for path in made.files if "tearoom" in path.parts} >= {
        "data/visits.csv", "ingest.py", "models/sources.yml", "models/staging/stg_visits.sql", "product.odps.yaml",
        "sources/visits.odcs.yaml",
    }  # fmt: skip
    product = mesh.product("tearoom")
    assert [source.name for source in product.sources] == ["tea_receipts", "visits"]
    assert [column.type for column in product.sources[1].contract.columns] == ["bigint", "varchar", "decimal(18,2)"]
    # The team's own macros are found beside those of the kit.
    write(product.folder / "macros/halved.sql", "{% macro halved(column) %}({{ column }} / 2)::decimal(18, 2){% endmacro %}\n")
    mesh.replace("domains/tearoom/models/staging/stg_visits.sql", "        paid\n", "        {{ halved('paid') }} as paid\n")
    outcome = mesh.build("tearoom")
    assert outcome.status == "published", outcome.message
    said = [str(finding) for finding in check_mesh(mesh.context)]
    assert [text for text in said if "still to be written" not in text] == []
    for id_, problem in (
        ("tearoom.raw.visits", "'tearoom' has a source 'visits' already; nothing was written"),
        ("shop", "'shop' is not PRODUCT.SOURCE; name the new source, as in shop.visits"),
        ("shop.Visits", "'Visits' cannot name a port"),
        ("none.visits", "there is no data product 'none'"),
    ):
        with pytest.raises(KitError, match=re.escape(problem)):
            new_source(Context(mesh.config), id_, "visits.csv")
    with pytest.raises(KitError, match=r"'shop\.totals' is no raw file; a source is made from one of \.parquet, \.csv"):
        new_source(Context(mesh.config), "shop.more", "shop.totals")
