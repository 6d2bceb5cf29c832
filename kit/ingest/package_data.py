"""Files that Python packages ship as data."""

import importlib.util
from pathlib import Path

from kit.core import IngestError


def package_file(package: str, path: str) -> Path:
    """Return the path of a file that is shipped inside a Python package, without an import of the package.

    Raises `IngestError` when package or file is missing.
    """
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the parent of a dotted name
        spec = None
    folders = spec.submodule_search_locations if spec else None
    if not folders:
        raise IngestError(f"the package '{package}' is not installed; install it with `pip install {package}`")
    file = Path(folders[0]) / path
    if not file.is_file():
        raise IngestError(f"the package '{package}' has no file {path}")
    return file
