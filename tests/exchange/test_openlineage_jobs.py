import json
import subprocess

import pytest

from kit.core import git
from kit.exchange.openlineage_jobs import JobFacets, jobs, web_address
from tests.support.small_mesh import SmallMesh


def test_a_job_for_each_part_after_those_it_reads(small: SmallMesh) -> None:
    found = [(job.name, job.kind, job.reads, job.makes, job.path and job.path.name) for job in jobs(small.product("shop"))]
    assert found == [
        ("shop", "BUILD", (), "", "product.odps.yaml"),
        ("shop.raw.sales", "INGEST", (), "shop.raw.sales", "ingest.py"),
        ("shop.sales", "MODEL", ("shop.raw.sales",), "shop.sales", "sales.sql"),
        ("shop.totals", "MODEL", ("shop.sales",), "shop.totals", "totals.sql"),
        ("shop-audit", "TEST", ("shop.raw.sales", "shop.sales", "shop.totals"), "", None),
    ]
    (_, notebook, _) = jobs(small.product("plan"))
    assert (notebook.kind, notebook.reads, notebook.path and notebook.path.name) == (
        "NOTEBOOK", ("shop.totals",), "forecast.ipynb",
    )  # fmt: skip


def test_models_between_and_seeds_are_jobs_too(small: SmallMesh) -> None:
    shop = small.domains / "shop"
    (shop / "models/staging").mkdir()
    (shop / "models/staging/stg_sales.sql").write_text("select * from {{ source('raw', 'sales') }}")
    (shop / "seeds").mkdir()
    (shop / "seeds/names.csv").write_text("item,name\ntea,Tea\n")
    (shop / "models/marts/totals.sql").write_text("select * from {{ ref('stg_sales') }} join {{ ref('names') }} using (item)")
    found = {job.name: (job.kind, job.reads) for job in jobs(small.product("shop"))}
    assert found["shop.names"] == ("SEED", ())
    assert found["shop.stg_sales"] == ("MODEL", ("shop.raw.sales",))
    assert found["shop.totals"] == ("MODEL", ("shop.stg_sales", "shop.names"))


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/org/mesh.git", "https://github.com/org/mesh"),
        ("https://me:token@gitlab.example.com:8443/org/mesh.git", "https://gitlab.example.com:8443/org/mesh"),
        ("git@github.com:org/mesh.git", "https://github.com/org/mesh"),
        ("ssh://git@host.example.com:2222/org/mesh.git", "https://host.example.com/org/mesh"),
        ("/srv/git/mesh.git", ""), ("file:" + "///srv/git/mesh.git", ""), ("https://[", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_address_of_a_remote(remote: str, address: str) -> None:
    assert web_address(remote) == address


def test_code_is_at_the_remote_of_the_clone(small: SmallMesh) -> None:
    def run(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=small.root, check=True, capture_output=True)

    run("init", "-q")
    assert git.remote(small.root) is None
    run("remote", "add", "origin", "https://me:open-sesame@github.com/org/mesh.git")
    facets = JobFacets(small.context, small.product("shop"), "abc123-dirty")
    ingest = next(job for job in jobs(small.product("shop")) if job.kind == "INGEST")
    location = {key: value for key, value in facets.of(ingest)["sourceCodeLocation"].items() if key[0] != "_"}
    assert location == {
        "type": "git",
        "url": "https://github.com/org/mesh/blob/abc123/domains/shop/ingest.py",
        "path": "domains/shop/ingest.py",
        "version": "abc123-dirty",
        "repoUrl": "https://github.com/org/mesh",
    }
    plain = JobFacets(small.context, small.product("shop"), None).of(ingest)["sourceCodeLocation"]
    assert (plain["type"], plain["url"]) == ("file", (small.root / "domains/shop/ingest.py").as_uri())


def test_a_project_that_dbt_refuses_has_no_sql(small: SmallMesh) -> None:
    (small.domains / "shop/models/marts/totals.sql").write_text("select {{ no_such_macro() }}")
    facets = JobFacets(small.context, small.product("shop"), None)
    assert all("sql" not in json.dumps(list(facets.of(job))) for job in jobs(small.product("shop")))
