"""Raw data: call the function of a source in `ingest.py`, read its file in the types of the contract, land it as Parquet.

A source with its contract goes in; a Parquet file with its digest comes out, or an `IngestError`. A file without a contract
goes into `RawFile`; names, types and a CSV format for a first contract come out.

A name is imported when it is first used, so that the process of an `ingest.py` starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kit.ingest.connector import (
        Connector,
        Declaration,
        Environment,
        State,
        Stream,
        StreamColumn,
        connector_class,
        connector_kinds,
    )
    from kit.ingest.csv_text import Undeclared
    from kit.ingest.delivery import Delivery
    from kit.ingest.environments import FOLDER as CONNECTORS
    from kit.ingest.environments import Environments
    from kit.ingest.inference import RawFile, identifier
    from kit.ingest.landing import LandedSource, delivered_file, land, stream_differences
    from kit.ingest.package_data import package_file
    from kit.ingest.process import IngestProcess
    from kit.ingest.typed_reader import SUFFIXES, is_raw_file

_MODULES = {
    "CONNECTORS": "environments.FOLDER",
    "Connector": "connector",
    "Declaration": "connector",
    "Delivery": "delivery",
    "Environment": "connector",
    "Environments": "environments",
    "IngestProcess": "process",
    "LandedSource": "landing",
    "RawFile": "inference",
    "SUFFIXES": "typed_reader",
    "State": "connector",
    "Stream": "connector",
    "StreamColumn": "connector",
    "Undeclared": "csv_text",
    "connector_class": "connector",
    "connector_kinds": "connector",
    "delivered_file": "landing",
    "identifier": "inference",
    "is_raw_file": "typed_reader",
    "land": "landing",
    "package_file": "package_data",
    "stream_differences": "landing",
}

__all__ = [
    "CONNECTORS",
    "SUFFIXES",
    "Connector",
    "Declaration",
    "Delivery",
    "Environment",
    "Environments",
    "IngestProcess",
    "LandedSource",
    "RawFile",
    "State",
    "Stream",
    "StreamColumn",
    "Undeclared",
    "connector_class",
    "connector_kinds",
    "delivered_file",
    "identifier",
    "is_raw_file",
    "land",
    "package_file",
    "stream_differences",
]


def __getattr__(name: str) -> Any:
    """Import a name of the face when it is first used (https://peps.python.org/pep-0562/)."""
    if name not in _MODULES:
        raise AttributeError(f"module 'kit.ingest' has no attribute '{name}'")
    module, _, other = _MODULES[name].partition(".")
    value = globals()[name] = getattr(import_module(f"kit.ingest.{module}"), other or name)
    return value
