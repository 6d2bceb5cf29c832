"""Aspects of DataHub: the pieces of metadata that its entities consist of, as JSON values."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from kit.contracts import Column, Contract
from kit.exchange.profile import Profile
from kit.ingest import Origin

PLATFORM = "urn:li:dataPlatform:data-mesh"
ACTOR = "urn:li:corpuser:data-mesh-kit"
_SCHEMA = "com.linkedin.pegasus2avro.schema"
_TYPES = (
    (re.compile(r".*\]$"), "ArrayType"),
    (re.compile(r"(struct|map|json)"), "RecordType"),
    (re.compile(r"bool"), "BooleanType"),
    (re.compile(r"(timestamp|time)"), "TimeType"),
    (re.compile(r"date"), "DateType"),
    (re.compile(r"(decimal|float|double|u?(tiny|small|big|huge)?int|integer|uinteger)\b"), "NumberType"),
    (re.compile(r"blob"), "BytesType"),
)
_LONGEST, _BEGINNING = 400, 24
"""Characters of a name in a URN, of which DataHub takes 512 in all, and of the beginning of a longer one, not escaped."""
Aspect = dict[str, Any]


def record(urn: str, aspect: str, value: Aspect) -> dict[str, Any]:
    """Return one aspect of one entity as an entry of a metadata file (a `MetadataChangeProposal`)."""
    kind = urn.split(":")[2]
    return {
        "entityType": kind, "entityUrn": urn, "changeType": "UPSERT", "aspectName": aspect, "aspect": {"json": value},
    }  # fmt: skip


def urn(kind: str, name: str) -> str:
    """Return the name of an entity; characters with a meaning in such names are escaped, and a long name has a digest."""
    escaped = quote(name, safe="@.-_ ")
    if len(escaped) > _LONGEST:
        escaped = f"{quote(name[:_BEGINNING], safe='@.-_ ')}-{sha256(name.encode()).hexdigest()[:16]}"
    return f"urn:li:{kind}:{escaped}"


def dataset_urn(table: str, env: str) -> str:
    """Return the name of a table in an environment such as PROD."""
    return f"urn:li:dataset:({PLATFORM},{table},{env})"


def origin_urn(origin: Origin, env: str) -> str:
    """Return the name of a dataset outside of the mesh; its platform is the scheme of its namespace, such as `postgres`."""
    name = quote(origin.name, safe=" @/.:;=+-_{}[]!$&'*~#")
    return f"urn:li:dataset:({urn('dataPlatform', origin.namespace.partition(':')[0])},{name},{env})"


def field_urn(dataset: str, column: str) -> str:
    """Return the name of a column of a dataset."""
    return f"urn:li:schemaField:({dataset},{column})"


def stamp(at: datetime) -> dict[str, Any]:
    """Return a time, with the kit as the actor."""
    return {"time": millis(at), "actor": ACTOR}


def millis(at: datetime) -> int:
    """Return a time in milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def ownership(contact: str, team: str, at: datetime) -> Aspect:
    """Return the owner of a product and the team of a contract."""
    owners = [{"owner": urn("corpuser", contact), "type": "TECHNICAL_OWNER"}]
    owners += [{"owner": urn("corpGroup", team), "type": "PRODUCER"}] if team else []
    return {"owners": owners, "lastModified": stamp(at)}


def tags(names: Iterable[str]) -> Aspect:
    """Return tags by name."""
    return {"tags": [{"tag": urn("tag", name)} for name in names]}


def schema(table: str, columns: Sequence[Column], key: Sequence[str], at: datetime) -> Aspect:
    """Return the schema of a table as its contract has it."""
    return {
        "schemaName": table,
        "platform": PLATFORM,
        "version": 0,
        "created": stamp(at),
        "lastModified": stamp(at),
        "hash": "",
        "platformSchema": {f"{_SCHEMA}.OtherSchema": {"rawSchema": ""}},
        "fields": [_field(column, key) for column in columns],
        "primaryKeys": list(key),
    }


def inferred_schema(table: str, columns: Sequence[str], at: datetime) -> Aspect:
    """Return the schema of a model without a contract, whose types are not known."""
    plain = [Column(name, "unknown", "", "", required=False, classification=None) for name in columns]
    return schema(table, plain, (), at)


def _field(column: Column, key: Sequence[str]) -> dict[str, Any]:
    kind = next((name for pattern, name in _TYPES if pattern.match(column.type)), "StringType")
    inner: dict[str, Any] = {"nestedType": ["string"]} if kind == "ArrayType" else {}
    names = [f"classification.{column.classification}"] if column.classification else []
    names += [f"mask.{column.mask.kind}"] if column.mask else []
    return {
        "fieldPath": column.name,
        "nullable": not column.required,
        "description": column.description,
        "type": {"type": {f"{_SCHEMA}.{kind}": inner}},
        "nativeDataType": column.type,
        "isPartOfKey": column.name in key,
        **({"globalTags": tags(names)} if names else {}),
    }


def lineage(dataset: str, reads: Iterable[str], origins: Mapping[str, Iterable[tuple[str, str]]], at: datetime) -> Aspect:
    """Return the datasets and columns that a dataset is made from, all by the names of datasets."""
    fine = [
        {
            "upstreamType": "FIELD_SET",
            "upstreams": [field_urn(upstream, name) for upstream, name in columns],
            "downstreamType": "FIELD",
            "downstreams": [field_urn(dataset, column)],
            "confidenceScore": 1.0,
        }
        for column, columns in origins.items()
    ]
    upstreams = [{"auditStamp": stamp(at), "dataset": upstream, "type": "TRANSFORMED"} for upstream in reads]
    return {"upstreams": upstreams, **({"fineGrainedLineages": fine} if fine else {})}


def profile(size: Profile, at: datetime) -> Aspect:
    """Return the profile of a table."""
    fields = []
    for name, column in size.columns.items():
        numbers = {"min": column.low, "max": column.high}
        fields.append({
            "fieldPath": name,
            **({"nullCount": column.nulls} if column.nulls is not None else {}),
            **{key: f"{value:.15g}" for key, value in numbers.items() if value is not None},
        })  # fmt: skip
    return {
        "timestampMillis": millis(at),
        "partitionSpec": {"type": "FULL_TABLE", "partition": "FULL_TABLE_SNAPSHOT"},
        "rowCount": size.rows,
        "columnCount": len(size.columns),
        "sizeInBytes": size.bytes,
        "fieldProfiles": fields,
    }


def hours(contract: Contract) -> int | None:
    """Return the longest time between two publications in hours, None when the contract names none."""
    frequency = contract.sla.frequency
    return max(1, round(frequency.total_seconds() / 3600)) if frequency else None
