"""Data contracts in ODCS, read into immutable values."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from kit.contracts.column_type import column_type
from kit.contracts.csv_format import CsvFormat
from kit.contracts.custom_properties import custom_property
from kit.contracts.loader import DocumentReader
from kit.contracts.masks import Mask, mask_of
from kit.contracts.model_endpoints import ModelEndpoints
from kit.contracts.on_failure import quarantine_limit
from kit.contracts.quality_rules import QualityReader
from kit.contracts.raw_places import declared_places
from kit.contracts.rules import Rule, RuleReader
from kit.contracts.service_levels import Sla, end_of_life, max_row_loss, read_sla
from kit.contracts.standard import check_fields
from kit.core import IDENTIFIER, Document, Where, mappings

CLASSIFICATIONS = ("public", "internal", "confidential", "personal")
DESCRIBED, GRAIN = ("usage", "limitations"), "grain"
"""Texts of a contract about its table as a whole."""
STATUSES = ("proposed", "draft", "active", "deprecated", "retired")
NOT_OFFERED = {
    "proposed": "not yet offered to other products",
    "draft": "not yet offered to other products",
    "retired": "no longer offered to other products",
}
"""The statuses of contracts whose ports other products may not read."""
TODO = "TODO: "
"""Begins a text or classification that a person still has to write; `kit check` refuses it."""

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version, ordered."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: object) -> "Version | None":
        """Return the version in `text`, None when it is not `MAJOR.MINOR.PATCH`."""
        match = _VERSION.fullmatch(text) if isinstance(text, str) else None
        return cls(*map(int, match.groups())) if match else None

    def serves(self, wanted: "Version") -> bool:
        """Return whether a reader that declares `wanted` can use this version: same major version, not older."""
        return self.major == wanted.major and self >= wanted

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Column:
    """One column; `type` is a DuckDB type in lower case, `classification` may also be a text that begins with TODO.

    `physical_name` is the column's name in the raw data of a source; empty when it is `name`.
    """

    name: str
    type: str
    logical_type: str
    description: str
    required: bool
    classification: str | None
    mask: Mask | None = None
    physical_name: str = ""

    @property
    def hidden(self) -> str:
        """The reason why no message, check or report shows a value of it: `personal` or `masked`; empty when there is none."""
        if self.classification == "personal":
            return "personal"
        return "masked" if self.mask and self.mask.applies else ""


@dataclass(frozen=True)
class Contract:
    """An ODCS data contract for one table.

    `end_of_life` is the last day of a deprecated contract; `major_of` the port of the same product whose older major
    version this one is. `quarantine_limit` is the highest share of rows that may be set aside, None without rules that
    quarantine; `max_row_loss` the highest share that may be missing against the last snapshot, None if not limited.
    `csv` is the format of a source's CSV files, `reads` are the places outside of the domain folder it reads from. `described`
    are the parts among `DESCRIBED` that a person has described. `status` is one of `STATUSES`. `model_endpoints` are those that
    rows may be sent to.
    """

    path: Path
    id: str
    version: Version
    table: str
    title: str
    description: str
    team: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    rules: tuple[Rule, ...]
    sla: Sla
    tags: tuple[str, ...] = field(default=())
    end_of_life: date | None = None
    major_of: str | None = None
    quarantine_limit: float | None = None
    max_row_loss: float | None = None
    csv: CsvFormat = field(default_factory=CsvFormat)
    reads: tuple[str, ...] = ()
    described: tuple[str, ...] = ()
    status: str = "active"
    model_endpoints: ModelEndpoints = field(default_factory=ModelEndpoints)

    @property
    def is_offered(self) -> bool:
        """Return whether other products may read the port: not while it is proposed or a draft, and not when it is retired."""
        return self.status not in NOT_OFFERED

    @property
    def quarantining(self) -> tuple[Rule, ...]:
        """The rules that quarantine rows."""
        return tuple(rule for rule in self.rules if rule.quarantines)

    @property
    def hidden_columns(self) -> tuple[Column, ...]:
        """The columns whose values are shown nowhere but in the published table."""
        return tuple(column for column in self.columns if column.hidden)

    @property
    def masked_columns(self) -> tuple[Column, ...]:
        """The columns whose values the kit replaces."""
        return tuple(column for column in self.columns if column.mask and column.mask.applies)

    def schema_problems(self, types: Mapping[str, str]) -> list[str]:
        """Return how the columns of a table, as types by name, differ from the contract's, whatever their order."""
        contract = {column.name: column.type for column in self.columns}
        missing = [f"column '{name}' ({kind}) is missing" for name, kind in contract.items() if name not in types]
        extra = [f"column '{name}' ({kind}) is not in the contract" for name, kind in types.items() if name not in contract]
        wrong = [
            f"column '{name}' is {types[name]}, the contract says {kind}"
            for name, kind in contract.items()
            if name in types and types[name] != kind
        ]
        return missing + extra + wrong

    @classmethod
    def load(cls, path: Path, documents: DocumentReader | None = None) -> "Contract":
        """Read and check one contract file; raises `InvalidFile` naming file, line, field, value and what is allowed.

        The file must follow the Open Data Contract Standard 3.1 (https://bitol-io.github.io/open-data-contract-standard/)
        and describe exactly one table. A quality rule that cannot be checked is refused, never dropped.
        """
        return _Reader((documents or DocumentReader()).read(path, "odcs", _before_schema)).contract()


class _Reader:
    """Reads a `Contract` from a document that is valid by the standard."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = document.data
        self.rules = RuleReader(document)
        self.is_raw = ".raw." in self.data["id"]

    def contract(self) -> Contract:
        fail, data = self.document.error, self.data
        version = Version.parse(data["version"])
        if version is None:
            raise fail(["version"], f"'{data['version']}' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0")
        tables = data.get("schema") or []
        if len(tables) != 1:
            raise fail(["schema"], f"describes {len(tables)} tables; a contract of this mesh describes exactly one")
        check_fields(self.document)
        status = data.get("status", "active")
        if status not in STATUSES:
            raise fail(["status"], f"'{status}' is not one of {', '.join(STATUSES)}")
        table = tables[0]
        at: Where = ["schema", 0]
        name = self.identifier([*at, "name"], table.get("name"))
        if table.get("physicalName", name) != name and not self.is_raw:
            raise fail([*at, "physicalName"], f"'{name}' is published under its name; delete the physicalName")
        if not table.get("description"):
            raise fail(at, f"'{name}' has no description; say what one row is")
        properties = table.get("properties") or []
        if not properties:
            raise fail(at, f"'{name}' has no properties; list every column")
        columns = tuple(self.column([*at, "properties", i], item) for i, item in enumerate(properties))
        names = [column.name for column in columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise fail([*at, "properties"], f"the column '{twice[0]}' is written twice; keep one")
        raw_names = [column.physical_name or column.name for column in columns]
        if twice := sorted({name for name in raw_names if raw_names.count(name) > 1}):
            raise fail([*at, "properties"], f"'{twice[0]}' is the physicalName of more than one column; keep one")
        key = self.key(properties)
        team = data.get("team") or {}
        rules = tuple(self.rules.rules(table, properties, key))
        dated = [column.name for column in columns if column.type.startswith(("date", "timestamp"))]
        masked = [column.name for column in columns if column.mask and column.mask.applies]
        major_of, port = custom_property(self.document, (), data, "majorOf")
        return Contract(
            path=self.document.path,
            id=data["id"],
            version=version,
            table=name,
            title=data.get("name") or name,
            description=table["description"],
            team=team.get("name", "") if isinstance(team, dict) else "",
            columns=columns,
            key=key,
            rules=rules,
            sla=read_sla(self.document, name, dated, masked),
            tags=tuple(data.get("tags") or ()),
            end_of_life=end_of_life(self.document),
            major_of=str(port) if major_of else None,
            quarantine_limit=quarantine_limit(self.document, any(rule.quarantines for rule in rules)),
            max_row_loss=max_row_loss(self.document),
            csv=CsvFormat.from_document(self.document),
            reads=declared_places(self.document, is_raw=self.is_raw),
            described=tuple(self.described(table)),
            status=status,
            model_endpoints=ModelEndpoints.from_document(self.document, is_raw=self.is_raw),
        )

    def described(self, table: dict[str, Any]) -> Iterator[str]:
        texts = self.data.get("description")
        yield from (part for part in DESCRIBED if isinstance(texts, dict) and texts.get(part))
        if table.get("dataGranularityDescription"):
            yield GRAIN

    def identifier(self, where: Where, value: object) -> str:
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            raise self.document.error(where, f"'{value}' is not a name; use a-z, 0-9 and _, a letter first, at most 63")
        return value

    def column(self, where: Where, item: dict[str, Any]) -> Column:
        name = self.identifier([*where, "name"], item["name"])
        if "physicalType" not in item:
            raise self.document.error(where, f"'{name}' has no physicalType; write its column type such as varchar or bigint")
        kind = column_type(self.document, where, item)
        physical_name = item.get("physicalName") or ""
        if physical_name not in ("", name) and not self.is_raw:
            problem = f"'{name}' is published under its name; only columns of raw sources have another physicalName"
            raise self.document.error([*where, "physicalName"], problem)
        if item.get("primaryKeyPosition", -1) != -1 and "primaryKey" not in item:
            raise self.document.error([*where, "primaryKeyPosition"], f"'{name}' is not in the key; write primaryKey: true")
        classification = item.get("classification")
        if not (classification in (None, *CLASSIFICATIONS) or str(classification).startswith(TODO)):
            raise self.document.error(
                [*where, "classification"], f"'{classification}' is not one of {', '.join(CLASSIFICATIONS)}"
            )
        return Column(
            name=name,
            type=kind,
            logical_type=item.get("logicalType") or "",
            description=item.get("description") or "",
            required=bool(item.get("required") or item.get("primaryKey")),
            classification=classification,
            mask=mask_of(self.document, where, item, kind),
            physical_name=physical_name,
        )

    def key(self, properties: list[dict[str, Any]]) -> tuple[str, ...]:
        parts = [item for item in properties if item.get("primaryKey")]
        parts.sort(key=lambda item: item.get("primaryKeyPosition", 1))
        return tuple(item["name"] for item in parts)


def _before_schema(document: Document) -> None:
    """Raise `InvalidFile` for errors that the JSON schema would describe in unclear words."""
    rules = QualityReader(document)
    for number, table in enumerate(mappings(document.data.get("schema"))):
        at: Where = ["schema", number]
        rules.check_operators([*at, "quality"], table)
        for position, item in enumerate(mappings(table.get("properties"))):
            where: Where = [*at, "properties", position]
            if "logicalType" not in item:
                allowed = "string, integer, number, boolean, date, timestamp, time, object, array"
                raise document.error(where, f"'{item.get('name')}' has no logicalType; use one of {allowed}")
            rules.check_operators([*where, "quality"], item)
