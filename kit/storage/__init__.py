"""Published data on disk: snapshots, pins, run records, the index, status, Intake catalogs and retention.

Staged files and records go in; immutable `Snapshot`s behind an atomic pointer, and summaries of them, come out.
"""

from kit.storage import index, intake
from kit.storage.intake import CATALOG
from kit.storage.pins import Pin, pin_inputs, serving_port
from kit.storage.retention import prune
from kit.storage.runs import NOTHING_TO_DO, BuildStatus, Record, Runs, current_user
from kit.storage.snapshots import POINTER, Lease, Pointer, Snapshot, Store, hold_until_exit
from kit.storage.status import PortStatus, judge, raw_set_aside, span, statuses
from kit.storage.summary import PortSummary, ProductSummary, port_facts, product_facts

__all__ = [
    "CATALOG",
    "NOTHING_TO_DO",
    "POINTER",
    "BuildStatus",
    "Lease",
    "Pin",
    "Pointer",
    "PortStatus",
    "PortSummary",
    "ProductSummary",
    "Record",
    "Runs",
    "Snapshot",
    "Store",
    "current_user",
    "hold_until_exit",
    "index",
    "intake",
    "judge",
    "pin_inputs",
    "port_facts",
    "product_facts",
    "prune",
    "raw_set_aside",
    "serving_port",
    "span",
    "statuses",
]
