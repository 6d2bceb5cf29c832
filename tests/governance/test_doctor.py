import importlib.metadata
import shutil

import pytest

from kit.core.errors import ConfigError
from kit.governance.doctor import examine
from kit.governance.repair import repair
from kit.mesh.context import Context
from kit.storage import index
from tests.support.small_mesh import SmallMesh


def severities(small: SmallMesh) -> dict[str, str]:
    return {finding.product: finding.severity for finding in examine(lambda: Context(small.config))}


def test_a_mesh_in_order_has_no_errors(small: SmallMesh) -> None:
    assert severities(small) == dict.fromkeys(
        [
            "Python",
            "packages",
            "git",
            "mesh",
            "storage",
            "disk",
            "memory",
            "notebook kernel",
            "confinement",
            "domains",
            "published data",
        ],
        "info",
    )


def test_without_a_mesh_the_machine_is_still_checked() -> None:
    def load() -> Context:
        raise ConfigError("there is no mesh")

    findings = examine(load)
    assert [finding.product for finding in findings] == ["Python", "packages", "git", "mesh"]
    assert (findings[-1].severity, findings[-1].message) == ("error", "there is no mesh")


def test_findings_of_the_mesh_keep_their_place(small: SmallMesh) -> None:
    descriptor = small.domains / "plan/product.odps.yaml"
    descriptor.write_text("kind: [")
    (finding,) = (finding for finding in examine(lambda: Context(small.config)) if finding.severity == "error")
    assert (finding.product, finding.path, finding.line) == ("domain plan", descriptor, 2)


def test_a_missing_package_is_named(small: SmallMesh, monkeypatch: pytest.MonkeyPatch) -> None:
    version = importlib.metadata.version

    def missing(name: str) -> str:
        if name in ("ipykernel", "polars"):
            raise importlib.metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    findings = {finding.product: finding for finding in examine(lambda: Context(small.config))}
    assert (findings["packages"].severity, findings["packages"].message) == (
        "error", "ipykernel is missing; polars is missing",
    )  # fmt: skip
    assert (findings["notebook kernel"].severity, findings["notebook kernel"].fix) == ("error", "run `make install`")


def test_products_of_another_repository_in_the_same_storage_are_left_alone(small: SmallMesh) -> None:
    small.publish("shop")
    small.publish("plan")
    version = small.store.read_pointer("plan")
    shutil.rmtree(small.domains / "plan")  # another repository has it
    findings = {finding.product: finding for finding in examine(lambda: Context(small.config))}
    other = findings["other products"]
    assert (other.severity, other.message, other.fix) == (
        "info", "plan: in the storage, but no domain of this repository; left alone",
        "if no other repository publishes here, `kit prune plan --everything` removes all of this",
    )  # fmt: skip
    assert not [text for finding in findings.values() for text in (finding.message, finding.fix) if "delete" in text]
    assert list(repair(Context(small.config))) == []
    index.write(small.context)
    assert [summary.name for summary in index.load(Context(small.config))] == ["shop"]
    assert '"plan"' in (small.config.storage / "index.json").read_text()
    assert "plan:" in (small.config.storage / "catalog.yaml").read_text()
    assert small.store.read_pointer("plan") == version


def test_damaged_data_is_found(small: SmallMesh) -> None:
    small.publish("shop")
    snapshot = small.store.current("shop")
    assert snapshot
    snapshot.paths("sales")[0].unlink()
    (finding,) = (finding for finding in examine(lambda: Context(small.config)) if finding.severity == "error")
    assert (finding.product, finding.message) == (
        "data of shop", f"snapshot {snapshot.version} is damaged: sales/data.parquet is missing"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("version", "severity", "says"),
    [
        (7, "info", "Landlock 7: notebooks and ingest.py open declared files only"),
        (1, "warning", "Landlock 1: notebooks and ingest.py open declared files only, but can cut others to nothing"),
        (
            0,
            "warning",
            "none: notebooks and ingest.py can open all files of this user, and are trusted not to; their text is checked",
        ),
    ],
)
def test_what_the_system_enforces_is_stated(
    small: SmallMesh, monkeypatch: pytest.MonkeyPatch, version: int, severity: str, says: str
) -> None:
    monkeypatch.setattr("kit.core.landlock.version", lambda: version)
    (finding,) = (item for item in examine(lambda: Context(small.config)) if item.product == "confinement")
    assert (finding.severity, finding.message) == (severity, says)
