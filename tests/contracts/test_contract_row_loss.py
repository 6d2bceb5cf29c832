from pathlib import Path
from typing import Any

import pytest

from kit.contracts.service_levels import max_row_loss
from kit.core.errors import InvalidFile
from kit.core.yaml import Document


def read(*values: Any) -> float | None:
    data = {"customProperties": [{"property": "maxRowLoss", "value": value} for value in values]}
    return max_row_loss(Document(Path("things.odcs.yaml"), "{}", data))


def test_the_share_a_contract_says() -> None:
    assert [read(), read(0), read(0.25), read(1)] == [None, 0, 0.25, 1]


@pytest.mark.parametrize("value", [True, -0.1, 1.5, 50, "0.5", None])
def test_what_is_no_share_is_refused(value: Any) -> None:
    with pytest.raises(InvalidFile, match=f"maxRowLoss: {value!r} is not a share from 0 to 1 such as 0.5"):
        read(value)
