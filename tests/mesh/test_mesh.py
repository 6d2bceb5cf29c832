import json
import shutil
from pathlib import Path

import pytest

from kit.contracts.finding import Finding
from kit.core.errors import MeshError, UnknownName
from kit.mesh.mesh import Broken, Mesh
from tests.support.small_mesh import SmallMesh, contract, descriptor, notebook, write

COLUMNS = [("a", "bigint", {})]


@pytest.fixture(autouse=True)
def domains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "domains").mkdir(exist_ok=True)
    return tmp_path / "domains"


def add(domains: Path, name: str, *inputs: str, offers: str = "1.0.0") -> None:
    """A product with one notebook port `out`, which reads the ports `inputs`."""
    text = descriptor(name, inputs=list(inputs), outputs={"out": "notebook"})
    data = json.loads(text)
    data["outputPorts"][0]["version"] = offers
    write(domains / name / "product.odps.yaml", json.dumps(data, indent=1))
    write(domains / name / "contracts/out.odcs.yaml", contract(f"{name}.out", "out", COLUMNS, version=offers))
    write(domains / name / "notebooks/out.ipynb", json.dumps(notebook([])))


def names(mesh: Mesh) -> list[str]:
    return [product.name for product in mesh.products]


def messages(mesh: Mesh) -> dict[str, str]:
    return {broken.name: broken.finding.message for broken in mesh.broken}


def chain(domains: Path) -> Mesh:
    """`c` is read by `b`, which `a` and `z` read; `m` stands alone."""
    add(domains, "a", "b.out")
    add(domains, "b", "c.out")
    add(domains, "c")
    add(domains, "m")
    add(domains, "z", "b.out")
    return Mesh.load(domains)


def test_providers_come_before_their_consumers(domains: Path) -> None:
    mesh = chain(domains)
    assert mesh.broken == ()
    assert names(mesh) == ["c", "m", "b", "a", "z"]


def test_an_empty_mesh_is_a_mesh(domains: Path) -> None:
    assert Mesh.load(domains) == Mesh((), ())


def test_files_and_hidden_folders_are_no_products(domains: Path) -> None:
    for path in ("README.md", ".git/x", "_template/x", "__pycache__/x"):
        write(domains / path, "")
    assert Mesh.load(domains) == Mesh((), ())


def test_a_mesh_needs_its_folder(tmp_path: Path) -> None:
    with pytest.raises(MeshError) as caught:
        Mesh.load(tmp_path / "none")
    assert str(caught.value) == "none is not a folder; a mesh keeps one folder per data product there"


def test_a_broken_domain_leaves_the_others_healthy(domains: Path) -> None:
    chain(domains)
    write(domains / "m/product.odps.yaml", "a: [1\n")
    (domains / "new").mkdir()
    mesh = Mesh.load(domains)
    assert names(mesh) == ["c", "b", "a", "z"]
    assert mesh.broken == (
        Broken(
            "m",
            domains / "m",
            Finding(
                "m",
                domains / "m/product.odps.yaml",
                2,
                "not valid YAML: while parsing a flow sequence, did not find expected ',' or ']'",
            ),
        ),
        Broken(
            "new",
            domains / "new",
            Finding("new", domains / "new", None, "has no product.odps.yaml; write one with its owner and ports"),
        ),
    )


def test_a_domain_that_cannot_be_read_leaves_the_others_healthy(domains: Path) -> None:
    chain(domains)
    link = domains / "m/contracts/out.odcs.yaml"
    link.unlink()
    link.symlink_to("x" * 300)  # longer than any file system takes
    mesh = Mesh.load(domains)
    assert names(mesh) == ["c", "b", "a", "z"]
    assert "File name too long" in messages(mesh)["m"]


def test_the_consumer_of_a_broken_provider_stays_healthy(domains: Path) -> None:
    chain(domains)
    (domains / "b/notebooks/out.ipynb").unlink()
    mesh = Mesh.load(domains)
    assert names(mesh) == ["c", "m", "a", "z"]
    assert messages(mesh) == {"b": "outputPorts.0: has no notebook; write notebooks/out.ipynb"}


def test_an_input_of_no_product_breaks_its_reader_only(domains: Path) -> None:
    add(domains, "a", "gone.out")
    add(domains, "b", "a.out")
    mesh = Mesh.load(domains)
    assert names(mesh) == ["b"]
    assert messages(mesh) == {"a": "inputPorts.0: no product offers 'gone.out'; there are: b.out"}


def test_an_input_that_is_no_port_of_its_product_breaks_its_reader(domains: Path) -> None:
    add(domains, "a", "b.other")
    add(domains, "b")
    assert messages(Mesh.load(domains)) == {"a": "inputPorts.0: no product offers 'b.other'; there are: b.out"}


def test_the_only_product_is_told_that_there_are_no_ports(domains: Path) -> None:
    add(domains, "a", "gone.out")
    assert messages(Mesh.load(domains)) == {"a": "inputPorts.0: no product offers 'gone.out'; there are: none"}


@pytest.mark.parametrize("offered", ["0.9.0", "2.0.0"])
def test_a_version_nobody_offers_breaks_its_reader(domains: Path, offered: str) -> None:
    add(domains, "a", "b.out")
    add(domains, "b", offers=offered)
    mesh = Mesh.load(domains)
    assert names(mesh) == ["b"]
    assert messages(mesh) == {"a": f"inputPorts.0: 'b.out' is declared in version 1.0.0, but {offered} is offered"}


def test_a_newer_version_of_the_same_major_serves(domains: Path) -> None:
    add(domains, "a", "b.out")
    add(domains, "b", offers="1.7.0")
    assert names(Mesh.load(domains)) == ["b", "a"]


def test_two_products_in_a_circle_are_both_broken(domains: Path) -> None:
    add(domains, "a", "b.out")
    add(domains, "b", "a.out")
    add(domains, "c", "a.out")
    mesh = Mesh.load(domains)
    assert names(mesh) == ["c"]
    circle = "products read each other in a circle: a → b → a"
    assert messages(mesh) == {
        "a": f"inputPorts: {circle}",
        "b": f"inputPorts: {circle}",
    }


def test_three_products_in_a_circle_are_all_broken(domains: Path) -> None:
    add(domains, "a", "b.out")
    add(domains, "b", "c.out")
    add(domains, "c", "a.out")
    mesh = Mesh.load(domains)
    assert names(mesh) == []
    assert {message.partition("circle: ")[2] for message in messages(mesh).values()} == {"a → b → c → a"}
    assert set(messages(mesh)) == {"a", "b", "c"}


def test_every_circle_is_found(domains: Path) -> None:
    for name, other in (("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")):
        add(domains, name, f"{other}.out")
    assert {name: text.partition("circle: ")[2] for name, text in messages(Mesh.load(domains)).items()} == {
        "a": "a → b → a",
        "b": "a → b → a",
        "c": "c → d → c",
        "d": "c → d → c",
    }


def test_two_folders_of_one_name_break_the_one_that_is_not_called_so(domains: Path) -> None:
    add(domains, "a")
    shutil.copytree(domains / "a", domains / "b")
    mesh = Mesh.load(domains)
    assert names(mesh) == ["a"]
    assert messages(mesh) == {"b": "name: 'a' must be the folder's name, 'b'; 'a' is already the product in domains/a"}


def test_products_and_ports_are_found_by_name(small: SmallMesh) -> None:
    assert small.mesh.product("shop").name == "shop"
    assert small.mesh.port("shop.totals").id == "shop.totals"
    assert [port.id for port in small.mesh.ports] == ["shop.sales", "shop.totals", "plan.forecast"]
    assert small.mesh.names == ("plan", "shop")


@pytest.mark.parametrize(
    ("port", "problem"),
    [
        ("totals", "'totals' is not PRODUCT.PORT; did you mean shop.totals? there are: plan.forecast, shop.sales, shop.totals"),
        ("shop.", "'shop' has no port ''; there are: shop.sales, shop.totals"),
        ("shop.total", "'shop' has no port 'total'; did you mean shop.totals? there are: shop.sales, shop.totals"),
        ("shops.totals", "there is no data product 'shops'; did you mean shop? there are: plan, shop"),
    ],
)
def test_an_unknown_port_lists_what_there_is(small: SmallMesh, port: str, problem: str) -> None:
    with pytest.raises(UnknownName) as caught:
        small.mesh.port(port)
    assert str(caught.value) == problem


def test_a_broken_product_is_named_with_its_reason(domains: Path) -> None:
    (domains / "a").mkdir()
    mesh = Mesh.load(domains)
    reason = "domains/a: has no product.odps.yaml; write one with its owner and ports"
    for call in (lambda: mesh.product("a"), lambda: mesh.port("a.out"), lambda: mesh.select(["a"])):
        with pytest.raises(MeshError) as caught:
            call()
        assert str(caught.value) == f"the data product 'a' is broken: {reason}"
    assert mesh.names == ("a",)


def test_consumers_are_those_who_read_it_directly(domains: Path) -> None:
    mesh = chain(domains)
    assert {name: mesh.consumers(name) for name in mesh.names} == {"a": (), "b": ("a", "z"), "c": ("b",), "m": (), "z": ()}


@pytest.mark.parametrize(
    ("old", "new", "possible"),
    [
        ('"kind"', '[ "kind"', ("plan",)),  # its inputs cannot be read
        ('"outputPorts"', '"outputs"', ("plan",)),  # one of its inputs is the port
        ('"name": "shop.totals"', '"name": "shop.sales"', ()),
        ('"kind"', '"kind"', ()),
    ],
)
def test_a_broken_product_may_read_a_port(small: SmallMesh, old: str, new: str, possible: tuple[str, ...]) -> None:
    small.replace("domains/plan/product.odps.yaml", old, new)
    mesh = Mesh.load(small.domains)
    assert mesh.possible_readers("shop.totals") == possible
    assert mesh.possible_readers("plan.forecast") == ()


def test_a_broken_reader_of_the_newer_version_may_read_the_older_one(small: SmallMesh) -> None:
    small.two_majors()
    small.replace("domains/plan/product.odps.yaml", '"outputPorts"', '"outputs"')
    (small.domains / "empty").mkdir()
    assert Mesh.load(small.domains).possible_readers("shop.totals_v1") == ("plan",)


@pytest.mark.parametrize(
    ("chosen", "upstream", "downstream", "found"),
    [
        ([], False, False, ["c", "m", "b", "a", "z"]),
        (["a"], False, False, ["a"]),
        (["a", "c"], False, False, ["c", "a"]),
        (["b.out"], False, False, ["b"]),
        (["a"], True, False, ["c", "b", "a"]),
        (["c"], False, True, ["c", "b", "a", "z"]),
        (["b"], True, True, ["c", "b", "a", "z"]),
        (["a"], True, True, ["c", "b", "a"]),
        (["m"], True, True, ["m"]),
    ],
)
def test_a_selection_is_in_build_order(
    domains: Path, chosen: list[str], upstream: bool, downstream: bool, found: list[str]
) -> None:
    selection = chain(domains).select(chosen, upstream=upstream, downstream=downstream)
    assert [product.name for product in selection] == found


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("x", "there is no data product 'x'; there are: a, b, c, m, z"),
        ("a.x", "'a' has no port 'x'; there are: a.out"),
    ],
)
def test_selecting_an_unknown_name_lists_what_there_is(domains: Path, name: str, problem: str) -> None:
    with pytest.raises(UnknownName) as caught:
        chain(domains).select(["a", name], upstream=True)
    assert str(caught.value) == problem


def test_the_broken_products_of_a_selection_are_picked_too(domains: Path) -> None:
    (domains / "bad").mkdir()
    mesh = chain(domains)
    picked = mesh.pick(["a", "bad.out"], upstream=True)
    assert ([product.name for product in picked.products], [item.name for item in picked.broken]) == (["c", "b", "a"], ["bad"])
    assert mesh.pick(["m"]).broken == ()
    assert mesh.pick([]) is mesh
