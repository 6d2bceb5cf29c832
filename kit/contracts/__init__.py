"""Data contracts in the Open Data Contract Standard: columns, rules, masks, foreign keys, compatibility of two versions.

A contract file goes in; a `Contract` with its `Rule`s comes out. A `Check` is the outcome of one rule on one table,
a `Finding` one problem that a check of files reports.
"""

from kit.contracts import foreign_key_checks
from kit.contracts.check import SAMPLES, Check, counts, explain, merged
from kit.contracts.compatibility import ContractChange, compare, demanded, least, reworded
from kit.contracts.consumer_contract import FOLDER, ConsumerContract
from kit.contracts.contract import CLASSIFICATIONS, PROPERTY, TODO, Column, Contract, Sla, Version
from kit.contracts.custom_properties import custom_property
from kit.contracts.finding import Finding
from kit.contracts.implication import implies, subject
from kit.contracts.loader import DocumentReader
from kit.contracts.masks import is_whole
from kit.contracts.on_failure import quarantine_table
from kit.contracts.rule_query import TABLE, Query, bare, taken_apart
from kit.contracts.rule_sql import breaking
from kit.contracts.rules import Rule, leaves_tables

__all__ = [
    "CLASSIFICATIONS",
    "FOLDER",
    "PROPERTY",
    "SAMPLES",
    "TABLE",
    "TODO",
    "Check",
    "Column",
    "ConsumerContract",
    "Contract",
    "ContractChange",
    "DocumentReader",
    "Finding",
    "Query",
    "Rule",
    "Sla",
    "Version",
    "bare",
    "breaking",
    "compare",
    "counts",
    "custom_property",
    "demanded",
    "explain",
    "foreign_key_checks",
    "implies",
    "is_whole",
    "least",
    "leaves_tables",
    "merged",
    "quarantine_table",
    "reworded",
    "subject",
    "taken_apart",
]
