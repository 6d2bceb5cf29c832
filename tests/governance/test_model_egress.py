import json
from typing import Any

import pytest

from kit.governance.check import check_mesh
from kit.governance.model_egress import check_models
from tests.support.advice import ASK, allow, write_advice
from tests.support.small_mesh import SmallMesh

A, B = "https://a.example.com/v1", "https://b.example.com/v1"
MODELS = "".join(f'\n[tool.kit.models.{name}]\nbase_url = "{url}"\nmodel = "m"\n' for name, url in (("tea", A), ("cake", B)))


def found(small: SmallMesh, endpoints: Any, model: str = "partition", port: str = "shop.totals") -> list[str]:
    """What is found in `advice`, which asks this model, under this property of `shop.totals`."""
    cells = [ASK[0], ASK[1].replace("kit.model(partition)", f"kit.model({model})"), ASK[2]]
    write_advice(small.domains / "advice", cells)
    if MODELS not in (small.root / "pyproject.toml").read_text():
        with (small.root / "pyproject.toml").open("a") as file:
            file.write(MODELS)
    allow(small.domains / f"{port.replace('.', '/contracts/')}.odcs.yaml", endpoints)
    return [finding.message for finding in check_models(small.context, small.product("advice"))]


def test_an_allowed_endpoint_is_no_finding(small: SmallMesh) -> None:
    assert found(small, [A], "'tea'") == []
    assert found(small, {"tea": [A, B], "cake": [A]}, "'tea'") == []
    assert found(small, {"tea": [A], "cake": [B]}) == []


def test_an_endpoint_that_a_contract_does_not_allow_is_found_with_its_place(small: SmallMesh) -> None:
    why = f"asks the model 'tea', but the contract of 'shop.totals' does not allow {A}"
    end = "; its owner decides on that with the custom property modelEndpoints"
    assert found(small, None, "'tea'") == [why + end]
    assert found(small, [B], "'tea'") == [why + end]
    assert found(small, {"tea": [A], "cake": [B]}, "'tea'") == [f"{why} for 'cake'{end}"]
    (finding,) = check_models(small.context, small.product("advice"))
    assert (finding.path.name, finding.cell) == ("advice.ipynb", 3)
    assert finding in check_mesh(small.context)


def test_a_computed_name_needs_an_endpoint_at_each_input(small: SmallMesh) -> None:
    assert found(small, None) == [
        "asks the model '.*', but 'shop.totals' allows none of the models that this may be (modelEndpoints)"
    ]


def test_an_unknown_model_is_found(small: SmallMesh) -> None:
    assert found(small, [A], "'te'") == ["asks the model 'te'; did you mean tea? there are: cake, tea"]


def test_a_port_that_masks_later_is_read_before_its_masks(small: SmallMesh) -> None:
    """A notebook reads a port of its own product before the mask; the values would leave in clear."""
    found(small, [A], "'tea'")
    small.mask("advice/contracts/advice.odcs.yaml", text="drop")
    folder = small.domains / "advice"
    data = json.loads((folder / "product.odps.yaml").read_text())
    second = {"name": "second", "version": "1.0.0", "contractId": "advice.second", "type": "notebook",
              "inputContracts": [{"id": "advice.advice", "version": "1.0.0"}]}  # fmt: skip
    data["outputPorts"].append(second)
    del data["customProperties"]  # a product with partitions has no masks
    (folder / "product.odps.yaml").write_text(json.dumps(data))
    (folder / "contracts/second.odcs.yaml").write_text(
        (folder / "contracts/advice.odcs.yaml")
        .read_text()
        .replace("advice.advice", "advice.second")
        .replace('"advice"', '"second"')
    )
    (folder / "notebooks/second.ipynb").write_text((folder / "notebooks/advice.ipynb").read_text())
    findings = [item for item in check_models(small.context, small.product("advice")) if item.path.name == "second.ipynb"]
    assert [item.message for item in findings] == [
        "asks the model 'tea', but 'advice.advice' is read before its masks apply to text; mask them in the contract of the "
        "source, or let another product ask"
    ]


@pytest.mark.parametrize("code", ["ask = kit.model", "from kit import model as ask", "ask = getattr(kit, 'model')"])
def test_another_name_for_it_is_followed(small: SmallMesh, code: str) -> None:
    cells = [f"{ASK[0]}\n{code}", ASK[1].replace("kit.model(partition)", "ask('te')"), ASK[2]]
    found(small, [A])
    write_advice(small.domains / "advice", cells)
    assert [item.message for item in check_models(small.context, small.product("advice"))] == [
        "asks the model 'te'; did you mean tea? there are: cake, tea"
    ]


def test_handing_it_on_may_ask_any_model(small: SmallMesh) -> None:
    cells = [ASK[0], "asked = [ask('tea') for ask in [kit.model]]", ASK[2]]
    found(small, None)
    write_advice(small.domains / "advice", cells)
    assert [item.message.partition(", but")[0] for item in check_models(small.context, small.product("advice"))] == [
        "asks the model '.*'"
    ]
