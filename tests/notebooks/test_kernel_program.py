import time
from pathlib import Path
from typing import Any

import pytest

from kit.notebooks import papermill_engine
from tests.notebooks.test_papermill_engine import outputs, text


@pytest.mark.slow
def test_no_output_is_lost_that_is_read_more_slowly_than_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ZeroMQ's limit of 1,000 messages the cell would not end, since the message of its end is lost too."""
    keep = papermill_engine._Client.output

    def output(*arguments: Any) -> Any:
        time.sleep(0.002)
        return keep(*arguments)

    monkeypatch.setattr(papermill_engine._Client, "output", output)
    ((found,),) = outputs(tmp_path, ["for number in range(4000):\n    print(number, flush=True)"], limit=1_000_000)
    assert text(found).splitlines() == [str(number) for number in range(4000)]


def test_a_notebook_imports_nothing_from_the_folder_of_the_program(tmp_path: Path) -> None:
    ((found,),) = outputs(tmp_path, ["import sys\nprint([path for path in sys.path if path.endswith('notebooks')])"])
    assert text(found) == "[]\n"
