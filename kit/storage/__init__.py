"""Published data on disk: snapshots, pins, run records, the index, status, Intake catalogs and retention.

Staged files and records go in; immutable `Snapshot`s behind an atomic pointer, and summaries of them, come out.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.storage import index, intake, remains
    from kit.storage.exposure import published_masks
    from kit.storage.facts import facts_of, product_facts, with_facts
    from kit.storage.intake import CATALOG
    from kit.storage.late_classification import Remains, hidden_since, shown_before
    from kit.storage.mask_keys import TOKENS, current_mask_keys, mask_key_problems, token_keys
    from kit.storage.partition_inputs import (
        ABSENT,
        PartitionInput,
        PartitionRecord,
        outdated_inputs,
        outdated_partitions,
        partition_key,
        partitions_to_json,
        port_contents,
        read_partitions,
        table_contents,
    )
    from kit.storage.pins import Pin, pin_inputs, serving_port
    from kit.storage.plain_sql import read_current
    from kit.storage.repair import catalog_version, restore_pointer
    from kit.storage.retention import prune, prune_raw, retain
    from kit.storage.runs import NOTHING_TO_DO, RECORD, BuildStatus, RunRecord, Runs, current_user
    from kit.storage.snapshot import FORMAT, Pointer, Pruned, Snapshot
    from kit.storage.snapshot_lock import SnapshotLock, hold_until_exit, shared
    from kit.storage.status import (
        PortState,
        PortStatus,
        format_duration,
        format_raw,
        format_warnings,
        port_statuses,
        statuses,
        tally,
    )
    from kit.storage.store import Store
    from kit.storage.summary import PortSummary, ProductSummary
    from kit.storage.value_search import Place, contains, find_values
    from kit.storage.verified import check_unchanged, damaged_ports, note_published

__getattr__ = lazy_face(__name__)

__all__ = [
    "ABSENT",
    "CATALOG",
    "FORMAT",
    "NOTHING_TO_DO",
    "RECORD",
    "TOKENS",
    "BuildStatus",
    "PartitionInput",
    "PartitionRecord",
    "Pin",
    "Place",
    "Pointer",
    "PortState",
    "PortStatus",
    "PortSummary",
    "ProductSummary",
    "Pruned",
    "Remains",
    "RunRecord",
    "Runs",
    "Snapshot",
    "SnapshotLock",
    "Store",
    "catalog_version",
    "check_unchanged",
    "contains",
    "current_mask_keys",
    "current_user",
    "damaged_ports",
    "facts_of",
    "find_values",
    "format_duration",
    "format_raw",
    "format_warnings",
    "hidden_since",
    "hold_until_exit",
    "index",
    "intake",
    "mask_key_problems",
    "note_published",
    "outdated_inputs",
    "outdated_partitions",
    "partition_key",
    "partitions_to_json",
    "pin_inputs",
    "port_contents",
    "port_statuses",
    "product_facts",
    "prune",
    "prune_raw",
    "published_masks",
    "read_current",
    "read_partitions",
    "remains",
    "restore_pointer",
    "retain",
    "serving_port",
    "shared",
    "shown_before",
    "statuses",
    "table_contents",
    "tally",
    "token_keys",
    "with_facts",
]
