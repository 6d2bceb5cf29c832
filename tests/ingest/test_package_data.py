from pathlib import Path

import pytest

import kit
from kit.core.errors import IngestError
from kit.ingest.package_data import package_file


def test_a_file_of_a_package_is_found() -> None:
    assert package_file("kit", "core/errors.py") == Path(kit.__file__).parent / "core/errors.py"


@pytest.mark.parametrize(
    ("package", "problem"),
    [
        ("none_such", "the package 'none_such' is not installed; install it with `pip install none_such`"),
        ("none_such.data", "the package 'none_such.data' is not installed; install it with `pip install none_such.data`"),
        ("kit", "the package 'kit' has no file none.csv"),
    ],
)
def test_a_package_or_file_that_is_missing_is_named(package: str, problem: str) -> None:
    with pytest.raises(IngestError) as caught:
        package_file(package, "none.csv")
    assert str(caught.value) == problem
