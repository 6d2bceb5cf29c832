"""Checks of the current snapshot without a build."""

import pytest

from kit.build.published_checks import published_checks
from kit.contracts.check import Check
from kit.core.errors import NotPublished
from tests.support.small_mesh import SmallMesh


def test_they_are_those_of_the_build_with_the_age_of_today(small: SmallMesh) -> None:
    with pytest.raises(NotPublished, match="'shop' has no published snapshot yet"):
        published_checks(small.config, small.product("shop"))
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot is not None
    built = tuple(map(Check.from_json, snapshot.manifest["checks"]))
    assert [(check.rule, check.passed) for check in published_checks(small.config, small.product("shop"))] == [
        (check.rule, check.passed) for check in built
    ]
    small.replace("pyproject.toml", "2024-01-10", "2024-02-10")
    late = [check for check in published_checks(small.config, small.product("shop")) if not check.passed]
    assert [(check.table, check.rule, check.observed, check.severity) for check in late] == [
        ("sales", "the newest sold_on is at most 2 days old and not in the future", "2024-01-09", "error")
    ]
