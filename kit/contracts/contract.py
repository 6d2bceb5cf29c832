"""An output port's promise: an ODCS contract as an immutable value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from kit.contracts.csv_format import CsvFormat
from kit.contracts.custom_properties import custom_property
from kit.contracts.loader import DocumentReader
from kit.contracts.masks import Mask, mask_of
from kit.contracts.on_failure import quarantine_limit
from kit.contracts.rules import Rule, RuleReader
from kit.core import IDENTIFIER, KNOWN_TYPES, Document, Where, mappings, normal_type

END_OF_LIFE = "endOfLife"
MAJOR_OF = "majorOf"


def end_of_life(document: Document) -> date | None:
    """The last day a deprecated port is served; None when it is not deprecated.

    Raises `InvalidFile` for a deprecated contract without such a day, and for a day that nothing is deprecated for.
    """
    where, given = _service_level(document)
    deprecated = document.data.get("status") == "deprecated"
    if not where:
        if deprecated:
            problem = f"'deprecated' needs a last day; write slaProperties: [{{property: {END_OF_LIFE}, value: 2030-12-31}}]"
            raise document.error(["status"], problem)
        return None
    if not deprecated:
        raise document.error(
            where, f"'{document.data.get('status')}' contracts have no {END_OF_LIFE}; write status: deprecated"
        )
    try:
        if len(str(given)) != len("2030-12-31"):
            raise ValueError
        return date.fromisoformat(str(given))
    except ValueError:
        raise document.error([*where, "value"], f"'{given}' is no day; write one such as 2030-12-31") from None


def major_of(document: Document) -> str | None:
    """The port of the same product whose older major version the contract keeps; None when it stands for itself."""
    where, given = custom_property(document, (), document.data, MAJOR_OF)
    return str(given) if where else None


def _service_level(document: Document) -> tuple[Where, Any]:
    """The last day as given, and where it stands; nowhere when it is not given."""
    levels = enumerate(mappings(document.data.get("slaProperties")))
    found = [(position, item.get("value")) for position, item in levels if item.get("property") == END_OF_LIFE]
    if len(found) > 1:
        raise document.error(["slaProperties", found[1][0]], f"{END_OF_LIFE} stands twice; keep one")
    return (["slaProperties", found[0][0]], found[0][1]) if found else ([], None)


PROPERTY = "maxRowLoss"


def max_row_loss(document: Document) -> float | None:
    """A share from 0 (none may be missing) to 1 (all may be); None when the contract says nothing. Raises `InvalidFile`."""
    at, share = custom_property(document, [], document.data, PROPERTY)
    if at and (type(share) not in (int, float) or not 0 <= share <= 1):
        raise document.error(at, f"{PROPERTY}: {share!r} is not a share from 0 to 1 such as 0.5, which is half of the rows")
    return float(share) if at else None


CLASSIFICATIONS = ("public", "internal", "confidential", "personal")
TODO = "TODO: "
"""What begins a text that a person still has to write, a classification too; `kit check` refuses it."""

_VERSION = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")
_UNITS = {"h": 1, "hour": 1, "hours": 1, "d": 24, "day": 24, "days": 24, "w": 168, "week": 168, "weeks": 168,
          "y": 8766, "yr": 8766, "year": 8766, "years": 8766}  # fmt: skip
_LONGEST = 1000 * _UNITS["y"]


@dataclass(frozen=True, order=True)
class Version:
    """A semantic version, ordered."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: object) -> "Version | None":
        """The version in `text`, or None when it is not `MAJOR.MINOR.PATCH`."""
        match = _VERSION.fullmatch(text) if isinstance(text, str) else None
        return cls(*map(int, match.groups())) if match else None

    def serves(self, wanted: "Version") -> bool:
        """Whether a reader that asked for `wanted` can use this one: same major version, not older."""
        return self.major == wanted.major and self >= wanted

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True)
class Column:
    """One column as promised; `type` is a DuckDB type in lower case, `classification` also a text that begins with TODO.

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


@dataclass(frozen=True)
class Sla:
    """Service levels: how old the newest data may be, how often it is published, how long it is kept."""

    latency: timedelta | None = None
    latency_column: str | None = None
    frequency: timedelta | None = None
    retention: timedelta | None = None


@dataclass(frozen=True)
class Contract:
    """An ODCS data contract for one table.

    `end_of_life` is the last day it is served, of a deprecated one; `major_of` the port whose older version it keeps.
    `quarantine_limit` is the highest share of its rows that may be set aside, None when no rule sets any aside;
    `max_row_loss` the highest share that may be missing against the last snapshot, None when the contract says nothing.
    `csv` is the format of a source's CSV files.
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

    @property
    def quarantining(self) -> tuple[Rule, ...]:
        """The rules that set rows aside."""
        return tuple(rule for rule in self.rules if rule.quarantines)

    @property
    def masked_columns(self) -> tuple[Column, ...]:
        """The columns whose values the kit replaces."""
        return tuple(column for column in self.columns if column.mask and column.mask.applies)

    def schema_problems(self, found: Mapping[str, str]) -> list[str]:
        """How a table's columns, types by name, differ from the contract's; empty when they are the same, order aside."""
        promised = {column.name: column.type for column in self.columns}
        missing = [f"column '{name}' ({kind}) is missing" for name, kind in promised.items() if name not in found]
        extra = [f"column '{name}' ({kind}) is not in the contract" for name, kind in found.items() if name not in promised]
        wrong = [
            f"column '{name}' is {found[name]}, the contract says {kind}"
            for name, kind in promised.items()
            if name in found and found[name] != kind
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
    """Turns one checked document into a `Contract`."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.data = document.data
        self.rules = RuleReader(document)

    def contract(self) -> Contract:
        fail, data = self.document.error, self.data
        version = Version.parse(data["version"])
        if version is None:
            raise fail(["version"], f"'{data['version']}' is not a version; write MAJOR.MINOR.PATCH such as 1.0.0")
        tables = data.get("schema") or []
        if len(tables) != 1:
            raise fail(["schema"], f"describes {len(tables)} tables; a contract of this mesh describes exactly one")
        table = tables[0]
        at: Where = ["schema", 0]
        name = self.identifier([*at, "name"], table.get("name"))
        if not table.get("description"):
            raise fail(at, f"'{name}' has no description; say what one row is")
        properties = table.get("properties") or []
        if not properties:
            raise fail(at, f"'{name}' has no properties; list every column")
        columns = tuple(self.column([*at, "properties", i], item) for i, item in enumerate(properties))
        names = [column.name for column in columns]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise fail([*at, "properties"], f"the column '{twice[0]}' stands twice; keep one")
        raw_names = [column.physical_name or column.name for column in columns]
        if twice := sorted({name for name in raw_names if raw_names.count(name) > 1}):
            raise fail([*at, "properties"], f"'{twice[0]}' is the physicalName of more than one column; keep one")
        key = self.key(properties)
        team = data.get("team") or {}
        rules = tuple(self.rules.rules(table, properties, key))
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
            sla=self.sla(name, columns),
            tags=tuple(data.get("tags") or ()),
            end_of_life=end_of_life(self.document),
            major_of=major_of(self.document),
            quarantine_limit=quarantine_limit(self.document, any(rule.quarantines for rule in rules)),
            max_row_loss=max_row_loss(self.document),
            csv=CsvFormat.from_document(self.document),
        )

    def identifier(self, where: Where, value: object) -> str:
        if not isinstance(value, str) or not IDENTIFIER.fullmatch(value):
            raise self.document.error(where, f"'{value}' is not a name; use a-z, 0-9 and _, a letter first, at most 63")
        return value

    def column(self, where: Where, item: dict[str, Any]) -> Column:
        name = self.identifier([*where, "name"], item["name"])
        if "physicalType" not in item:
            raise self.document.error(where, f"'{name}' has no physicalType; write its column type such as varchar or bigint")
        kind = normal_type(item["physicalType"])
        if kind is None:
            raise self.document.error(
                [*where, "physicalType"],
                f"'{item['physicalType']}' is not a column type; use one of {', '.join(sorted(KNOWN_TYPES))}, "
                "decimal(p,s), or one of these followed by []",
            )
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
            physical_name=item.get("physicalName") or "",
        )

    def key(self, properties: list[dict[str, Any]]) -> tuple[str, ...]:
        parts = [item for item in properties if item.get("primaryKey")]
        parts.sort(key=lambda item: item.get("primaryKeyPosition", 1))
        return tuple(item["name"] for item in parts)

    def sla(self, table: str, columns: tuple[Column, ...]) -> Sla:
        dated = [column.name for column in columns if column.type.startswith(("date", "timestamp"))]
        values: dict[str, Any] = {}
        for position, item in enumerate(self.data.get("slaProperties") or []):
            where: Where = ["slaProperties", position]
            name = item["property"]
            if name == END_OF_LIFE:
                continue
            if name not in ("latency", "frequency", "retention"):
                raise self.document.error(
                    [*where, "property"], f"'{name}' cannot be measured; there are: latency, frequency, retention, endOfLife"
                )
            if name in values:
                raise self.document.error(where, f"{name} stands twice; keep one")
            hours, value, unit = _UNITS.get(str(item.get("unit"))), item["value"], item.get("unit") or "without unit"
            if hours is None or type(value) not in (int, float) or not 0 < hours * value <= _LONGEST:
                raise self.document.error(
                    where, f"{name} is {value!r} {unit}; give a number above 0 and a unit: h, d, w or y, at most 1000 y"
                )
            values[name] = timedelta(hours=hours * value)
            if name == "latency":
                element = item.get("element", "")
                owner, _, column = element.partition(".")
                if owner != table or column not in dated:
                    raise self.document.error(
                        [*where, "element"],
                        f"'{element}' is not a date or timestamp of '{table}'; there are: {', '.join(dated) or 'none'}; "
                        f"write {table}.COLUMN",
                    )
                if any(c.name == column and c.mask and c.mask.applies for c in columns):
                    raise self.document.error(
                        [*where, "element"], f"'{element}' is masked, so that readers cannot see its age; choose another one"
                    )
                values["latency_column"] = column
        return Sla(**values)


def _before_schema(document: Document) -> None:
    """Ask for what the JSON schema would ask for in words that help nobody."""
    rules = RuleReader(document)
    for number, table in enumerate(mappings(document.data.get("schema"))):
        at: Where = ["schema", number]
        rules.check_operators([*at, "quality"], table)
        for position, item in enumerate(mappings(table.get("properties"))):
            where: Where = [*at, "properties", position]
            if "logicalType" not in item:
                allowed = "string, integer, number, boolean, date, timestamp, time, object, array"
                raise document.error(where, f"'{item.get('name')}' has no logicalType; use one of {allowed}")
            rules.check_operators([*where, "quality"], item)
