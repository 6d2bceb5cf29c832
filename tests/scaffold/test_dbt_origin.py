from pathlib import Path

import pytest

from kit.core.errors import KitError
from kit.scaffold.dbt_origin import DbtOrigin
from tests.support.dbt_kiosk import write_kiosk
from tests.support.files import replace, write


@pytest.fixture
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_kiosk(tmp_path / "theirs")


def test_a_folder_without_a_project_is_refused(kiosk: Path) -> None:
    with pytest.raises(KitError, match=r"gone is no folder; name the folder of a dbt project"):
        DbtOrigin(kiosk / "gone")
    with pytest.raises(KitError, match=r"has no dbt_project\.yml; name the folder of a dbt project; there is one in theirs"):
        DbtOrigin(kiosk.parent)


def test_the_project_is_read_as_dbt_reads_it(kiosk: Path) -> None:
    origin = DbtOrigin(kiosk)
    assert origin.read() == []
    assert sorted(model.name for model in origin.models.values()) == [
        "drinks", "guests", "orders", "stg_guests", "stg_menu", "stg_orders",
    ]  # fmt: skip
    assert [(item.label, item.schema, item.identifier) for item in origin.sources] == [
        ("shop.totals", "shop", "totals"), ("till.menu", "landing", "RAW_MENU"),
    ]  # fmt: skip
    assert [origin.is_seed_of_source(name) for name in ("RAW_MENU", "raw_guests", "gone")] == [True, False, False]
    assert origin.line_of("transform/schema.yml", "models", "guests", "nickname") == 15
    assert origin.line_of("transform/staging/_sources.yml", "sources", "till", "menu") == 8
    assert not (kiosk / "logs").exists()

    orders = next(model for model in origin.models.values() if model.name == "orders")
    assert (orders.description, orders.yaml, orders.folders) == (
        "One row per order,\nas the till has it.", "transform/schema.yml", (),
    )  # fmt: skip
    assert [model.name for model in origin.ports(())] == ["drinks", "guests"]
    assert [model.name for model in origin.ports(["orders", "guests", "orders"])] == ["orders", "guests"]
    (kept,) = origin.kept_in_yaml()
    assert str(kept) == "theirs/transform/schema.yml:44: exposures stay in this file; only dbt reads them"


def test_marts_are_ports_whoever_reads_them(kiosk: Path) -> None:
    (kiosk / "transform/marts").mkdir()
    (kiosk / "transform/orders.sql").rename(kiosk / "transform/marts/orders.sql")
    origin = DbtOrigin(kiosk)
    assert origin.read() == []
    assert [model.name for model in origin.ports(())] == ["orders"]


def test_names_versions_folders_outside_and_errors_of_dbt_are_obstacles(kiosk: Path) -> None:
    (kiosk / "transform/guests.sql").rename(kiosk / "transform/dim__Guests.sql")
    replace(kiosk / "transform/schema.yml", "- name: guests", "- name: dim__Guests")
    origin = DbtOrigin(kiosk)
    assert origin.read() == []
    assert [str(item) for item in origin.port_obstacles(origin.ports(["dim__Guests"]))] == [
        "theirs/transform/dim__Guests.sql:1: 'dim__Guests' cannot name a port; use a-z, 0-9 and single _, a letter first, "
        "not 'raw'; rename the model, or choose others with --port"
    ]
    write(kiosk / "dependencies.yml", "projects:\n  - name: finance\n")
    replace(kiosk / "dbt_project.yml", "macro-paths: [macros]", "macro-paths: [macros, ../shared]")
    found = [str(item) for item in DbtOrigin(kiosk).read()]
    assert found == [
        "theirs/dbt_project.yml:1: macro-paths names '../shared', outside of the domain folder; keep the files in it",
        "theirs/dependencies.yml:2: reads another dbt project, finance, which a data product reads by its ports; "
        "declare its tables as sources",
    ]


def test_an_error_of_dbt_is_one_line(kiosk: Path) -> None:
    write(kiosk / "transform/broken.sql", "select * from {{ ref('nobody') }}\n")
    (found,) = DbtOrigin(kiosk).read()
    assert str(found).startswith("theirs/dbt_project.yml:1: dbt cannot read the project: ")
    assert "nobody" in str(found)
    assert "\n" not in str(found)
