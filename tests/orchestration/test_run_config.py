import dagster as dg
import pytest

from kit.orchestration.run_config import given, schema
from tests.support.small_mesh import FORECAST, SmallMesh


def problems(small: SmallMesh, product: str, **config: object) -> list[str]:
    """What Dagster says of a config that was typed into the launchpad."""

    @dg.op(config_schema=schema(small.product(product)))
    def step() -> None: ...

    job = dg.GraphDefinition("g", node_defs=[step]).to_job()
    try:
        dg.validate_run_config(job, {"ops": {"step": {"config": config}}})
    except dg.DagsterInvalidConfigError as error:
        return [item.message for item in error.errors]
    return []


def test_parameters_have_the_types_and_meanings_their_notebooks_declare(small: SmallMesh) -> None:
    small.notebook("plan", "forecast", FORECAST, "factor: float = 2.0  # growth\nitems: list = []\nname = 'base'\n")
    fields = schema(small.product("plan"))["parameters"].config_type.fields  # type: ignore[attr-defined]
    assert {name: field.description for name, field in fields.items()} == {
        "factor": "forecast: growth; by default 2.0",
        "items": "forecast: no comment; by default []",
        "name": "forecast: no comment; by default 'base'",
    }
    defaults = {"factor": 2.0, "items": [], "name": "base"}
    assert schema(small.product("plan"))["parameters"].default_value == defaults  # what the launchpad shows
    assert given(small.product("plan"), {"parameters": defaults}) == {}
    assert given(small.product("plan"), {"parameters": {**defaults, "factor": 3.0}}) == {"factor": 3.0}
    assert given(small.product("plan"), {}) == {}
    assert problems(small, "plan") == []
    assert problems(small, "plan", force=True, parameters={"factor": 3, "items": [1, "x"], "name": "x"}) == []
    (wrong,) = problems(small, "plan", parameters={"factor": "much"})
    assert "Invalid scalar at path root:ops:step:config:parameters:factor" in wrong
    (unknown,) = problems(small, "plan", parameters={"factr": 3})
    assert '"factr"' in unknown


def test_a_product_without_notebooks_takes_none(small: SmallMesh) -> None:
    assert list(schema(small.product("shop"))) == ["force", "full_refresh"]


@pytest.mark.parametrize("cell", ["x = today()", "x = ("])
def test_a_notebook_that_cannot_be_read_stops_no_code_location(small: SmallMesh, cell: str) -> None:
    small.notebook("plan", "forecast", FORECAST, cell)
    assert problems(small, "plan", parameters={"anything": 1}) == []
