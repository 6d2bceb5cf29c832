import json
import re
from collections.abc import Iterator
from html import escape
from html.parser import HTMLParser
from shutil import rmtree

import duckdb
import polars as pl
import pytest

import kit
from kit.catalog import catalog as catalog_module
from kit.catalog import entry as catalog_entry
from kit.core.errors import KitError, NotPublished, UnknownName
from kit.notebooks.notebook_run import RUN_FILE
from kit.storage import index, snapshot_lock
from tests.support.files import write
from tests.support.small_mesh import SmallMesh


@pytest.fixture
def mesh(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMesh]:
    monkeypatch.chdir(small.root)
    monkeypatch.setattr(snapshot_lock, "_held", set())
    yield small
    for lease in snapshot_lock._held:
        lease.close()


def test_it_lists_every_port_also_of_what_was_never_built(mesh: SmallMesh) -> None:
    cat = kit.open()
    assert list(cat) == ["plan.forecast", "shop.sales", "shop.totals"]
    assert len(cat) == 3
    assert "shop.sales" in cat
    assert "shop.nothing" not in cat
    assert {cat[name].status.describe() for name in cat} == {"never built"}


def test_decimals_become_floats_for_pandas_on_request(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    sales = kit.open()["shop.sales"]
    assert "amount" not in sales.to_pandas().describe().columns
    floats = sales.to_pandas(decimals="float")
    assert floats["amount"].dtype == "float64"
    assert floats.describe().loc["max", "amount"] == float(max(sales.to_pandas()["amount"]))
    assert kit.open().to_pandas("shop.sales", "float").equals(floats)
    with pytest.raises(KitError, match=r"^decimals='money' is not known; write 'exact' or 'float'$"):
        sales.to_pandas(decimals="money")  # type: ignore[arg-type]


def test_ports_are_attributes_of_their_product(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    cat = kit.open()
    assert cat.shop.sales.id == "shop.sales"
    assert (dir(cat.shop), list(cat.shop)) == (["sales", "totals"], ["shop.sales", "shop.totals"])
    assert {"plan", "shop", "search", "read"} <= set(dir(cat))
    assert not [name for name in dir(cat) if name.startswith("_")]
    assert "shop" in repr(cat.shop)
    assert "plan" not in repr(cat.shop)
    with pytest.raises(AttributeError, match=r"no product 'shp'; did you mean shop\? there are: plan, shop"):
        cat.shp  # noqa: B018
    with pytest.raises(AttributeError, match=r"no port 'shop.sale'; did you mean shop.sales"):
        cat.shop.sale  # noqa: B018


def test_it_reads_as_polars_duckdb_and_pandas(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    cat = kit.open()
    frame = kit.read("shop.totals")
    assert cat.read("shop.totals").equals(frame)
    assert cat["shop.totals"].read().equals(frame)
    assert isinstance(cat.scan("shop.totals"), pl.LazyFrame)
    assert cat.scan("shop.totals").collect().equals(frame)
    assert cat.to_duckdb("shop.totals").aggregate("sum(amount)").fetchall() == [(frame["amount"].sum(),)]
    with duckdb.connect() as connection:
        sales, totals = cat.to_duckdb("shop.sales", connection), cat.to_duckdb("shop.totals", connection)
        assert sales.set_alias("s").join(totals.set_alias("t"), "s.item = t.item").count("*").fetchall() == [(30,)]
    assert cat.to_pandas("shop.totals")["item"].tolist() == ["cake", "tea"]


def test_an_older_version_can_be_read(mesh: SmallMesh) -> None:
    first = mesh.publish("shop")
    mesh.replace("feed/sales.csv", "3,cake,3.50,", "3,cake,4.50,")
    mesh.publish("shop")
    cat = kit.open()
    assert [float(cat.read("shop.totals", version)["amount"][0]) for version in (first, None)] == [170.0, 171.0]


def test_without_pandas_it_says_what_to_do(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_entry, "find_spec", lambda name: None if name == "pandas" else object())
    with pytest.raises(KitError) as error:
        kit.open().to_pandas("shop.totals")
    assert str(error.value) == "pandas is not installed; run `pip install pandas`, or use read()"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["plan.forecast", "shop.sales", "shop.totals"]),
        ("SALE", ["shop.sales"]),
        ("amount owner", ["plan.forecast", "shop.sales", "shop.totals"]),
        ("shop amount bigint", ["shop.sales"]),
        ("the item", ["plan.forecast", "shop.sales", "shop.totals"]),
        ("sold_on", ["shop.sales"]),
        ("fun", ["shop.sales", "shop.totals"]),
        ("o@example.com plan", ["plan.forecast"]),
        ("sold_on nothing", []),
    ],
)
def test_a_search_looks_at_names_owners_columns_descriptions_and_tags(mesh: SmallMesh, text: str, found: list[str]) -> None:
    mesh.replace("domains/shop/product.odps.yaml", '"status": "active"', '"status": "active", "tags": ["fun"]')
    assert list(kit.open().search(text)) == found


def test_searches_narrow_each_other(mesh: SmallMesh) -> None:
    cat = kit.open().search("shop")
    assert list(cat.search("sold_on")) == ["shop.sales"]
    assert repr(cat.search("sold_on")).splitlines()[1].split()[:2] == ["shop", "sales"]


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("shop.total", "the catalog has no port 'shop.total'; did you mean shop.totals? there are: shop.sales, shop.totals"),
        (
            "shops.sales",
            "the catalog has no port 'shops.sales'; did you mean shop.sales? there are: plan.forecast, shop.sales, shop.totals",
        ),
        ("plan", "the catalog has no port 'plan'; there are: plan.forecast"),
        ("zzz", "the catalog has no port 'zzz'; there are: plan.forecast, shop.sales, shop.totals"),
        (
            "bad.x",
            "'bad' is broken and has no snapshot to read: domains/bad: has no product.odps.yaml"
            "; write one with its owner and ports",
        ),
    ],
)
def test_an_unknown_port_is_told_with_near_names(mesh: SmallMesh, port: str, message: str) -> None:
    (mesh.domains / "bad").mkdir()
    for ask in (kit.open().__getitem__, kit.open().read, kit.open().to_duckdb):
        with pytest.raises(UnknownName) as error:
            ask(port)
        assert str(error.value) == message


def test_what_was_never_built_cannot_be_read(mesh: SmallMesh) -> None:
    with pytest.raises(NotPublished) as error:
        kit.open().read("shop.sales")
    assert str(error.value) == "'shop' has no published snapshot yet; build it with `kit run shop`"


def test_in_a_build_it_reads_what_was_pinned(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    version = mesh.publish("shop")
    files = list(map(str, mesh.store.snapshot("shop", version).files("totals")))
    write(mesh.root / "run.json", json.dumps({"inputs": {"shop.totals": {"version": version, "files": files}}}))
    monkeypatch.setenv(RUN_FILE, str(mesh.root / "run.json"))
    cat = kit.open()
    assert [cat.read("shop.totals").height, cat.scan("shop.totals").collect().height, len(cat.to_duckdb("shop.totals"))] == [
        2
    ] * 3
    for method in ("read", "scan", "to_duckdb", "to_pandas"):
        with pytest.raises(KitError) as error:
            getattr(cat, method)("shop.sales")
        assert str(error.value) == "'shop.sales' is no declared input; there are: shop.totals. Declare it in product.odps.yaml"
    with pytest.raises(KitError) as error:
        kit.read("shop.totals", version)
    assert str(error.value) == f"in a build 'shop.totals' is what the build pinned, not {version}; leave the version out"


def test_every_state_is_said_in_words(mesh: SmallMesh) -> None:
    mesh.publish("shop")

    def words() -> dict[str, str]:
        cat = kit.open()
        ages = re.compile(r"\d+(\.\d+)? (s|min|y)\b")
        return {name: ages.sub("N", cat[name].status.describe().replace("\N{NO-BREAK SPACE}", " ")) for name in cat}

    assert words() == {
        "plan.forecast": "never built",
        "shop.sales": "fresh N of 1 d, data 1 d of 2 d",
        "shop.totals": "fresh N of 1 d, data N",
    }
    mesh.replace("pyproject.toml", "2024-01-10", "2024-01-12")
    path = mesh.config.storage / "index.json"
    data = json.loads(path.read_text())
    data["products"][1]["confirmed_at"] = "2020-01-01T00:00:00+00:00"
    path.write_text(json.dumps(data))
    assert words()["shop.sales"] == "stale N of 1 d, data 3 d of 2 d"
    assert words()["shop.totals"] == "late N of 1 d, data N"
    mesh.build("plan", parameters={"factor": "nonsense"})
    assert words()["plan.forecast"].startswith("never published, last build failed: ")
    (mesh.domains / "shop/product.odps.yaml").write_text("kind: [")
    index.write(mesh.context)
    assert words()["shop.sales"] == (
        "broken: domains/shop/product.odps.yaml:2: not valid YAML: while parsing a flow node, did not find expected node "
        "content; its last snapshot is still served, N old"
    )


class Strict(HTMLParser):
    """Reads a page, refusing what is not closed and what could act."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.text: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"style"}
        self.seen.add(tag)
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_its_html_is_a_plain_table_and_everything_in_it_is_escaped(mesh: SmallMesh) -> None:
    evil = "<script>alert(1)</script>&amp;' onload='x"
    mesh.replace("domains/shop/product.odps.yaml", '"shop owner"', json.dumps(f"a {evil}"))
    mesh.replace("domains/shop/contracts/sales.odcs.yaml", '"One row per sales."', json.dumps(f"b {evil}"))
    mesh.replace("domains/shop/contracts/sales.odcs.yaml", '"the item"', json.dumps(f"c {evil}"))
    mesh.publish("shop")
    cat = kit.open()
    page = Strict(cat._repr_html_())
    assert page.seen == {"table", "thead", "tbody", "tr", "th", "td", "b", "br", "span"}
    assert page.text[:6] == ["product", "port", "owner", "freshness / SLA", "checks", "rows"]
    assert "never built" in page.text
    assert {f"a {evil}", f"b {evil}", "30"} <= set(page.text)
    assert (page.text.count("shop"), page.text.count("sales"), page.text.count("totals")) == (1, 1, 1)  # the product once
    entry = Strict(cat["shop.sales"]._repr_html_())
    assert entry.seen == {"p", "b", "br", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert {f"b {evil}", f"c {evil}", "sold_on", "date", 'kit.read("shop.sales")'} <= set(entry.text)


def test_as_text_it_is_an_aligned_table(mesh: SmallMesh) -> None:
    mesh.publish("shop")
    lines = repr(kit.open()).replace("\N{NO-BREAK SPACE}", " ").splitlines()
    assert lines[0].split("  ")[0] == "product"
    assert len(lines) == 4
    column = lines[0].index("freshness")
    assert [line[column:].split()[0] for line in lines[1:]] == ["never", "fresh", "fresh"]
    told = repr(kit.open()["shop.sales"]).replace("\N{NO-BREAK SPACE}", " ")
    assert "owner       shop owner (o@example.com)\n" in told
    assert "promised    data at most 2 d old, published every 1 d\n" in told
    columns = [line.split() for line in told.splitlines()]
    assert ["sold_on", "date", "the", "sold_on"] in columns
    assert ["sale_id", "bigint", "key", "the", "sale_id"] in columns


def test_a_long_catalog_is_cut_and_says_so(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_module, "_MAX_ROWS", 2)
    assert repr(kit.open()).splitlines()[-1] == 'and 1 more; filter with cat.search("words")'
    assert "and 1 more; filter with cat.search(&quot;words&quot;)" in kit.open()._repr_html_()


def test_an_empty_table_is_a_sentence(mesh: SmallMesh) -> None:
    found = kit.open().search("nothing <like> it")
    sentence = "nothing matches 'nothing <like> it'; try fewer words, or parts of them"
    assert (repr(found), found._repr_html_()) == (sentence, f"<p>{escape(sentence)}</p>")
    for name in ("shop", "plan"):
        rmtree(mesh.domains / name)
    assert repr(kit.open()) == "no data products yet; domains/README.md shows how to add one"


def test_as_text_a_long_reason_does_not_widen_the_table(mesh: SmallMesh) -> None:
    (mesh.domains / "shop/product.odps.yaml").write_text("kind: [")
    (line,) = (line for line in repr(kit.open()).splitlines() if line.startswith("shop"))
    assert line.endswith("  broken: domains/shop/product.odps.yaml:2: not valid YAML: w…")


def test_a_catalog_of_another_mesh_reads_that_one(mesh: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    mesh.publish("shop")
    monkeypatch.chdir("/")
    assert kit.open(mesh.root).read("shop.totals").height == 2


def test_lineage_and_quality_are_pictures(mesh: SmallMesh) -> None:
    cat = kit.open()
    assert cat.lineage().alt.startswith("From raw data to published ports: shop.raw.sales → shop.sales;")
    assert cat.lineage("shop.sales").alt == cat["shop.sales"].lineage().alt
    assert cat.lineage("shop.sales").alt.startswith("Lineage of shop.sales: shop.raw.sales →")
    assert cat.lineage("shop.sales", column="item").alt.startswith("Lineage of shop.sales.item: ")
    assert cat.quality().alt.startswith("Results of the newest builds: plan.forecast: never built; shop.sales: never")
    assert cat.quality("shop.sales").alt == cat["shop.sales"].quality().alt
    found = cat.search("plan")
    assert (found.lineage().alt, found.quality().alt[:59]) == (
        "From raw data to published ports: nothing.", "Results of the newest builds: plan.forecast: never built. E",
    )  # fmt: skip


def test_pictures_of_what_is_not_there(mesh: SmallMesh) -> None:
    cat = kit.open()
    for picture in (cat.lineage, cat.quality):
        with pytest.raises(UnknownName, match=r"the catalog has no port 'shop.sale'; did you mean shop.sales"):
            picture("shop.sale")
    with pytest.raises(UnknownName, match=r"'shop.sales' has no column 'itm'; did you mean item\?"):
        cat.lineage("shop.sales", column="itm")
    with pytest.raises(KitError, match=r"name the port that has the column 'item': cat.lineage\("):
        cat.lineage(column="item")
