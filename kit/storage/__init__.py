"""Published data on disk: snapshots, pins, run records, the index, status, Intake catalogs and retention.

Staged files and records go in; immutable `Snapshot`s behind an atomic pointer, and summaries of them, come out.
"""

from kit.storage import index, intake
from kit.storage.intake import CATALOG
from kit.storage.pins import Pin, pin, served
from kit.storage.retention import prune
from kit.storage.runs import Record, Runs, user
from kit.storage.snapshots import POINTER, Lease, Snapshot, Store, keep
from kit.storage.status import PortStatus, judge, raw_set_aside, span, statuses
from kit.storage.summary import Card, PortCard, port_facts, product_facts

__all__ = [
    "CATALOG",
    "POINTER",
    "Card",
    "Lease",
    "Pin",
    "PortCard",
    "PortStatus",
    "Record",
    "Runs",
    "Snapshot",
    "Store",
    "index",
    "intake",
    "judge",
    "keep",
    "pin",
    "port_facts",
    "product_facts",
    "prune",
    "raw_set_aside",
    "served",
    "span",
    "statuses",
    "user",
]
