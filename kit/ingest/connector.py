"""The contract of a connector: a class that reads one stream of another system, found by its entry point."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar

from kit.core import (
    OLDER,
    IngestError,
    KitError,
    UnknownName,
    load_entry_point,
    missing_entry_points,
    points_of,
    there_are,
)  # fmt: skip

GROUP = "kit.connectors"
"""The entry points that name connectors: the name is the `kind`, the value a subclass of `Connector`."""

_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""The name of an environment variable."""

_ENVIRONMENT = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


@dataclass(frozen=True)
class StreamColumn:
    """A column of a stream: its type as contracts write it, and whether it is never null.

    `problem` says why no column of a contract can hold its values; then the type is empty.
    """

    name: str
    type: str
    required: bool = False
    description: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Origin:
    """A dataset outside of the mesh by its name in OpenLineage, such as `postgres://db:5432` and `shop.public.orders`.

    Neither part contains a user, a password or an option of an address. `columns` has the types of its columns where known.
    See https://openlineage.io/docs/spec/naming.
    """

    namespace: str
    name: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the dataset as JSON values, which `Origin(**values)` reads."""
        return {"namespace": self.namespace, "name": self.name, **({"columns": dict(self.columns)} if self.columns else {})}


@dataclass(frozen=True)
class Stream:
    """A table of another system: the `key` of its rows where the system knows it, and columns that may be a cursor.

    `origins` are the datasets that its rows come from, for the stream that a connector describes.
    """

    name: str
    columns: tuple[StreamColumn, ...]
    key: tuple[str, ...] = ()
    cursors: tuple[str, ...] = ()
    description: str = ""
    origins: tuple[Origin, ...] = ()

    @classmethod
    def from_json(cls, item: Mapping[str, Any]) -> "Stream":
        """Return the stream that `to_json` returned, after a way through JSON."""
        columns = tuple(StreamColumn(**column) for column in item["columns"])
        origins = tuple(Origin(**origin) for origin in item["origins"])
        return cls(item["name"], columns, tuple(item["key"]), tuple(item["cursors"]), item["description"], origins)

    def to_json(self) -> dict[str, Any]:
        """Return the stream as JSON values."""
        origins = [origin.to_json() for origin in self.origins]
        return {**vars(self), "columns": [vars(column) for column in self.columns], "origins": origins}

    @property
    def types(self) -> dict[str, str]:
        """The types of the columns by name."""
        return {column.name: column.type for column in self.columns}


@dataclass(frozen=True)
class State:
    """The place up to which a stream was read, as JSON values. It must contain no secret and no value of a hidden column."""

    value: Mapping[str, Any]


@dataclass(frozen=True)
class Environment:
    """A Python environment that a connector needs for itself: a name, and packages by their exact versions (`name==1.2.3`).

    The kit makes it below `connectors` in the storage, outside of the confinement, from wheels only: installing one runs no
    code of it. Raises `IngestError` for a package that is not pinned.
    """

    name: str
    packages: tuple[str, ...]

    def __post_init__(self) -> None:
        if not _ENVIRONMENT.fullmatch(self.name):
            raise IngestError(f"'{self.name}' cannot name the environment of a connector; use a-z, 0-9, '.', '_' and '-'")
        for package in self.packages:
            if not _PIN.fullmatch(package):
                raise IngestError(f"'{package}' is no exact version of a package; write one such as source-faker==7.2.1")


@dataclass(frozen=True)
class Declaration:
    """What `kit new source` writes for an origin: the arguments of the connector in `ingest.py`, as Python values.

    `stream` is the one that was asked for, None when the person has to choose. `variables` are environment variables that have
    to be set, with their values for the present call only; no file contains them. `files` are copied into the domain folder,
    under these names.
    """

    arguments: Mapping[str, Any]
    stream: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Path] = field(default_factory=dict)


Batch = Any
"""Rows of a stream: a path of a Parquet file, a polars frame, an Arrow table, a list of mappings, or one mapping."""


class Connector:
    """Reads one stream of another system; an instance is what a function of `ingest.py` returns.

    Its methods run in the confined process of `ingest.py`, and are called one after another. What they raise is one sentence of
    the build, which begins with the source: an `IngestError` as it is, with `passing` set to the reason when the next attempt
    may succeed; of another error its class and first line. A failure that may pass is tried again after `retry_seconds`.

    A connector whose `read` yields a `State` reads increments: the kit merges them by the key of the contract, and keeps the
    state in the manifest of the snapshot that they are published with.

    `kit check` makes an instance too, where the code has all arguments, and calls `check_declared`; builds call it first.
    """

    kind: ClassVar[str] = ""
    """The name of its entry point, and its kind in Dagster."""

    reads_each_row_once: ClassVar[bool] = False
    """Whether one read contains no row twice, as that of a database snapshot. Otherwise the last row of a key is kept."""

    retry_seconds: ClassVar[tuple[float, ...]] = (1, 4, 16)
    """The waits before further attempts."""

    stream: str = ""
    """The name of the stream, for messages."""

    cursor: str | None = None
    """The column by which it reads what is new, as the stream names it; None for a connector without increments."""

    deleted: str | None = None
    """The column that marks a deleted row, by true or by any value of another type; such rows are removed from raw data."""

    folder: Path = Path()
    """The domain folder, from before the first call of a method; paths of the declaration are relative to it."""

    environment: Path | None = None
    """The folder of the environment that it `requires`, from before the first call of a method."""

    def requires(self) -> Environment | None:
        """Return the environment it needs, None when it needs none."""
        return None

    @classmethod
    def known_environment(cls, first: str) -> Environment | None:
        """Return the environment that a connector needs with this first argument, so that it is made before it is asked for."""
        return None

    def declared(self) -> Mapping[str, Any]:
        """Return what decides on the rows it reads, as JSON values: when that changes, all rows are read again."""
        if not is_dataclass(self):
            raise NotImplementedError(f"{type(self).__name__} has no method declared()")
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def secrets(self) -> Sequence[str]:
        """Return the names of the environment variables it reads secrets from; no message contains their values."""
        return ()

    def check_declared(self) -> None:
        """Raise `IngestError` for what is wrong with what was declared, and with files of it. Asks no system."""

    def check(self) -> None:
        """Raise `IngestError` when the system cannot be reached, or does not let this user read the stream."""
        raise NotImplementedError

    def discover(self) -> Sequence[Stream]:
        """Return the streams of the system that can be read."""
        raise NotImplementedError

    def describe(self) -> Stream | None:
        """Return the stream of this source with its `origins`, which lineage names as the inputs of the source.

        None where that costs more than a moment: then the rows show their columns.
        """
        return None

    def read(self, state: Mapping[str, Any] | None) -> Iterator[Batch | State]:
        """Yield rows in batches, and states; the last state counts.

        Without `state` all rows are read, else those since the `read` that yielded it. The rows at the boundary may come again.
        """
        raise NotImplementedError

    def preview(self) -> Iterator[Batch | State]:
        """Yield some rows; only the first batch is used."""
        return self.read(None)

    @classmethod
    def declare(cls, origin: str, source: str, folder: Path) -> Declaration:
        """Return how `kit new source PRODUCT.SOURCE --from KIND:ORIGIN` declares it in a folder; raises `IngestError`."""
        raise IngestError(f"'{cls.kind}' connectors cannot be made from '{origin}'; write the function in ingest.py by hand")

    def digest(self) -> str:
        """Return a digest of the kind and of what was declared."""
        text = json.dumps([self.kind or type(self).__qualname__, self.declared()], sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def connector_kinds() -> list[str]:
    """Return the kinds of connectors that are installed, with those of the kit that an older environment lacks."""
    return sorted({*(point.name for point in points_of(GROUP)), *missing_entry_points(GROUP)})


def connector_class(kind: str) -> type[Connector]:
    """Return the connector of a kind; raises `UnknownName` for one that is not installed, `IngestError` for a broken one."""
    for point in (point for point in points_of(GROUP) if point.name == kind):
        try:
            found = load_entry_point(point)
        except KitError as error:
            raise IngestError(f"the connector '{kind}' {error}") from None
        if not (isinstance(found, type) and issubclass(found, Connector)):
            raise IngestError(f"the entry point '{kind}' of {GROUP} is {point.value}, which is no Connector")
        return found
    if kind in missing_entry_points(GROUP):
        raise IngestError(f"the connector '{kind}' is not installed, because {OLDER}")
    raise UnknownName(f"there is no connector '{kind}'; {there_are(kind, connector_kinds())}")
