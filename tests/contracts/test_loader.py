import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.contracts import loader
from kit.contracts.loader import DocumentReader
from kit.core import cache
from kit.core.errors import InvalidFile
from kit.core.yaml import Document
from kit.mesh.mesh import Mesh
from tests.support.many import many
from tests.support.small_mesh import SmallMesh, contract, write

TEXT = contract("shop.sales", "sales", [("sale_id", "bigint", {"quality": []}), ("price", "double", {})])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.yaml", TEXT)
    return tmp_path


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files held against a standard from now on."""
    names: list[str] = []
    check = loader.check_schema
    monkeypatch.setattr(
        loader, "check_schema", lambda document, *rest: (names.append(document.path.name), check(document, *rest))
    )
    return names


def read(folder: Path, *names: str) -> list[Document]:
    """The contracts of these names, through the cache."""
    known = DocumentReader(folder / "cache")
    found = [known.read(folder / name, "odcs") for name in names or ("a.yaml",)]
    known.save()
    return found


def file(folder: Path) -> Path:
    return folder / "cache" / "documents-"


def entries(folder: Path) -> int:
    return len(file(folder).read_text().splitlines()) - 1


def test_what_was_valid_is_remembered(here: Path, judged: list[str]) -> None:
    assert read(here) == read(here) == [Document(here / "a.yaml", TEXT, json.loads(TEXT))]
    assert judged == ["a.yaml"]


def test_every_value_is_remembered_as_it_was_read(here: Path) -> None:
    values = "a: [1, 1.50, 1e-7, true, ~, yes, 2024-01-31, '5', 'ä\\n\\u2028', {b: []}, 99999999999999999999999999999999999999]"
    write(here / "a.yaml", TEXT[:-2] + f',\n "customProperties": [{{property: p, value: {{{values}}}}}]}}\n')
    cold, warm = read(here), read(here)
    assert cold == warm
    assert repr(cold) == repr(warm)


def test_without_a_folder_nothing_is_remembered(here: Path, judged: list[str]) -> None:
    for _ in range(2):
        known = DocumentReader()
        known.read(here / "a.yaml", "odcs")
        known.save()
    assert judged == ["a.yaml", "a.yaml"]
    assert [path.name for path in here.iterdir()] == ["a.yaml"]


def test_a_changed_file_is_judged_anew_whatever_its_time(here: Path, judged: list[str]) -> None:
    read(here)
    before = (here / "a.yaml").stat()
    write(here / "a.yaml", TEXT.replace("the price", "The price"))
    os.utime(here / "a.yaml", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read(here)[0].data["schema"][0]["properties"][1]["description"] == "The price"
    assert judged == ["a.yaml", "a.yaml"]


def test_a_touched_or_renamed_file_is_not_judged_anew(here: Path, judged: list[str]) -> None:
    read(here)
    (here / "a.yaml").rename(here / "b.yaml")
    os.utime(here / "b.yaml", (0, 0))
    assert read(here, "b.yaml")[0].path == here / "b.yaml"
    assert judged == ["a.yaml"]


def test_a_file_valid_by_one_standard_is_not_thereby_valid_by_another(here: Path) -> None:
    read(here)
    with pytest.raises(InvalidFile, match="the field 'name' is missing"):
        DocumentReader(here / "cache").read(here / "a.yaml", "odps")


def test_a_file_with_an_error_is_never_remembered(here: Path, judged: list[str]) -> None:
    write(here / "a.yaml", TEXT.replace('"id": "shop.sales"', '"id": 5'))
    for _ in range(2):
        known = DocumentReader(here / "cache")
        with pytest.raises(InvalidFile, match=r"^a.yaml:4: id: 5 is a number, not a text; put it in quotes$"):
            known.read(here / "a.yaml", "odcs")
        known.save()
    assert judged == ["a.yaml", "a.yaml"]
    assert not file(here).exists()


def test_what_is_asked_before_the_standard_is_asked_only_of_what_is_not_known(here: Path) -> None:
    asked: list[Path] = []
    for _ in range(2):
        known = DocumentReader(here / "cache")
        known.read(here / "a.yaml", "odcs", lambda document: asked.append(document.path))
        known.save()
    assert asked == [here / "a.yaml"]


def test_an_error_found_later_points_at_its_line_also_from_memory(here: Path) -> None:
    said = [str(read(here)[0].error(["schema", 0, "properties", 1, "name"], "wrong")) for _ in range(2)]
    assert said == ["a.yaml:21: schema.0.properties.1.name: wrong"] * 2


def test_what_belongs_to_no_file_any_more_is_forgotten(here: Path, judged: list[str]) -> None:
    write(here / "b.yaml", TEXT.replace("shop.sales", "shop.more"))
    read(here, "a.yaml", "b.yaml")
    assert entries(here) == 2
    read(here, "b.yaml")
    assert entries(here) == 1
    read(here, "b.yaml")
    assert judged == ["a.yaml", "b.yaml"]


def test_a_cache_that_fits_is_not_written_again(here: Path) -> None:
    read(here)
    before = file(here).stat()
    read(here)
    assert (file(here).stat().st_ino, file(here).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert [path.name for path in file(here).parent.iterdir()] == ["documents-"]


DAMAGE = {
    "empty": lambda whole: b"",
    "cut off": lambda whole: whole[:-20],
    "its first line gone": lambda whole: whole.partition(b"\n")[2],
    "a value edited": lambda whole: whole.replace(b"the price", b"the prise"),
    "a line twice": lambda whole: whole + whole.splitlines(keepends=True)[1],
    "no text": lambda whole: bytes(range(256)),
    "other JSON": lambda whole: b"[]\n{}\n",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_passed_over_and_made_anew(here: Path, judged: list[str], damage: str) -> None:
    first = read(here)
    whole = file(here).read_bytes()
    file(here).write_bytes(DAMAGE[damage](whole))
    assert read(here) == first
    assert file(here).read_bytes() == whole
    assert judged == ["a.yaml", "a.yaml"]


def test_the_cache_of_another_kit_is_passed_over_and_made_anew(
    here: Path, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(cache, "_code_digest", lambda: "another")
        read(here)
    read(here)
    read(here)
    assert judged == ["a.yaml", "a.yaml"]


@pytest.mark.parametrize("kind", ["a file instead of the folder", "a folder instead of the file", "links in a circle"])
def test_a_cache_that_cannot_be_written_changes_nothing(here: Path, kind: str) -> None:
    if kind == "a file instead of the folder":
        (here / "cache").write_text("")
    elif kind == "a folder instead of the file":
        file(here).mkdir(parents=True)
    else:
        (here / "cache").symlink_to("cache")
    assert read(here) == read(here) == [Document(here / "a.yaml", TEXT, json.loads(TEXT))]


def test_a_mesh_from_memory_is_equal_and_follows_every_change(here: Path) -> None:
    many(here, 8)
    domains, cache = here / "domains", here / "cache"
    mesh = Mesh.load(domains)
    assert (len(mesh.products), mesh.broken) == (8, ())
    assert Mesh.load(domains, cache) == Mesh.load(domains, cache) == mesh
    assert sum(len(path.read_text().splitlines()) - 1 for path in cache.glob("documents-*")) == 8 + 8 + 12
    lines = domains / "d0003/contracts/lines.odcs.yaml"
    lines.write_text(lines.read_text().replace('"maximum": 100', '"maximum": 101'))
    assert Mesh.load(domains, cache) == Mesh.load(domains) != mesh
    assert len((cache / "documents-d0003").read_text().splitlines()) - 1 == 1 + 2


def test_messages_are_the_same_from_memory(small: SmallMesh) -> None:
    cache = small.config.cache
    assert Mesh.load(small.domains, cache).broken == ()
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"name": "amount"', '"name": "Amount"')
    small.replace("domains/plan/product.odps.yaml", '"contractId": "plan.forecast"', '"contractId": "plan.other"')
    said = [[str(item.finding) for item in Mesh.load(small.domains, folder).broken] for folder in (None, cache, cache)]
    expected = [
        "domains/plan/product.odps.yaml:22: outputPorts.0.contractId: 'plan.other' must be 'plan.forecast'",
        "domains/shop/contracts/totals.odcs.yaml:23: schema.0.properties.1.name: 'Amount' is not a name; use a-z, 0-9 and _, "
        "a letter first, at most 63",
    ]
    assert said == [expected] * 3


LOAD = """
import sys
from kit.core.config import Config
from kit.mesh import Mesh
config = Config.load()
mesh = Mesh.load(config.domains, config.cache)
print(len(mesh.products), [name for name in ("jsonschema", "open_data_contract_standard") if name in sys.modules])
"""


def test_a_mesh_from_memory_needs_no_json_schema(small: SmallMesh) -> None:
    said = [
        subprocess.run([sys.executable, "-c", LOAD], cwd=small.root, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert said == ["2 ['jsonschema']\n", "2 []\n"]


def test_processes_that_write_at_once_leave_a_whole_cache(small: SmallMesh, judged: list[str]) -> None:
    running = [
        subprocess.Popen([sys.executable, "-c", LOAD], cwd=small.root, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    assert [process.communicate()[0].split()[0] for process in running] == ["2"] * 4
    assert Mesh.load(small.domains, small.config.cache) == small.mesh
    assert len(judged) == 6  # by small.mesh, which remembers nothing
