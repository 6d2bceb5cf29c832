"""Raw data: call a source in `ingest.py`, read the file with the types of its contract, and land it as Parquet.

A source and its contract go in; a landed Parquet file with its digest comes out, or an `IngestError`.
"""

from kit.ingest.inference import SUFFIXES, RawFile, identifier
from kit.ingest.landing import LandedSource, land, package_file

__all__ = ["SUFFIXES", "LandedSource", "RawFile", "identifier", "land", "package_file"]
