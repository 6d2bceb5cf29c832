import json
import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kit.contracts.contract import Version
from kit.core.errors import InvalidFile
from kit.mesh.partitions import Partitions
from kit.mesh.product import DataProduct, InputPort
from tests.support.edit import ABSENT, edited
from tests.support.small_mesh import SmallMesh, descriptor, write


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def change(small: SmallMesh, product: str, where: str, value: Any) -> None:
    file = small.domains / product / "product.odps.yaml"
    write(file, json.dumps(edited(json.loads(file.read_text()), where, value), indent=1))


def load(small: SmallMesh, product: str) -> DataProduct:
    return DataProduct.load(small.domains / product)


def error(small: SmallMesh, product: str) -> InvalidFile:
    with pytest.raises(InvalidFile) as caught:
        load(small, product)
    return caught.value


def message(small: SmallMesh, product: str) -> str:
    return str(error(small, product))


def test_a_product_is_read_whole(small: SmallMesh) -> None:
    shop = load(small, "shop")
    assert (shop.name, shop.version, shop.domain, shop.description) == ("shop", Version(1, 0, 0), "shop", "what shop is for")
    assert (shop.owner, shop.owner_contact, shop.tags, shop.has_dbt) == ("shop owner", "o@example.com", (), True)
    assert shop.inputs == ()
    assert [(source.name, source.contract.id) for source in shop.sources] == [("sales", "shop.raw.sales")]
    assert [(port.id, port.name, port.description, port.notebook, port.reads) for port in shop.ports] == [
        ("shop.sales", "sales", "One row per sales.", None, ()),
        ("shop.totals", "totals", "One row per totals.", None, ()),
    ]
    assert [port.extra_suite for port in shop.ports] == [shop.folder / "expectations/sales.extra.json", None]


def test_a_notebook_port_reads_every_input_unless_it_says_which(small: SmallMesh) -> None:
    plan = load(small, "plan")
    assert plan.has_dbt is False
    assert plan.inputs == (InputPort("shop.totals", Version(1, 0, 0)),)
    assert plan.ports[0].reads == plan.inputs
    assert plan.ports[0].notebook == plan.folder / "notebooks/forecast.ipynb"
    change(small, "plan", "outputPorts 0 inputContracts", [])
    assert load(small, "plan").ports[0].reads == ()


def test_a_notebook_port_may_read_another_port_of_its_product(small: SmallMesh) -> None:
    shop = small.domains / "shop"
    (shop / "notebooks").mkdir()
    (shop / "notebooks/totals.ipynb").write_text("{}")
    change(small, "shop", "outputPorts 1 type", "notebook")
    change(small, "shop", "outputPorts 1 inputContracts", [{"id": "shop.sales", "version": "1.0.0"}])
    assert load(small, "shop").ports[1].reads == (InputPort("shop.sales", Version(1, 0, 0)),)


def test_an_input_port_names_the_product_that_offers_it() -> None:
    assert InputPort("shop.totals", Version(1, 0, 0)).product == "shop"


def test_a_port_is_found_by_its_name(small: SmallMesh) -> None:
    shop = load(small, "shop")
    assert shop.port("totals") == shop.ports[1]
    assert shop.port("total") is None


def test_what_the_descriptor_adds_is_read(small: SmallMesh) -> None:
    for where, value in {
        "domain": "retail",
        "tags": ["a"],
        "outputPorts 0 description": "Each sale.",
        "team": [{"username": "b@example.com", "role": "analyst"}, {"username": "c@example.com", "role": "owner"}],
    }.items():
        change(small, "shop", where, value)
    shop = load(small, "shop")
    assert (shop.domain, shop.tags, shop.ports[0].description) == ("retail", ("a",), "Each sale.")
    assert (shop.owner, shop.owner_contact) == ("c@example.com", "c@example.com")


# Each: what is wrong, in which product, where its descriptor is changed, to what, the line and the field of the error, and the
# values it names.
BAD: list[tuple[str, str, str, Any, int, str, str]] = [
    ("no apiVersion", "plan", "apiVersion", ABSENT, 1, "", "apiVersion"),
    ("no kind", "plan", "kind", ABSENT, 1, "", "kind"),
    ("no id", "plan", "id", ABSENT, 1, "", "id"),
    ("no status", "plan", "status", ABSENT, 1, "", "status"),
    ("no name", "plan", "name", ABSENT, 1, "", "name"),
    ("no version", "plan", "version", ABSENT, 1, "", "version"),
    ("no outputPorts", "plan", "outputPorts", ABSENT, 1, "", "outputPorts"),
    ("no team", "plan", "team", ABSENT, 1, "", "team"),
    ("unknown standard", "plan", "apiVersion", "v2.0.0", 2, "apiVersion", "v2.0.0 v1.0.0"),
    ("other kind", "plan", "kind", "DataContract", 3, "kind", "DataContract DataProduct"),
    ("unknown status", "plan", "status", "live", 7, "status", "live proposed draft active deprecated retired"),
    ("unknown field", "plan", "owner", "me", 33, "owner", "owner domain"),
    ("name of another folder", "plan", "name", "plans", 5, "name", "plans plan"),
    ("name of another product", "plan", "name", "shop", 5, "name", "shop plan domains/shop"),
    ("version of two parts", "plan", "version", "1.0", 6, "version", "1.0"),
    ("version that is a number", "plan", "version", 1, 6, "version", "text quotes"),
    ("version with a leading zero", "plan", "version", "01.0.0", 6, "version", "01.0.0"),
    ("empty team", "plan", "team", [], 26, "team", "0 1"),
    ("team without an owner", "plan", "team", [{"username": "a"}], 26, "team", "role: owner"),
    ("member without a username", "plan", "team 0", {"role": "owner"}, 27, "team.0", "username"),
    ("no output ports", "plan", "outputPorts", [], 18, "outputPorts", "0 1"),
    ("output port of unknown type", "plan", "outputPorts 0 type", "spark", 23, "outputPorts.0.type", "spark dbt notebook"),
    ("output port without a type", "plan", "outputPorts 0 type", ABSENT, 19, "outputPorts.0", "type"),
    ("output port without a contract", "plan", "outputPorts 0 contractId", ABSENT, 19, "outputPorts.0", "contractId"),
    ("output port with an unknown field", "plan", "outputPorts 0 table", "x", 24, "outputPorts.0.table", "table description"),
    ("output port that leaves the folder", "plan", "outputPorts 0 name", "../x", 20, "outputPorts.0.name", "../x"),
    ("output port with a capital", "plan", "outputPorts 0 name", "Forecast", 20, "outputPorts.0.name", "Forecast"),
    (
        "contract of another name",
        "plan",
        "outputPorts 0 contractId",
        "plan.other",
        22,
        "outputPorts.0.contractId",
        "plan.other plan.forecast",
    ),
    (
        "port version that is not the contract's",
        "plan",
        "outputPorts 0 version",
        "1.1.0",
        21,
        "outputPorts.0.version",
        "1.1.0 1.0.0",
    ),
    (
        "output port twice",
        "plan",
        "outputPorts 1",
        {"name": "forecast", "version": "1.0.0", "contractId": "plan.forecast", "type": "notebook"},
        18,
        "outputPorts",
        "forecast",
    ),
    (
        "port without a contract file",
        "plan",
        "outputPorts 1",
        {"name": "other", "version": "1.0.0", "contractId": "plan.other", "type": "dbt"},
        28,
        "outputPorts.1.contractId",
        "other domains/plan/contracts/other.odcs.yaml",
    ),
    ("port without a model", "plan", "outputPorts 0 type", "dbt", 19, "outputPorts.0", "models/marts/forecast.sql"),
    ("port without a notebook", "shop", "outputPorts 0 type", "notebook", 19, "outputPorts.0", "notebooks/sales.ipynb"),
    ("input port without a dot", "plan", "inputPorts 0 name", "totals", 13, "inputPorts.0.name", "totals"),
    ("input port of two dots", "plan", "inputPorts 0 name", "shop.totals.x", 13, "inputPorts.0.name", "shop.totals.x"),
    ("input port in capitals", "plan", "inputPorts 0 name", "Shop.totals", 13, "inputPorts.0.name", "Shop.totals"),
    (
        "own port as input",
        "plan",
        "inputPorts 0",
        {"name": "plan.forecast", "version": "1.0.0", "contractId": "plan.forecast"},
        13,
        "inputPorts.0.name",
        "plan.forecast",
    ),
    (
        "contract of another input",
        "plan",
        "inputPorts 0 contractId",
        "shop.sales",
        15,
        "inputPorts.0.contractId",
        "shop.sales shop.totals",
    ),
    ("input version of two parts", "plan", "inputPorts 0 version", "1.0", 14, "inputPorts.0.version", "1.0"),
    ("input version with a leading zero", "plan", "inputPorts 0 version", "1.00.0", 14, "inputPorts.0.version", "1.00.0"),
    ("input port without a version", "plan", "inputPorts 0 version", ABSENT, 12, "inputPorts.0", "version"),
    (
        "input port twice",
        "plan",
        "inputPorts 1",
        {"name": "shop.totals", "version": "1.0.0", "contractId": "shop.totals"},
        11,
        "inputPorts",
        "shop.totals",
    ),
    (
        "raw contract of another name",
        "shop",
        "inputPorts 0 contractId",
        "shop.sales",
        15,
        "inputPorts.0.contractId",
        "shop.sales shop.raw.sales",
    ),
    (
        "raw source without a contract file",
        "shop",
        "inputPorts 1",
        {"name": "raw.more", "version": "1.0.0", "contractId": "shop.raw.more"},
        20,
        "inputPorts.1.contractId",
        "more domains/shop/sources/more.odcs.yaml",
    ),
    (
        "raw version that is not the contract's",
        "shop",
        "inputPorts 0 version",
        "2.0.0",
        14,
        "inputPorts.0.version",
        "2.0.0 1.0.0",
    ),
    (
        "raw source without ingest.py",
        "plan",
        "inputPorts 1",
        {"name": "raw.more", "version": "1.0.0", "contractId": "plan.raw.more"},
        20,
        "inputPorts.1.contractId",
        "more domains/plan/sources/more.odcs.yaml",
    ),
    (
        "notebook input nobody declared",
        "plan",
        "outputPorts 0 inputContracts",
        [{"id": "shop.sales", "version": "1.0.0"}],
        26,
        "outputPorts.0.inputContracts.0.id",
        "shop.sales shop.totals",
    ),
    (
        "notebook input of another version",
        "plan",
        "outputPorts 0 inputContracts",
        [{"id": "shop.totals", "version": "1.2.0"}],
        27,
        "outputPorts.0.inputContracts.0.version",
        "1.2.0 shop.totals 1.0.0",
    ),
    (
        "notebook input without a version",
        "plan",
        "outputPorts 0 inputContracts",
        [{"id": "shop.totals"}],
        25,
        "outputPorts.0.inputContracts.0",
        "version",
    ),
    (
        "notebook input twice",
        "plan",
        "outputPorts 0 inputContracts",
        [{"id": "shop.totals", "version": "1.0.0"}, {"id": "shop.totals", "version": "1.0.0"}],
        24,
        "outputPorts.0.inputContracts",
        "shop.totals",
    ),
    (
        "model input nobody declared",
        "shop",
        "outputPorts 0 inputContracts",
        [{"id": "plan.forecast", "version": "1.0.0"}],
        26,
        "outputPorts.0.inputContracts.0.id",
        "plan.forecast shop.totals",
    ),
    (
        "notebook that reads itself",
        "plan",
        "outputPorts 0 inputContracts",
        [{"id": "plan.forecast", "version": "1.0.0"}],
        26,
        "outputPorts.0.inputContracts.0.id",
        "plan.forecast shop.totals",
    ),
    ("tags that are text", "plan", "tags", "a", 33, "tags", "a list [a]"),
]


@pytest.mark.parametrize(
    ("product", "where", "value", "line", "field", "values"), [pytest.param(*case, id=name) for name, *case in BAD]
)
def test_a_bad_descriptor_is_refused_with_line_field_value_and_what_is_allowed(
    small: SmallMesh, product: str, where: str, value: Any, line: int, field: str, values: str
) -> None:
    change(small, product, where, value)
    found = error(small, product)
    assert (found.path, found.line, found.field) == (small.domains / product / "product.odps.yaml", line, field)
    assert [text for text in values.split() if text not in found.problem] == []


@pytest.mark.parametrize("name", ["Shop", "2shop", "my-shop", "raw", "s" * 64])
def test_a_folder_name_that_cannot_be_quoted_plainly_is_refused(small: SmallMesh, name: str) -> None:
    write(small.domains / name / "product.odps.yaml", descriptor(name))
    assert message(small, name) == (
        f"domains/{name}: '{name}' cannot name a data product; use a-z, 0-9 and _, a letter first, at most 63, not 'raw'"
    )


def test_a_folder_without_a_descriptor_is_refused(small: SmallMesh) -> None:
    (small.domains / "empty").mkdir()
    assert message(small, "empty") == ("domains/empty: has no product.odps.yaml; write one with its owner and ports")


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("ingest.py", "product.odps.yaml:11: inputPorts: there is no domains/shop/ingest.py to land the raw sources"),
        ("dbt_project.yml", "product.odps.yaml:1: there is no dbt_project.yml beside it for its dbt ports"),
        (
            "models/marts/totals.sql",
            "product.odps.yaml:25: outputPorts.1: has no dbt model; write models/marts/totals.sql",
        ),
        (
            "contracts/totals.odcs.yaml",
            "product.odps.yaml:28: outputPorts.1.contractId: there is no domains/shop/contracts/totals.odcs.yaml; "
            "write the contract of 'totals' there",
        ),
    ],
)
def test_a_file_the_descriptor_needs_is_asked_for(small: SmallMesh, file: str, problem: str) -> None:
    (small.domains / "shop" / file).unlink()
    assert message(small, "shop") == f"domains/shop/{problem}"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"id": "shop.totals"', '"id": "shop.total"', "4: id: 'shop.total' must be 'shop.totals'"),
        ('"name": "totals"', '"name": "total"', "9: schema.0.name: 'total' must be 'totals'"),
    ],
)
def test_a_contract_must_be_about_the_port(small: SmallMesh, old: str, new: str, problem: str) -> None:
    small.replace("domains/shop/contracts/totals.odcs.yaml", old, new)
    assert message(small, "shop") == f"domains/shop/contracts/totals.odcs.yaml:{problem}"


def test_a_contract_that_lies_outside_the_folder_is_refused(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/totals.odcs.yaml"
    file.rename(small.root / "totals.yaml")
    file.symlink_to(small.root / "totals.yaml")
    assert message(small, "shop") == (
        "domains/shop: the path 'contracts/totals.odcs.yaml' leaves the folder; keep files inside it"
    )


def test_a_contract_may_be_a_link_within_the_folder(small: SmallMesh) -> None:
    file = small.domains / "shop/contracts/totals.odcs.yaml"
    file.rename(small.domains / "shop/elsewhere.yaml")
    file.symlink_to("../elsewhere.yaml")
    assert load(small, "shop").ports[1].contract.id == "shop.totals"


def test_the_code_digest_changes_with_what_is_published_only(small: SmallMesh) -> None:
    shop = load(small, "shop")
    before = shop.code_digest()
    for name in (
        "README.md",
        "catalog.yaml",
        "target/x.sql",
        "logs/dbt.log",
        ".hidden/x",
        "tests/test_x.py",
        "models/__pycache__/x.pyc",
    ):
        write(shop.folder / name, "x")
    assert shop.code_digest() == before
    for name in ("models/README.md", "tests/no_rows.sql"):
        write(shop.folder / name, "x")
        assert shop.code_digest() != before
        before = shop.code_digest()


def test_the_code_digest_tells_where_text_stands(small: SmallMesh) -> None:
    shop = load(small, "shop")
    marts = shop.folder / "models/marts"
    before = shop.code_digest()
    (marts / "sales.sql").rename(marts / "keep.sql")
    assert shop.code_digest() != before
    (marts / "keep.sql").rename(marts / "sales.sql")
    assert shop.code_digest() == before


def test_the_code_digest_does_not_depend_on_where_the_folder_lies(small: SmallMesh, tmp_path: Path) -> None:
    shop = load(small, "shop")
    shutil.copytree(shop.folder, tmp_path / "copy" / "shop")
    assert DataProduct.load(tmp_path / "copy" / "shop").code_digest() == shop.code_digest()


def custom(small: SmallMesh, *given: tuple[str, Any]) -> None:
    change(small, "plan", "customProperties", [{"property": name, "value": value} for name, value in given])


def test_schedule_and_partitions_are_read(small: SmallMesh) -> None:
    assert (load(small, "plan").schedule, load(small, "plan").partitions) == (None, None)
    custom(small, ("other", 1), ("schedule", "0 6 * * *"), ("partitions", {"column": "item", "keys": ["tea", "cake"]}))
    plan = load(small, "plan")
    assert (plan.schedule, plan.partitions) == ("0 6 * * *", Partitions("item", keys=("tea", "cake")))
    custom(small, ("partitions", {"column": "item", "start": "2024-01-31"}))
    assert load(small, "plan").partitions == Partitions("item", start=date(2024, 1, 31))


FORM = "is no declaration of partitions; write {column: COLUMN, start: 2024-01-31} for days or {column: COLUMN, keys: [a, b]}"
NOT_BY_PARTITION = "raw.sales quarantines rows or masks item, so that a partition cannot read its own rows; leave it out"
AGAIN = "customProperties.1.value.keys: a key is listed twice; keep one"
CRON = "is not a cron line; write minute hour day month weekday, as in '0 6 * * *'"


@pytest.mark.parametrize(
    ("column", "place", "changed", "says"),
    [
        ("shelf", "", {}, "'shelf' is no column of raw.sales; there are: sale_id, item, amount, sold_on"),
        ("item", "properties.1", {"mask": "hmac"}, NOT_BY_PARTITION),
        ("item", "properties.1.quality.0", {"onFailure": "quarantine"}, NOT_BY_PARTITION),
    ],
)
def test_a_source_that_a_partition_cannot_read_its_rows_of(
    small: SmallMesh, column: str, place: str, changed: dict[str, str], says: str
) -> None:
    small.partition("shop", "item", keys=["tea"], inputs={"raw.sales": column})
    path = small.domains / "shop/sources/sales.odcs.yaml"
    data = json.loads(path.read_text())
    where = data["schema"][0]
    for step in filter(None, place.split(".")):
        where = where[int(step) if step.isdigit() else step]
    where["customProperties"] = [{"property": name, "value": value} for name, value in changed.items()]
    if "onFailure" in changed:
        data["customProperties"] = [{"property": "quarantineLimit", "value": 0.1}]
    path.write_text(json.dumps(data))
    assert says in message(small, "shop")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([("schedule", "daily")], f"customProperties.0.value: 'daily' {CRON}"),
        ([("schedule", "")], f"customProperties.0.value: '' {CRON}"),
        ([("schedule", None)], f"customProperties.0.value: None {CRON}"),
        ([("schedule", 6)], f"customProperties.0.value: 6 {CRON}"),
        ([("schedule", "0 0 30 2 *")], f"customProperties.0.value: '0 0 30 2 *' {CRON}"),
        ([("schedule", "0 6 * * *")] * 2, "customProperties.1: 'schedule' is written twice; keep one"),
        ([("partitions", None)], f"customProperties.0.value: {FORM}"),
        ([("partitions", [])], f"customProperties.0.value: {FORM}"),
        (
            [("partitions", {"column": "day", "start": "2024-01-31"})],
            "customProperties.0.value.column: 'day' is no column of the port 'forecast'; every port is partitioned by it",
        ),
        (
            [("partitions", {"column": "item", "keys": ["a"], "inputs": {"raw.stock": "item"}})],
            "customProperties.0.value.inputs.raw.stock: 'raw.stock' is not an input of this product; there are: shop.totals",
        ),
        ([("partitions", {"column": "item", "keys": []})], "customProperties.0.value.keys: must be a list of 1 to 10,000 keys"),
        ([("x", 1), ("partitions", {"column": "item", "keys": [7, "7"]})], AGAIN),
        ([("partitions", {"column": "item", "keys": ["a"]})] * 2,
         "customProperties.1: 'partitions' is written twice; keep one"),
    ],
)  # fmt: skip
def test_a_schedule_or_partitions_that_cannot_be(small: SmallMesh, given: list[tuple[str, Any]], says: str) -> None:
    custom(small, *given)
    text = message(small, "plan")
    assert re.fullmatch(r"domains/plan/product\.odps\.yaml:\d+: .*", text)
    assert text.partition(": ")[2] == says


def test_a_source_named_like_a_word_of_python_is_refused(small: SmallMesh) -> None:
    change(small, "shop", "inputPorts 0 name", "raw.class")
    assert message(small, "shop").endswith("'class' is a word of Python and cannot name a function of ingest.py; rename it")
