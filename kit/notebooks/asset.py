"""The functions an asset notebook calls for its inputs and its port. They work the same by hand and in a build."""

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit.contracts import Check, Contract, explain, merged
from kit.core import (
    AuditFailed,
    Config,
    KitError,
    UnknownName,
    calling_notebook,
    counted,
    database,
    frame_types,
    is_attended,
    there_are,
)
from kit.mesh import DESCRIPTOR, Context, DataProduct, InputPort, OutputPort
from kit.notebooks.notebook_run import current_run
from kit.notebooks.ports_read import note_read
from kit.notebooks.table import as_table
from kit.quality import AuditTarget, check_tables, quarantine
from kit.storage import Snapshot, SnapshotLock, Store, hold_until_exit, serving_port, shared

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Inputs:
    """The declared inputs of an asset notebook, each pinned to one snapshot for the whole run.

    By hand, `leases` keep the snapshots from being pruned while this object or a frame of it lives.
    """

    files: Mapping[str, tuple[Path, ...]]
    versions: Mapping[str, str]
    leases: tuple[SnapshotLock, ...] = field(default=(), repr=False, compare=False)

    def parquet(self, port: str) -> list[Path]:
        """Return the files of a port; raises `UnknownName` for a port that is not a declared input.

        By hand, the snapshots are not pruned while this process lives.
        """
        for lease in self.leases:
            hold_until_exit(lease)
        return self._files(port)

    def _files(self, port: str) -> list[Path]:
        if port not in self.files:
            raise UnknownName(
                f"'{port}' is no declared input; {there_are(port, sorted(self.files))}. Declare it in {DESCRIPTOR}"
            )
        note_read(port)
        return list(self.files[port])

    def scan(self, port: str) -> "pl.LazyFrame":
        """Return a port as a polars LazyFrame; raises `UnknownName` for a port that is not a declared input."""
        return leased(frame_types.scan(self._files(port)), self.leases)

    def read(self, port: str) -> "pl.DataFrame":
        """Return a port as a polars DataFrame; raises `UnknownName` for a port that is not a declared input."""
        return self.scan(port).collect()


def leased(frame: "pl.LazyFrame", leases: Sequence[SnapshotLock]) -> "pl.LazyFrame":
    """Return the same frame, whose plan, and those of all frames derived from it, hold `leases`."""

    def unchanged(batch: "pl.DataFrame", held: Sequence[SnapshotLock] = leases) -> "pl.DataFrame":
        return batch

    if not leases:
        return frame
    # All optimizations pass through it, so the scan still reads only the columns and row groups that are needed.
    return frame.map_batches(unchanged, predicate_pushdown=True, projection_pushdown=True, slice_pushdown=True, streamable=True)


@dataclass(frozen=True)
class Preview:
    """The result of `output` by hand: the table, and its checks if it has a contract. Nothing was published.

    `made` names the ports of that name which products make, where the notebook lies in no domain folder.
    """

    port: str
    frame: "pl.DataFrame"
    checks: tuple[Check, ...] | None
    made: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether a build would publish this table."""
        return self.checks is not None and not any(check.blocks for check in self.checks)

    def __repr__(self) -> str:
        return "\n".join(filter(None, (self.verdict(), explain(self.checks or ()), str(self.frame))))

    def _repr_html_(self) -> str:
        from kit.drawing import markup

        checks = self.checks or ()
        failed = f"<pre>{escape(explain(checks))}</pre>" if not all(check.passed for check in checks) else ""
        style = "" if self.checks is None else markup.text_colour(markup.GOOD if self.passed else markup.BAD)
        return f"<p style='{style}'><b>{escape(self.verdict())}</b></p>{failed}{self.frame._repr_html_()}"

    def verdict(self) -> str:
        """Say whether a build would publish this table."""
        rows = counted(self.frame.height, "row")
        if self.made:
            return (
                f"{self.port}: {rows}. Nothing was checked: this notebook lies in no domain folder, "
                f"and {' and '.join(self.made)} is made elsewhere; `kit run` builds it"
            )
        if self.checks is None:
            return (
                f"{self.port}: {rows}. No product makes this port yet: "
                f"kit promote NOTEBOOK --product PRODUCT --port {self.port}"
            )
        passed = sum(check.passed for check in self.checks)
        verdict = "A build would publish it." if self.passed else "A build would refuse it."
        return f"{self.port}: {rows}, {passed} of {counted(len(self.checks), 'check')} passed. {verdict}"


def inputs() -> Inputs:
    """Return the inputs of the calling notebook: those that its build pinned or, by hand, the current snapshots.

    Raises `KitError` outside a domain folder and `NotPublished` for an input that has no snapshot yet.

    >>> sales = kit.inputs().read("orders.daily_sales")
    """
    run = current_run()
    if run is not None:
        pins = run["inputs"]
        files = {port: tuple(map(Path, pin["files"])) for port, pin in pins.items()}
        return Inputs(files, {port: pin["version"] for port, pin in pins.items()})
    context = Context.load()
    return _current_inputs(context.config, _own_product(context))


def output(port: str, frame: Any) -> Preview | None:
    """Hand over the table that a notebook makes, as a polars (or pandas) DataFrame.

    In a build it is staged for audit and publication. By hand it is checked against its contract and shown, not published;
    outside a domain folder it is only shown. Raises `KitError` when columns or types differ from those of the contract, and
    where an index, names or values of the frame would be lost; `AuditFailed` for rows that break the contract where nobody
    sees the verdict, as under papermill.

    >>> kit.output("baskets_by_day", frame)
    """
    table = as_table(frame)
    run = current_run()
    if run is not None:
        if port != run["port"]:
            raise UnknownName(f"this notebook makes the port '{run['port']}', not '{port}'")
        target = Path(run["staged"])
        if target.exists():
            raise KitError(f"kit.output('{port}', …) was called twice in one run; call it once, at the end")
        # A preview has no contract yet: the contract is drafted from the staged table.
        _write(table, Contract.load(Path(run["contract"])) if run["contract"] else None, target)
        return None
    context = Context.load()
    config = context.config
    if _own_folder(config) is None:
        made = (item.id for item in context.mesh.ports if item.name == port)
        return Preview(port, table, None, tuple(made))
    product = _own_product(context)
    declared = product.port(port)
    if declared is None or declared.notebook is None:
        known = there_are(port, (item.name for item in product.ports if item.notebook))
        raise UnknownName(f"'{product.name}' has no notebook port '{port}'; {known}")
    preview = preview_of(config, product, declared, table)
    if not preview.passed and not is_attended():
        raise AuditFailed(f"{preview.verdict()}\n{explain(preview.checks or ())}")
    return preview


def preview_of(config: Config, product: DataProduct, port: OutputPort, frame: Any, *, suites: bool = True) -> Preview:
    """Check a frame as the build of a port would, on current inputs, and return the verdict; nothing is published.

    Without `suites` the rules of its contract count only, and not those that its team or consumers add. Raises `KitError`
    when columns or types differ from those of the contract.
    """
    table = as_table(frame)
    last = Store(config.storage).current(product.name)
    target = AuditTarget.from_port(port) if suites else AuditTarget(port.name, port.contract)
    with tempfile.TemporaryDirectory() as folder:
        split = quarantine.SplitFile(Path(folder, "data.parquet"), Path(folder, "aside.parquet"))
        _write(table, port.contract, split.stays)
        current = _current_inputs(config, product)
        tables = {**current.files, port.name: [split.stays]}
        quarantine.set_aside(port.contract, split.stays, tables, split)
        manifest = last.manifest if last else None
        checks = check_tables([target], tables, {port.name: [split]}, config.clock(), manifest)
    return Preview(port.id, table, tuple(merged(checks)))


def serving_table(config: Config, port: str, snapshot: Snapshot) -> str:
    """Return the table of a snapshot that serves `port` for the domain in whose folder this is called.

    Raises `NotPublished` when the snapshot does not contain the version that the domain declares.
    """
    folder = _own_folder(config)
    declared: list[InputPort] = []
    if folder is not None:
        with suppress(KitError):  # notebooks of a broken domain can still read ports
            product = DataProduct.load(folder)
            declared = [item for item in product.inputs if item.name == port]
    return serving_port(product, declared[0], snapshot) if declared else port.partition(".")[2]


def _own_folder(config: Config) -> Path | None:
    """Return the domain folder of the calling notebook, else of the working directory; None outside the domains."""
    return next(filter(None, (_domain_above(config, place) for place in (calling_notebook(), Path.cwd()))), None)


def _domain_above(config: Config, place: Path | None) -> Path | None:
    folders = [place, *place.parents] if (place := place and place.resolve()) else []
    own = [folder for folder in folders if folder.parent == config.domains.resolve()]
    return next((folder for folder in own if (folder / DESCRIPTOR).is_file()), None)


def _own_product(context: Context) -> DataProduct:
    folder = _own_folder(context.config)
    if folder is None:
        current = (calling_notebook() or Path.cwd()).resolve()
        raise KitError(f"{current} lies in no domain folder; keep asset notebooks in domains/<product>/notebooks/")
    return context.mesh.product(folder.name)


def _current_inputs(config: Config, product: DataProduct) -> Inputs:
    store = Store(config.storage)
    own = {item for output_port in product.ports for item in output_port.reads if item.product == product.name}
    files, versions = {}, {}
    leases: dict[str, SnapshotLock] = {}
    for item in sorted({*product.inputs, *own}, key=lambda item: item.name):
        name = item.product
        if name == product.name and store.read_pointer(name) is None:
            continue  # its own earlier ports, before the first build
        if name not in leases:
            leases[name] = shared(store.open(name))
        snapshot = leases[name].snapshot
        table = serving_port(product, item, snapshot)
        files[item.name], versions[item.name] = tuple(snapshot.files(table)), snapshot.version
    return Inputs(files, versions, tuple(leases.values()))


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
