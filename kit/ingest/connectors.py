"""The connectors that are installed, by their names: `from kit.ingest.connectors import postgres`."""

from kit.core import UnknownName
from kit.ingest.connector import Connector, connector_class, connector_kinds


def __getattr__(name: str) -> type[Connector]:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return connector_class(name)
    except UnknownName as error:
        raise AttributeError(str(error)) from None


def __dir__() -> list[str]:
    return connector_kinds()
