"""Where the raw data of this product comes from: Airbyte's faker, which invents a shop without the network."""

from kit.ingest import Connector
from kit.ingest.connectors import airbyte

CONFIG = {"count": 200, "seed": 7, "parallelism": 1, "always_updated": False}


def users() -> Connector:
    """The people with an account, one row per user."""
    return airbyte("source-faker==7.2.1", config=CONFIG, stream="users", cursor="updated_at")


def products() -> Connector:
    """The cars that are sold, one row per model on offer."""
    return airbyte("source-faker==7.2.1", config=CONFIG, stream="products", cursor="updated_at")


def purchases() -> Connector:
    """What users put into their carts, one row per purchase."""
    return airbyte("source-faker==7.2.1", config=CONFIG, stream="purchases", cursor="updated_at")
