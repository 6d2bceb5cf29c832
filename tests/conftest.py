from pathlib import Path

import pytest

from tests.small_mesh import SmallMesh


@pytest.fixture
def small(tmp_path: Path) -> SmallMesh:
    return SmallMesh(tmp_path)
