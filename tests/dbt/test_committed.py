from pathlib import Path

import pytest

from kit.core.errors import InvalidFile
from kit.dbt.committed import check_macros, files, macros, macros_path, write_macros
from tests.support.small_mesh import SmallMesh, write

PROFILE = """\
# Written by `kit sync` for dbt by itself. Do not edit: `kit check` compares it. Builds use a profile of their own.
# The first `kit run shop` makes the database. Paths begin here, where dbt is started.
kit:
  target: dev
  outputs:
    dev:
      type: duckdb
      path: "{{ env_var('KIT_STORAGE', '../../.mesh') }}/dbt/shop.duckdb"
      attach:
        - {path: "{{ env_var('KIT_STORAGE', '../../.mesh') }}/mesh.duckdb", alias: mesh, read_only: true}
      threads: 1
"""


def test_a_dbt_project_has_macros_and_a_profile_without_absolute_paths(tmp_path: Path) -> None:
    folder = tmp_path / "domains/shop"
    assert files(folder, tmp_path, tmp_path / ".mesh") == {}
    write(folder / "dbt_project.yml", "name: shop\n")
    assert files(folder, tmp_path, tmp_path / ".mesh") == {
        folder / "macros/kit.sql": macros(),
        folder / "profiles.yml": PROFILE,
    }
    shared = files(folder, tmp_path, Path("/mnt/mesh"))[folder / "profiles.yml"]
    assert '''path: "{{ env_var('KIT_STORAGE', '/mnt/mesh') }}/dbt/shop.duckdb"''' in shared


def test_macros_lie_in_the_first_folder_of_macros_that_is_inside(tmp_path: Path) -> None:
    write(tmp_path / "dbt_project.yml", "name: shop\nmacro-paths: [../theirs, own/macros, more]\n")
    assert macros_path(tmp_path) == tmp_path / "own/macros/kit.sql"
    with pytest.raises(InvalidFile, match="is missing; run `kit sync`"):
        check_macros(tmp_path)
    write_macros(tmp_path)
    check_macros(tmp_path)


def test_a_build_refuses_other_macros(small: SmallMesh) -> None:
    with (small.domains / "shop/macros/kit.sql").open("a") as file:
        file.write("\n")
    outcome = small.build("shop")
    assert outcome.status == "failed"
    assert outcome.message.endswith("domains/shop/macros/kit.sql: differs from the macros of the kit; run `kit sync`")
