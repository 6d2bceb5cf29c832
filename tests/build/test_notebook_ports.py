import json

import pytest

from kit.build.notebook_ports import assign_parameters, check_partition_parameters, notebook_order, with_partition
from kit.core.errors import KitError, NotebookError
from tests.support.small_mesh import FORECAST, SmallMesh, contract, write


def add_port(small: SmallMesh, name: str, reads: list[str]) -> None:
    """Give `plan` another port that a notebook makes."""
    plan = small.domains / "plan"
    columns = [("item", "varchar", {"required": True}), ("amount", "double", {"required": True})]
    write(plan / f"contracts/{name}.odcs.yaml", contract(f"plan.{name}", name, columns, []))
    small.notebook("plan", name, FORECAST, "factor: float = 1.0\n")
    data = json.loads((plan / "product.odps.yaml").read_text())
    inputs = [{"id": item, "version": "1.0.0"} for item in reads]
    data["outputPorts"].append(
        {"name": name, "version": "1.0.0", "contractId": f"plan.{name}", "type": "notebook", "inputContracts": inputs}
    )
    write(plan / "product.odps.yaml", json.dumps(data))


def read_own(small: SmallMesh, port: str, reads: str) -> None:
    path = small.domains / "plan/product.odps.yaml"
    data = json.loads(path.read_text())
    (entry,) = (entry for entry in data["outputPorts"] if entry["name"] == port)
    entry["inputContracts"] = [{"id": reads, "version": "1.0.0"}]
    write(path, json.dumps(data))


def test_a_notebook_runs_after_those_it_reads(small: SmallMesh) -> None:
    add_port(small, "first", ["shop.totals"])
    read_own(small, "forecast", "plan.first")
    assert [port.name for port in notebook_order(small.product("plan"))] == ["first", "forecast"]
    read_own(small, "first", "plan.forecast")
    with pytest.raises(KitError, match="'plan': notebooks read each other in a circle: plan"):
        notebook_order(small.product("plan"))


def test_parameters_go_to_the_notebooks_that_declare_them(small: SmallMesh) -> None:
    add_port(small, "first", ["shop.totals"])
    product = small.product("plan")
    assert assign_parameters(small.config, product, {"factor": "2", "name": "x"}) == {
        "forecast": {"name": "x"}, "first": {"factor": 2.0},
    }  # fmt: skip
    assert assign_parameters(small.config, product, {}) == {}
    with pytest.raises(NotebookError, match="no notebook of 'plan' has a parameter 'factr'"):
        assign_parameters(small.config, product, {"factr": "2"})


def test_a_partition_is_a_parameter_of_every_notebook(small: SmallMesh) -> None:
    small.partition("plan", "item", keys=["tea"])
    product = small.product("plan")
    (finding,) = check_partition_parameters(product)
    assert (finding.product, finding.path) == ("plan", product.ports[0].notebook)
    small.partitioned_plan("tea")
    assert list(check_partition_parameters(small.product("plan"))) == []
    assert with_partition(product, {"forecast": {"factor": 3}}, "tea") == {"forecast": {"factor": 3, "partition": "tea"}}
