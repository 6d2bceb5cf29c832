import pytest
from typer.testing import CliRunner

from kit.cli.export import app
from kit.core.errors import KitError
from tests.support.small_mesh import SmallMesh


def test_tables_are_committed_to_a_catalog_by_its_name(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyiceberg.catalog
    from pyiceberg.utils.config import Config

    small.publish("shop")
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__URI", f"sqlite:///{small.root / 'company.db'}")
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__WAREHOUSE", f"file://{small.root / 'company'}")
    monkeypatch.setattr(pyiceberg.catalog, "_ENV_CONFIG", Config())
    done = CliRunner().invoke(app, ["iceberg", "--to", "company", "shop"], catch_exceptions=False)
    assert (done.exit_code, done.stdout.split()) == (0, ["shop.sales", "shop.totals"])


def test_a_catalog_that_does_not_answer_is_an_error_of_the_command(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    monkeypatch.chdir(small.root)
    done = CliRunner().invoke(app, ["iceberg", "--to", "nowhere"])
    assert isinstance(done.exception, KitError)
