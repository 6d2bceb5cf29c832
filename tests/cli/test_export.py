import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kit.cli.main import app
from kit.core.errors import KitError
from tests.support.receiver import receiving
from tests.support.small_mesh import SmallMesh


def test_openlineage(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", "key-of-the-server")
    with receiving() as server:
        done = CliRunner().invoke(app, ["export", "openlineage", "--to", server.url, "--preset", "datahub"])
        assert done.exit_code == 0, done.output
        assert "10 events of 1 run sent" in done.output
        assert {(request.path, request.token) for request in server.requests} == {
            ("/openapi/openlineage/api/v1/lineage", "key-of-the-server")
        }


def test_openlineage_with_wrong_words(small: SmallMesh) -> None:
    done = small.kit("export", "openlineage", "--to", "marquez")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: --to is 'marquez', which is no address of a server")


def test_datahub(small: SmallMesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(small.root)
    done = CliRunner().invoke(app, ["export", "datahub", "--out", "mesh.json"])
    records = json.loads(Path("mesh.json").read_text())
    assert done.output == f"{len(records)} records in mesh.json\n"
    printed = CliRunner().invoke(app, ["export", "datahub", "--env", "DEV"])
    assert {item["entityUrn"] for item in json.loads(printed.output)} != {item["entityUrn"] for item in records}
    assert "shop.sales,DEV)" in printed.output


def test_tables_are_committed_to_a_catalog_by_its_name(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyiceberg.catalog
    from pyiceberg.utils.config import Config

    small.publish("shop")
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__URI", f"sqlite:///{small.root / 'company.db'}")
    monkeypatch.setenv("PYICEBERG_CATALOG__COMPANY__WAREHOUSE", f"file://{small.root / 'company'}")
    monkeypatch.setattr(pyiceberg.catalog, "_ENV_CONFIG", Config())
    done = CliRunner().invoke(app, ["export", "iceberg", "--to", "company", "shop"], catch_exceptions=False)
    assert (done.exit_code, done.stdout.split()) == (0, ["shop.sales", "shop.totals"])


def test_a_catalog_that_does_not_answer_is_an_error_of_the_command(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    small.publish("shop")
    monkeypatch.chdir(small.root)
    done = CliRunner().invoke(app, ["export", "iceberg", "--to", "nowhere"])
    assert isinstance(done.exception, KitError)


def test_openmetadata_without_a_server_writes_its_requests(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    done = CliRunner().invoke(app, ["export", "openmetadata", "--out", "requests.json", "--service", "ours"])
    calls = json.loads(Path("requests.json").read_text())
    assert done.output == f"{len(calls)} requests in requests.json\n"
    assert (calls[0]["method"], calls[0]["makes"]) == ("PUT", "ours")


def test_openmetadata_with_a_server(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(small.root)
    monkeypatch.setenv("OM_BOT", "token-of-a-bot")
    with receiving() as server:
        done = CliRunner().invoke(app, ["export", "openmetadata", "--server", server.url, "--token-env", "OM_BOT"])
        assert done.exit_code == 0, done.output
        assert {request.token for request in server.requests} == {"token-of-a-bot"}
    assert done.output.startswith("2 products, 4 tables, 0 test cases sent to")
