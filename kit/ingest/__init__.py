"""Raw data: call the function of a source in `ingest.py`, read its file in the types of the contract, land it as Parquet.

A source with its contract goes in; a Parquet file with its digest comes out, or an `IngestError`. A file without a contract
goes into `RawFile`; names, types and a CSV format for a first contract come out.

A name is imported when it is first used, so that the process of an `ingest.py` starts quickly.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.ingest.connector import (
        Connector,
        Declaration,
        Environment,
        Origin,
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
    from kit.ingest.erased import ErasedKeys, erase_keys, key_hash
    from kit.ingest.erased import salt_of as erased_salt
    from kit.ingest.increment import declaration_problems, without_key
    from kit.ingest.inference import RawFile, identifier
    from kit.ingest.landing import LandedSource, delivered_file, land, stream_differences
    from kit.ingest.package_data import package_file
    from kit.ingest.process import IngestProcess
    from kit.ingest.typed_reader import SUFFIXES, is_raw_file

__getattr__ = lazy_face(__name__)

__all__ = [
    "CONNECTORS",
    "SUFFIXES",
    "Connector",
    "Declaration",
    "Delivery",
    "Environment",
    "Environments",
    "ErasedKeys",
    "IngestProcess",
    "LandedSource",
    "Origin",
    "RawFile",
    "State",
    "Stream",
    "StreamColumn",
    "Undeclared",
    "connector_class",
    "connector_kinds",
    "declaration_problems",
    "delivered_file",
    "erase_keys",
    "erased_salt",
    "identifier",
    "is_raw_file",
    "key_hash",
    "land",
    "package_file",
    "stream_differences",
    "without_key",
]
