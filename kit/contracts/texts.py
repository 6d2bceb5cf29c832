"""Descriptors and contracts without their texts: what people read about the data and its owner, and what promises nothing."""

from collections.abc import Collection, Mapping
from typing import Any

from kit.contracts.contract import Version
from kit.contracts.loader import Standard
from kit.contracts.standard import CONTRACT, TABLE, StandardObject, parts_of

_READ = {CONTRACT.name: {"name", "team", "tags"}, TABLE.name: {"description"}, "column": {"description"}}
"""Texts among the fields of the standard that the kit reads."""
_COUNTS = {"id", "customProperties", "physicalName", "physicalType", "logicalType", "roles", "servers"}
"""Fields that promise nothing about the data and are no texts: roles, for instance, get access to it."""

_PRODUCT = {
    "domain", "tenant", "status", "description", "tags", "team", "support", "authoritativeDefinitions", "productCreatedTs",
    "managementPorts",
}  # fmt: skip
_PORT = {"description", "tags", "authoritativeDefinitions"}
_PORTS = {"inputPorts", "outputPorts", "inputContracts"}


def without_texts(data: Mapping[str, Any], standard: Standard) -> dict[str, Any]:
    """Return a descriptor or contract without its texts, and without the patch of versions, which new texts raise."""
    return _contract(data, CONTRACT) if standard == "odcs" else _descriptor(data)


def promised_version(version: object) -> object:
    """Return a version without its patch; a value that is no version as it is."""
    found = Version.parse(version)
    return f"{found.major}.{found.minor}" if found else version


def _contract(data: Mapping[str, Any], kind: StandardObject) -> dict[str, Any]:
    texts = (kind.silent - _COUNTS) | _READ.get(kind.name, set())
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if name in texts:
            continue
        part = parts_of(kind, name)
        if name == "version":
            kept[name] = promised_version(value)
        elif part is not None and isinstance(value, Mapping):
            kept[name] = _contract(value, part)
        elif part is not None and isinstance(value, list):
            kept[name] = [_contract(item, part) if isinstance(item, Mapping) else item for item in value]
        else:
            kept[name] = value
    return kept


def _descriptor(data: Mapping[str, Any], texts: Collection[str] = _PRODUCT) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if name == "version":
            kept[name] = promised_version(value)
        elif name in _PORTS and isinstance(value, list):
            kept[name] = [_descriptor(item, _PORT) if isinstance(item, Mapping) else item for item in value]
        elif name not in texts:
            kept[name] = value
    return kept
