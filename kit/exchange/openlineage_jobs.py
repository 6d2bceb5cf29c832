"""The jobs of a build in OpenLineage: the product, each source, model and notebook of it, and its audit."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from kit.core import KitError, Secrets, git
from kit.dbt.project import Project
from kit.exchange.openlineage_facets import facets
from kit.exchange.sql_text import without_literals
from kit.lineage import product_nodes, sql_references
from kit.mesh import RAW, Context, DataProduct

BUILD, INGEST, MODEL, SEED, NOTEBOOK, AUDIT = "BUILD", "INGEST", "MODEL", "SEED", "NOTEBOOK", "TEST"
_INTEGRATIONS = {INGEST: "KIT", MODEL: "DBT", SEED: "DBT", NOTEBOOK: "PAPERMILL", AUDIT: "GREAT_EXPECTATIONS", BUILD: "KIT"}
_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)([^:/]+)(?::\d+/|[:/])(.+)")


@dataclass(frozen=True)
class Job:
    """One job: `reads` and `makes` are tables as `LineageNode` names them, `path` is the file with its code.

    The job that makes a table has the name of the table. The product has its own name, and its audit `PRODUCT-audit`, which
    no table can have.
    """

    name: str
    kind: str
    description: str = ""
    reads: tuple[str, ...] = ()
    makes: str = ""
    path: Path | None = None
    tags: tuple[str, ...] = field(default=())


def jobs(product: DataProduct) -> tuple[Job, ...]:
    """Return the jobs of a product: itself, then each job after those whose tables it reads, the audit last."""
    project = Project.read(product.folder)
    paths = {f"{product.name}.{model.name}": model.path for model in project.models}
    ports = {port.id: port for port in product.ports}
    contracts = {f"{product.name}.{RAW}.{source.name}": source.contract for source in product.sources}
    contracts |= {port.id: port.contract for port in product.ports}
    nodes = product_nodes(product, project)
    found = [Job(product.name, BUILD, product.description, path=product.folder / "product.odps.yaml", tags=product.tags)]
    for node in nodes:
        path, kind = paths.get(node.id), MODEL
        if node.kind == "source":
            path, kind = product.folder / "ingest.py", INGEST
        elif node.kind == "notebook":
            path, kind = ports[node.id].notebook, NOTEBOOK
        elif path is not None and path.suffix == ".csv":
            kind = SEED
        tags = contracts[node.id].tags if node.id in contracts else ()
        found.append(Job(node.id, kind, node.description, node.reads, node.id, path, tags))
    tables = tuple(node.id for node in nodes if node.kind != "model")
    checked = f"The checks of {product.name}: contracts, suites, consumers and dbt tests."
    return (*found, Job(f"{product.name}-audit", AUDIT, checked, tables))


class JobFacets:
    """The facets of the jobs of one product; reads its SQL once."""

    def __init__(self, context: Context, product: DataProduct, commit: str | None) -> None:
        self.config, self.product, self.commit = context.config, product, commit
        self.repository = git.remote(self.config.root) if commit else None
        try:
            statements = sql_references(self.config, product) if product.has_dbt else {}
        except KitError:  # the build reports it
            statements = {}
        self.sql = {f"{product.name}.{text.name}": text.sql for text in statements if text.kind == "model"}
        self.secrets = Secrets.from_environment(self.config)

    def of(self, job: Job, connector: str = "") -> dict[str, dict[str, Any]]:
        """Return the facets of a job; the integration of a source is its connector, if it has one."""
        integration = connector.upper() or _INTEGRATIONS[job.kind]
        owners = [{"name": self.product.owner_contact, "type": "OWNER"}]
        query = without_literals(self.sql[job.name]) if job.kind == MODEL and job.name in self.sql else None
        tags = [{"key": tag, "value": "true", "source": "contract"} for tag in job.tags]
        return facets(
            JobTypeJobFacet={"processingType": "BATCH", "integration": integration, "jobType": job.kind},
            DocumentationJobFacet={"description": job.description} if job.description else None,
            OwnershipJobFacet={"owners": owners},
            SourceCodeLocationJobFacet=self._location(job.path) if job.path else None,
            SQLJobFacet={"query": query, "dialect": "duckdb"} if query else None,
            TagsJobFacet={"tags": tags} if tags else None,
        )

    def _location(self, path: Path) -> dict[str, Any]:
        """Where the code of a job is: at the remote of the clone, without one in the work tree."""
        place, root = path.resolve(), self.config.root.resolve()
        name = place.relative_to(root).as_posix() if place.is_relative_to(root) else ""
        if not self.repository or not self.commit or not name:
            return {"type": "file", "url": place.as_uri(), **({"path": name} if name else {})}
        name, commit = f"{self.repository.prefix}{name}", self.commit.removesuffix("-dirty")
        address = web_address(self.repository.url)
        url = f"{address}/blob/{commit}/{quote(name)}" if address else place.as_uri()
        return {"type": "git", "url": url, "path": name, "version": self.commit, **({"repoUrl": address} if address else {})}


def web_address(remote: str) -> str:
    """Return the address of a repository for a browser, without a user or password; empty when it has none."""
    if match := _SSH.fullmatch(remote) if "://" not in remote or remote.startswith("ssh://") else None:
        return f"https://{match[1]}/{match[2].removesuffix('.git')}"
    try:
        parts = urlsplit(remote)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return ""
    return f"{parts.scheme}://{host}{parts.path.removesuffix('.git')}" if parts.scheme in ("http", "https") and host else ""
