from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from great_expectations.expectations.expectation import Expectation
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

from kit.quality import configurations
from kit.quality.counting import counts_only
from kit.quality.evaluation import batch_of, load_judge, run, source_of
from tests.quality.test_counting import EXPECTATIONS


def expectation(kind: str = "expect_column_values_to_be_in_set", **kwargs: Any) -> Any:
    kwargs = kwargs or {"column": "kind", "value_set": ["a", "b"], "mostly": 0.5}
    return ExpectationConfiguration(kind, kwargs, meta={"position": 3}, severity="warning").to_domain_obj()  # type: ignore[arg-type]


@pytest.fixture
def written() -> Callable[[Any], Any]:
    """Writes the configuration of an expectation as the installed version of Great Expectations does by itself."""
    load_judge()
    closure = dict(
        zip(Expectation.configuration.fget.__code__.co_freevars, Expectation.configuration.fget.__closure__ or (), strict=True)
    )
    write: Callable[[Any], Any] = closure["write"].cell_contents
    return write


@pytest.mark.parametrize("item", EXPECTATIONS, ids=lambda item: f"{item[0]} {[*item[1].values()][-1]}")
def test_a_configuration_is_that_of_great_expectations(written: Callable[[Any], Any], item: tuple[str, dict[str, Any]]) -> None:
    made = expectation(item[0], **item[1])
    for _ in range(2):
        assert vars(made.configuration) == vars(written(made))


def test_a_changed_expectation_has_another_configuration(written: Callable[[Any], Any]) -> None:
    made = expectation()
    before = deepcopy(made.configuration)
    made.mostly = 1.0
    assert made.configuration == written(made) != before
    made.value_set.append("c")
    assert made.configuration.kwargs["value_set"] == ["a", "b", "c"]


def test_each_caller_may_change_its_configuration(written: Callable[[Any], Any]) -> None:
    made = expectation()
    for _ in range(2):
        own = made.configuration
        own.kwargs["value_set"].append("z")
        own.kwargs["batch_id"] = "other"
        own.meta["position"] = 9
    assert vars(made.configuration) == vars(written(made))


def test_an_expectation_is_written_down_a_few_times_in_a_validation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: Callable[[Any], Any]
) -> None:
    writes = list[Any]()

    def write(made: Any) -> Any:
        writes.append(made)
        return written(made)

    path = tmp_path / "things.parquet"
    pl.DataFrame({"kind": ["a", "b"]}).write_parquet(path)
    items = [{"type": "expect_column_values_to_be_in_set", "kwargs": {"column": "kind", "value_set": ["a", "b"]}}]
    monkeypatch.setattr(Expectation, "configuration", property(configurations._remembering(write)))
    with source_of({"things": [path]}) as source:
        (result,) = run(batch_of(source, "things"), "things", items, counts_only())
    assert result["success"]
    assert len(writes) < 30
