"""What an asset notebook uses: its inputs, and the port it makes. The same calls work by hand and in a build."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.contracts import Check, Contract, explain, merged
from kit.core import Config, KitError, NotATable, UnknownName, database, read_json
from kit.mesh import DESCRIPTOR, Context, DataProduct
from kit.quality import quarantine
from kit.storage import Snapshot, Store, hold_until_exit, serving_port

if TYPE_CHECKING:
    import polars as pl

RUN_FILE = "KIT_RUN_FILE"
"""Environment variable a build sets for its notebooks: the path of a JSON file with pins and staging folder."""


# How other things become a DataFrame.
_INSTEAD = {
    "LazyFrame": "collect() it first", "Series": "to_frame() it first", "DuckDBPyRelation": "take its pl()",
    "GroupBy": "aggregate it first", "DataFrameGroupBy": "aggregate it first", "Table": "wrap it in pl.DataFrame()",
}  # fmt: skip


@dataclass(frozen=True)
class Inputs:
    """The declared inputs of an asset notebook, each pinned to one snapshot for the whole run."""

    files: Mapping[str, tuple[Path, ...]]
    versions: Mapping[str, str]

    def parquet(self, port: str) -> list[Path]:
        """The files of a port; raises `UnknownName` for one that is no declared input."""
        if port not in self.files:
            there = ", ".join(sorted(self.files)) or "none"
            raise UnknownName(f"'{port}' is no declared input; there are: {there}. Declare it in {DESCRIPTOR}")
        return list(self.files[port])

    def scan(self, port: str) -> "pl.LazyFrame":
        """A port as a polars LazyFrame; raises `UnknownName` for one that is no declared input."""
        import polars as pl

        return pl.scan_parquet(self.parquet(port), glob=False)

    def read(self, port: str) -> "pl.DataFrame":
        """A port as a polars DataFrame; raises `UnknownName` for one that is no declared input."""
        return self.scan(port).collect()


@dataclass(frozen=True)
class Preview:
    """What `output` shows: the table and how it stands against its contract, if it has one. Nothing was published."""

    port: str
    frame: "pl.DataFrame"
    checks: tuple[Check, ...] | None

    @property
    def passed(self) -> bool:
        """Whether a build would publish this table."""
        return self.checks is not None and not any(check.blocks for check in self.checks)

    def __repr__(self) -> str:
        return "\n".join(filter(None, (self._verdict(), explain(self.checks or ()), str(self.frame))))

    def _repr_html_(self) -> str:
        checks = self.checks or ()
        failed = f"<pre>{escape(explain(checks))}</pre>" if not all(check.passed for check in checks) else ""
        color = "inherit" if self.checks is None else "#1a7f37" if self.passed else "#b42318"
        return f"<p style='color:{color}'><b>{escape(self._verdict())}</b></p>{failed}{self.frame._repr_html_()}"

    def _verdict(self) -> str:
        if self.checks is None:
            return (
                f"{self.port}: {self.frame.height:,} rows. No product makes this port yet: "
                f"kit promote NOTEBOOK --product PRODUCT --port {self.port}"
            )
        good = sum(check.passed for check in self.checks)
        what = "A build would publish it." if self.passed else "A build would refuse it."
        return f"{self.port}: {self.frame.height:,} rows, {good} of {len(self.checks)} checks passed. {what}"


def inputs() -> Inputs:
    """The inputs of the notebook this is called in: those its build pinned or, by hand, the current snapshots.

    Raises `KitError` outside a domain folder and `NotPublished` for an input that has no snapshot yet.
    """
    run = _run()
    if run is not None:
        pins = run["inputs"]
        files = {port: tuple(map(Path, pin["files"])) for port, pin in pins.items()}
        return Inputs(files, {port: pin["version"] for port, pin in pins.items()})
    context = Context.load()
    return _current(context.config, _product_here(context))


def output(port: str, frame: Any) -> Preview | None:
    """Hand over the table a notebook makes, as a polars (or pandas) DataFrame.

    In a build it is staged for audit and publication. By hand it is held against its contract and shown, not
    published; outside a domain folder it is only shown. Columns and types must be the contract's; raises `KitError` when
    they are not.
    """
    table = _table(frame)
    run = _run()
    if run is not None:
        if port != run["port"]:
            raise UnknownName(f"this notebook makes the port '{run['port']}', not '{port}'")
        target = Path(run["staged"])
        if target.exists():
            raise KitError(f"kit.output('{port}', …) was called twice in one run; call it once, at the end")
        # A trial has no contract yet: one is drafted from what the notebook makes.
        _write(table, Contract.load(Path(run["contract"])) if run["contract"] else None, target)
        return None
    context = Context.load()
    config = context.config
    if _folder_here(config) is None:
        return Preview(port, table, None)
    product = _product_here(context)
    made = product.port(port)
    if made is None or made.notebook is None:
        there = ", ".join(p.name for p in product.ports if p.notebook) or "none"
        raise UnknownName(f"'{product.name}' has no notebook port '{port}'; there are: {there}")
    from kit.quality import AuditTarget, audit

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "data.parquet"
        _write(table, made.contract, target)
        tables = {**_current(config, product).files, port: [target]}
        checks: list[Check] = []
        if made.contract.quarantining:
            part = quarantine.SplitFile(target, Path(folder) / "aside.parquet")
            quarantine.set_aside(made.contract, target, tables, part)
            checks += quarantine.checks(made.contract, port, [part])
        checks += audit([AuditTarget.from_port(made)], tables, config.clock())
    return Preview(made.id, table, tuple(merged(checks)))


def _run() -> dict[str, Any] | None:
    path = os.environ.get(RUN_FILE)
    return read_json(Path(path)) if path else None


def serving_table(config: Config, port: str, snapshot: Snapshot) -> str:
    """The table of a snapshot that serves `port` here: by hand, too, a domain reads the version it declares.

    Raises `NotPublished` when the snapshot has no longer, or not yet, what the domain declares.
    """
    folder = _folder_here(config)
    declared = []
    if folder is not None:
        with suppress(KitError):  # a broken domain can still look around
            product = DataProduct.load(folder)
            declared = [item for item in product.inputs if item.name == port]
    return serving_port(product, declared[0], snapshot) if declared else port.partition(".")[2]


def _folder_here(config: Config) -> Path | None:
    """The domain folder that the notebook this is called in belongs to."""
    here = Path.cwd().resolve()
    folders = [folder for folder in (here, *here.parents) if folder.parent == config.domains.resolve()]
    return next((folder for folder in folders if (folder / DESCRIPTOR).is_file()), None)


def _product_here(context: Context) -> DataProduct:
    folder = _folder_here(context.config)
    if folder is None:
        here = Path.cwd().resolve()
        raise KitError(f"{here} lies in no domain folder; keep asset notebooks in domains/<product>/notebooks/")
    return context.mesh.product(folder.name)


def _current(config: Config, product: DataProduct) -> Inputs:
    store = Store(config.storage)
    own = {item for made in product.ports for item in made.reads if item.product == product.name}
    files, versions = {}, {}
    snapshots: dict[str, Snapshot] = {}
    for item in sorted({*product.inputs, *own}, key=lambda item: item.name):
        name = item.product
        if name == product.name and store.read_pointer(name) is None:
            continue  # its own earlier ports, before the first build
        if name not in snapshots:
            snapshots[name] = hold_until_exit(store.open(name))
        table = serving_port(product, item, snapshots[name])
        files[item.name], versions[item.name] = tuple(snapshots[name].files(table)), snapshots[name].version
    return Inputs(files, versions)


def _table(frame: Any) -> "pl.DataFrame":
    """The frame as polars has it; raises `KitError` for what is none, or would lose something on the way."""
    import polars as pl

    if isinstance(frame, pl.DataFrame):
        return frame
    name, module = type(frame).__name__, type(frame).__module__
    if name != "DataFrame" or module.partition(".")[0] != "pandas":
        raise NotATable(f"kit.output takes a polars or pandas DataFrame, not a {name}; {_INSTEAD.get(name, 'make it one')}")
    if index := [str(level) for level in frame.index.names if level is not None]:
        raise KitError(f"the index of the frame holds {', '.join(index)}, which a port would lose; reset_index() first")
    return pl.DataFrame(frame)


def _write(table: "pl.DataFrame", contract: Contract | None, target: Path) -> None:
    if contract is None:
        table.write_parquet(target)
        return
    names = [column.name for column in contract.columns]
    ordered = table.select([n for n in names if n in table.columns] + [c for c in table.columns if c not in names])
    ordered.write_parquet(target)
    with database.connect() as connection:
        database.add_views(connection, {"candidate": [target]})
        problems = contract.schema_problems(database.column_types(connection, "candidate"))
    if problems:
        target.unlink()
        raise KitError(f"'{contract.id}' breaks its contract: {'; '.join(problems)}")
