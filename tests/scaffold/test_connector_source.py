import json
from pathlib import Path

import pytest

from kit.contracts.contract import Contract
from kit.core.errors import IngestError, KitError
from kit.ingest.connector import Declaration
from kit.scaffold import connector_source, new
from kit.scaffold.connector_source import connector_of
from tests.support.events import TYPES, Events
from tests.support.postgres import PASSWORD, PostgresServer
from tests.support.small_mesh import SmallMesh
from tests.support.tap import Tap


@pytest.fixture
def events(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> Events:
    events = Events(small, monkeypatch)
    events.rows(types={**TYPES, "Full name": "decimal(10,2)", "deleted_at": "timestamp"})

    def declare(cls: type[Tap], origin: str, source: str, folder: Path) -> Declaration:
        return Declaration({"file": origin, "cursor": None}, "events", {"TAP_DSN": "s3cret-value"})

    monkeypatch.setattr(Tap, "declare", classmethod(declare))
    return events


def test_an_origin_names_a_connector_by_its_kind(events: Events) -> None:
    assert connector_of("tap:a:b") == ("tap", "a:b")
    assert connector_of("postgresql://host/db") == ("postgres", "//host/db")
    assert connector_of("sales.csv") is None
    assert connector_of("shop.sales") is None


def test_a_source_is_drafted_from_its_stream_without_a_row(events: Events) -> None:
    file = events.small.root.parent / f"{events.small.root.name}-tap/tap.json"  # where every process may read
    events.file.rename(file)
    made = new.new_source(events.small.context, "feed.taps", f"tap:{file}")
    assert made.variables == ("TAP_DSN",)
    contract = Contract.load(events.folder / "sources/taps.odcs.yaml")
    assert {column.name: (column.type, column.physical_name) for column in contract.columns} == {
        "id": ("bigint", ""), "seen": ("bigint", ""), "name": ("varchar", ""), "full_name": ("decimal(10,2)", "Full name"),
        "deleted_at": ("timestamp", ""),
    }  # fmt: skip
    assert contract.key == ("id",)
    text = (events.folder / "ingest.py").read_text()
    assert text.count("from kit.ingest.connectors import tap\n") == 1
    assert text.endswith(
        'def taps():\n    """events, read by tap."""\n'
        '    # To read only what is new, add cursor="seen"; it must grow with each change.\n'
        '    # To remove rows that are marked there, also add deleted="deleted_at".\n'
        f'    return tap(file="{file}", cursor=None)\n'
    )
    assert (events.folder / "models/staging/stg_taps.sql").is_file()
    assert [source.name for source in events.small.product("feed").sources] == ["events", "taps"]
    files = [path.read_bytes() for path in events.small.root.rglob("*") if path.is_file()]
    assert not [content for content in files if b"s3cret-value" in content]


def test_the_configuration_of_a_source_is_written_in_double_quotes() -> None:
    made = Declaration({"package": "source-faker==7.2.1", "config": {"count": 50, "name": 'a "b"'}}, "users")
    assert connector_source._function("users", "airbyte", made, None).endswith(
        'return airbyte(package="source-faker==7.2.1", config={"count": 50, "name": "a \\"b\\""})\n'
    )


def test_nothing_is_written_when_the_connector_cannot_be_asked(events: Events) -> None:
    before = sorted(events.folder.rglob("*"))
    with pytest.raises(IngestError, match="there is no such tap"):
        new.new_source(events.small.context, "feed.taps", "tap:nowhere.json")
    with pytest.raises(KitError, match="--csv is for a CSV file; a connector of tap reads none"):
        new.new_source(events.small.context, "feed.taps", "tap:nowhere.json", ["delimiter=;"])
    assert sorted(events.folder.rglob("*")) == before


@pytest.mark.heavy
def test_a_source_of_postgres_is_made_looked_at_and_built(
    small: SmallMesh, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.root)
    monkeypatch.delenv("SHOP_DSN", raising=False)
    postgres.sql("create table visits (id int primary key, made numeric(8,2), updated_at timestamptz not null)")
    postgres.sql("insert into visits values (1, 1.25, '2024-01-01')")
    origin = f"{postgres.dsn}?table=public.visits"
    done = small.kit("new", "source", "shop.visits", "--from", origin)
    assert done.returncode == 0, done.stderr
    assert "Set SHOP_DSN in the environment of builds: its value is in no file" in done.stdout
    assert 'return postgres(dsn_env="SHOP_DSN", table="public.visits")' in (small.domains / "shop/ingest.py").read_text()
    assert 'add cursor="updated_at"' in (small.domains / "shop/ingest.py").read_text()
    looked = small.kit("source", "check", "shop.visits", SHOP_DSN=postgres.dsn)
    assert looked.returncode == 0, looked.stdout + looked.stderr
    rows = json.loads(small.kit("source", "preview", "shop.visits", "--json", SHOP_DSN=postgres.dsn, check=True).stdout)
    assert rows == [{"id": "1", "made": "1.25", "updated_at": "2024-01-01 00:00:00+00"}]
    (small.domains / "shop/models/staging/stg_visits.sql").unlink()  # all models of this project are published
    monkeypatch.setenv("SHOP_DSN", postgres.dsn)
    outcome = small.build("shop")
    assert outcome.status == "published", outcome.message
    assert small.store.current("shop").manifest["sources"]["visits"]["kind"] == "postgres"
    files = [path.read_bytes().decode("latin-1") for path in small.root.rglob("*") if path.is_file()]
    texts = [done.stdout, looked.stdout, *files]
    assert not [text for text in texts if PASSWORD in text or "s3cret-of-the-test" in text]
