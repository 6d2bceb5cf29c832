from collections.abc import Iterator

import dagster as dg
import pytest

from kit.core.config import Config
from kit.mesh.mesh import Mesh
from kit.orchestration.definitions import definitions
from tests.conftest import ROOT


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as opened:
        yield opened


@pytest.fixture(scope="session")
def demo_defs() -> dg.Definitions:
    config = Config.load(ROOT, {})
    return definitions(config, Mesh.load(config.domains))
