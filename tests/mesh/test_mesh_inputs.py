from kit.contracts.contract import Version
from kit.lineage.graph import lineage
from kit.mesh.product import InputPort
from tests.support.small_mesh import SmallMesh, write

OLD = InputPort("shop.totals_v1", Version(1, 0, 0), declared="shop.totals")


def test_a_reader_of_the_old_version_is_tied_to_the_port_that_keeps_it(small: SmallMesh) -> None:
    small.two_majors()
    small.dbt_reader("old", "amount", "1.0.0")
    small.dbt_reader("new", "value", "2.0.0")
    mesh = small.mesh
    assert mesh.broken == ()
    plan = mesh.product("plan")
    assert (plan.inputs, plan.ports[0].reads, OLD.name, OLD.product) == ((OLD,), (OLD,), "shop.totals", "shop")
    assert mesh.product("new").inputs == (InputPort("shop.totals", Version(2, 0, 0)),)
    assert [product.name for product in mesh.readers("shop.totals_v1")] == ["old", "plan"]
    assert [product.name for product in mesh.readers("shop.totals")] == ["new"]
    graph = lineage(mesh)
    assert {name: graph[name].reads for name in ("plan.forecast", "old.copy", "new.copy")} == {
        "plan.forecast": ("shop.totals_v1",), "old.copy": ("shop.totals_v1",), "new.copy": ("shop.totals",),
    }  # fmt: skip


def test_a_reader_of_a_version_that_nobody_keeps_is_broken(small: SmallMesh) -> None:
    small.two_majors()
    small.dbt_reader("eager", "value", "3.0.0")
    (broken,) = small.mesh.broken
    assert broken.finding.message.endswith("'shop.totals' is declared in version 3.0.0, but 2.0.0 is offered")


def test_the_same_port_is_declared_once(small: SmallMesh) -> None:
    small.two_majors()
    both = '"inputPorts": [{"name": "shop.totals_v1", "version": "1.0.0", "contractId": "shop.totals_v1"},'
    small.replace("domains/plan/product.odps.yaml", '"inputPorts": [', both)
    (broken,) = small.mesh.broken
    assert broken.finding.message.endswith(
        "'shop.totals' in version 1.0.0 is 'shop.totals_v1', which is declared too; keep one of the two"
    )


def test_what_a_broken_provider_would_serve_stays_as_declared(small: SmallMesh) -> None:
    small.two_majors()
    write(small.domains / "shop/contracts/totals.odcs.yaml", "a: [1\n")
    assert small.product("plan").inputs == (InputPort("shop.totals", Version(1, 0, 0)),)
