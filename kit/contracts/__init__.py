"""Data contracts in the Open Data Contract Standard: columns, rules, masks, foreign keys, compatibility of two versions.

A contract file goes in; a `Contract` with its `Rule`s comes out. A `Check` is the outcome of one rule on one table,
a `Finding` one problem that a check of files reports.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face

if TYPE_CHECKING:
    from kit.contracts import foreign_key_checks
    from kit.contracts.check import SAMPLES, Check, Verdict, counts, explain, merged
    from kit.contracts.column_names import is_date_part, is_identifier, is_measure, is_signed, is_text
    from kit.contracts.column_type import value_problem
    from kit.contracts.compatibility import ContractChange, bumped, compare, document_changes, required_bump
    from kit.contracts.consumer_contract import FOLDER, ConsumerContract
    from kit.contracts.contract import CLASSIFICATIONS, DESCRIBED, GRAIN, NOT_OFFERED, TODO, Column, Contract, Version
    from kit.contracts.csv_format import CsvFormat, csv_keys
    from kit.contracts.custom_properties import custom_property
    from kit.contracts.expectation_queries import BadArgument
    from kit.contracts.finding import Finding
    from kit.contracts.loader import DocumentReader
    from kit.contracts.masks import is_whole
    from kit.contracts.model_endpoints import MODEL_ENDPOINTS, ModelEndpoints
    from kit.contracts.on_failure import quarantine_table
    from kit.contracts.protection import hides_less, level, weakened
    from kit.contracts.quality_rules import quality_items, written_query
    from kit.contracts.raw_places import declared_places, place_of, reads_property
    from kit.contracts.rule_kinds import QUERY, QUERY_ARGUMENT, ROW_COUNT, Assertion, columns_of
    from kit.contracts.rule_query import TABLE, Query
    from kit.contracts.rules import Rule
    from kit.contracts.service_levels import PROPERTY, Sla
    from kit.contracts.texts import promised_version, without_texts

__getattr__ = lazy_face(__name__)

__all__ = [
    "CLASSIFICATIONS",
    "DESCRIBED",
    "FOLDER",
    "GRAIN",
    "MODEL_ENDPOINTS",
    "NOT_OFFERED",
    "PROPERTY",
    "QUERY",
    "QUERY_ARGUMENT",
    "ROW_COUNT",
    "SAMPLES",
    "TABLE",
    "TODO",
    "Assertion",
    "BadArgument",
    "Check",
    "Column",
    "ConsumerContract",
    "Contract",
    "ContractChange",
    "CsvFormat",
    "DocumentReader",
    "Finding",
    "ModelEndpoints",
    "Query",
    "Rule",
    "Sla",
    "Verdict",
    "Version",
    "bumped",
    "columns_of",
    "compare",
    "counts",
    "csv_keys",
    "custom_property",
    "declared_places",
    "document_changes",
    "explain",
    "foreign_key_checks",
    "hides_less",
    "is_date_part",
    "is_identifier",
    "is_measure",
    "is_signed",
    "is_text",
    "is_whole",
    "level",
    "merged",
    "place_of",
    "promised_version",
    "quality_items",
    "quarantine_table",
    "reads_property",
    "required_bump",
    "value_problem",
    "weakened",
    "without_texts",
    "written_query",
]
