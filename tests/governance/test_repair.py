from kit.governance.repair import repair
from kit.mesh.context import Context
from kit.orchestration.instance import instance
from tests.support.small_mesh import SmallMesh


def done(small: SmallMesh) -> list[tuple[str, str, str]]:
    return [
        (finding.product, finding.severity, finding.message.partition(" to ")[0]) for finding in repair(Context(small.config))
    ]


def test_nothing_is_repaired_in_a_storage_in_order(small: SmallMesh) -> None:
    small.publish("shop")
    assert done(small) == []


def test_each_record_is_repaired_and_one_that_cannot_be_stops_no_other(small: SmallMesh) -> None:
    version = small.publish("shop")
    small.publish("plan")
    storage = small.config.storage
    (record,) = (storage / "runs/shop").glob("*/record.json")
    for path in (storage / "products/shop/current.json", record, storage / "index.json"):
        path.write_text("{")
    for path in (storage / "products/plan").glob("*/manifest.json"):
        path.unlink()
    assert done(small) == [
        ("plan", "error", "no snapshot of 'plan' is whole; build one with `kit run plan --force`"),
        ("shop", "info", f"its pointer names snapshot {version} now"),
        ("shop", "info", f"the record of run {record.parent.name} was moved"),
        ("index", "info", "rebuilt from the products"),
    ]
    assert small.store.current("shop")
    assert [text for _, severity, text in done(small) if severity == "info"] == []


def test_a_broken_history_of_dagster_is_set_aside_with_the_settings_kept(small: SmallMesh) -> None:
    with instance(small.config):
        pass
    home = small.config.dagster_home
    settings = home / "dagster.yaml"
    settings.write_text(settings.read_text() + "# ours\n")
    (home / "history/runs.db").write_text("garbage")
    assert done(small) == [("Dagster", "info", "its history was moved")]
    assert settings.read_text().endswith("# ours\n")
    (aside,) = small.config.storage.glob(".dagster.damaged-*")
    assert (aside / "history/runs.db").read_text() == "garbage"
    with instance(small.config) as opened:
        assert opened.get_runs_count() == 0
    settings.write_text("")
    assert done(small) == [("Dagster", "info", "its settings were moved")]
