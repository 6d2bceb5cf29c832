"""The databases of dbt outside of builds: in each, the sources of one product, so that plain `dbt build` finds them."""

from collections.abc import Iterable, Iterator

from kit.build import BuildPlan, Listener
from kit.core import Config, KitError, database, make_folder, write_durably
from kit.dbt.committed import database_path, sources_folder
from kit.exchange.mesh_database import FILE
from kit.mesh import RAW, DataProduct
from kit.storage import BuildStatus, RunRecord


class DbtDatabase(Listener):
    """Gives the database of a product the sources that its published snapshot was made from."""

    def finished(self, config: Config, product: DataProduct, record: RunRecord, plan: BuildPlan | None) -> None:
        """Add the sources after a publication."""
        if plan and product.has_dbt and record.status == BuildStatus.PUBLISHED:
            add_sources(config, product, plan)


def add_sources(config: Config, product: DataProduct, plan: BuildPlan) -> None:
    """Make views of the inputs and the raw sources of a product in the database that its `profiles.yml` names.

    Inputs are read through `mesh.duckdb`, which the profile attaches, raw sources from the files that the build has left, with
    all columns. Their places stay the same, so that the database, which dbt and other programs keep open, is opened only
    when the columns have changed. Raises `KitError` when it is in use then.
    """
    import duckdb

    path = database_path(config.storage, product.name)
    known = sources_folder(config.storage, product.name) / "views.sql"
    script = "".join(f"{statement};\n" for statement in _statements(config, product, plan))
    if path.is_file() and known.is_file() and known.read_text(encoding="utf-8") == script:
        return
    make_folder(known.parent)
    try:
        with database.connect(path) as connection:
            connection.execute(f"attach {database.literal(str(config.storage / FILE))} as mesh (read_only)")
            connection.execute(f"begin; {script} commit;")
    except duckdb.Error as error:
        reason = "another program has it open; close it" if "lock" in str(error) else str(error).splitlines()[0]
        raise KitError(f"{path} has older sources: {reason}, then run `kit run {product.name} --force`") from None
    write_durably(known, script)


def _statements(config: Config, product: DataProduct, plan: BuildPlan) -> Iterator[str]:
    """Yield the statements that make the views; they differ whenever a view would."""
    for name, pin in plan.inputs.pins.items():
        facts = pin.snapshot.port(pin.port.partition(".")[2]).get("about", {})
        # Named one by one: the provider may add columns before this product is built again.
        columns = _columns((column, kind) for column, kind, _ in facts.get("columns", ()))
        yield from _view(name, f"select {columns} from mesh.{database.quoted(pin.port)}")
    folder = sources_folder(config.storage, product.name)
    for source in product.sources:
        columns = _columns((column.name, column.type) for column in source.contract.columns)
        yield from _view(
            f"{RAW}.{source.name}", f"select {columns} from {database.parquet([folder / f'{source.name}.parquet'])}"
        )


def _columns(columns: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{database.identifier(column)} /* {kind} */" for column, kind in columns) or "*"


def _view(name: str, query: str) -> Iterator[str]:
    schema, _, _ = name.partition(".")
    yield f"create schema if not exists {database.identifier(schema)}"
    yield f"create or replace view {database.quoted(name)} as {query}"
