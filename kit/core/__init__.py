"""Foundation: errors, settings, files, YAML, the content cache, git, secrets, processes, locks and DuckDB connections.

Paths and settings go in; parsed files, open connections and `KitError`s come out. Imports no other package of the kit.
"""

from typing import TYPE_CHECKING

from kit.core import cgroups
from kit.core.calling_notebook import NOTEBOOK, calling_notebook, is_attended
from kit.core.face import lazy_face
from kit.core.version import __version__

if TYPE_CHECKING:
    from kit.core import confinement, database, frame_types, git, landlock, resources, sandbox, yaml_writer
    from kit.core.cache import ContentCache, ValueCache
    from kit.core.config import Config
    from kit.core.confinement import Places
    from kit.core.constant_values import COMPUTED, constant, constants
    from kit.core.database import KNOWN_TYPES, literal, normal_type
    from kit.core.entry_points import OLDER, load_entry_point, missing_entry_points, points_of
    from kit.core.errors import (
        AuditFailed,
        Busy,
        Damaged,
        IngestError,
        InvalidFile,
        KitError,
        MaskError,
        MeshError,
        ModelError,
        Newer,
        NotATable,
        NotebookError,
        NotPublished,
        PublishConflict,
        SourceChanged,
        SqlError,
        TransformError,
        UnknownName,
        Unreadable,
        is_failure,
    )
    from kit.core.files import (
        IDENTIFIER,
        MAX_BYTES,
        StepCallback,
        exists,
        has_sum,
        ignore_step,
        make_folder,
        read_json,
        read_record,
        read_text,
        remove_unfinished,
        resolve_inside,
        set_aside,
        sha256,
        sync_path,
        time_id,
        to_json,
        write_durably,
        write_sum,
    )
    from kit.core.folder_digests import FolderDigests
    from kit.core.forking import end_process, signal_with_parent
    from kit.core.garbage import without_collection
    from kit.core.git import branch_of, current_commit, merge_base_mesh, relation_of_commits
    from kit.core.interruption import Interruption, SignalHandlers, ended_after_signal, interrupt, interrupt_reason
    from kit.core.locks import SingleInstance, holder, lock
    from kit.core.machine import machine_problem, need_resources
    from kit.core.mask_key import MASK_KEY, erase_mask_key, mask_key_hidden, take_keys
    from kit.core.model_settings import ModelSettings
    from kit.core.passing import why_it_may_pass, why_text_may_pass
    from kit.core.policy import Policy
    from kit.core.postgres_address import PostgresAddress
    from kit.core.processes import (
        END_AT_ONCE,
        HOST,
        Processes,
        Server,
        describe_ending,
        end_by_interrupt,
        guarded,
        listens,
        port_socket,
    )
    from kit.core.scrubbing import CUT, ScrubbedPipe, ScrubbedStream, StandardError, scrubbed_streams
    from kit.core.secret_texts import find_secrets
    from kit.core.secrets import Secrets, each_text
    from kit.core.sql_reads import is_volatile, tables_read
    from kit.core.sqlite import sqlite_damage, sqlite_rows
    from kit.core.text import PLAIN, counted, did_you_mean, encodable, place, plural, short, table_lines, there_are, visible
    from kit.core.yaml import Document, Where, compose_yaml, mappings, parse_yaml, read_yaml
    from kit.core.yaml_editor import appended, with_value

__getattr__ = lazy_face(__name__)

__all__ = [
    "COMPUTED",
    "CUT",
    "END_AT_ONCE",
    "HOST",
    "IDENTIFIER",
    "KNOWN_TYPES",
    "MASK_KEY",
    "MAX_BYTES",
    "NOTEBOOK",
    "OLDER",
    "PLAIN",
    "AuditFailed",
    "Busy",
    "Config",
    "ContentCache",
    "Damaged",
    "Document",
    "FolderDigests",
    "IngestError",
    "Interruption",
    "InvalidFile",
    "KitError",
    "MaskError",
    "MeshError",
    "ModelError",
    "ModelSettings",
    "Newer",
    "NotATable",
    "NotPublished",
    "NotebookError",
    "Places",
    "Policy",
    "PostgresAddress",
    "Processes",
    "PublishConflict",
    "ScrubbedPipe",
    "ScrubbedStream",
    "Secrets",
    "Server",
    "SignalHandlers",
    "SingleInstance",
    "SourceChanged",
    "SqlError",
    "StandardError",
    "StepCallback",
    "TransformError",
    "UnknownName",
    "Unreadable",
    "ValueCache",
    "Where",
    "__version__",
    "appended",
    "branch_of",
    "calling_notebook",
    "cgroups",
    "compose_yaml",
    "confinement",
    "constant",
    "constants",
    "counted",
    "current_commit",
    "database",
    "describe_ending",
    "did_you_mean",
    "each_text",
    "encodable",
    "end_by_interrupt",
    "end_process",
    "ended_after_signal",
    "erase_mask_key",
    "exists",
    "find_secrets",
    "frame_types",
    "git",
    "guarded",
    "has_sum",
    "holder",
    "ignore_step",
    "interrupt",
    "interrupt_reason",
    "is_attended",
    "is_failure",
    "is_volatile",
    "landlock",
    "lazy_face",
    "listens",
    "literal",
    "load_entry_point",
    "lock",
    "machine_problem",
    "make_folder",
    "mappings",
    "mask_key_hidden",
    "merge_base_mesh",
    "missing_entry_points",
    "need_resources",
    "normal_type",
    "parse_yaml",
    "place",
    "plural",
    "points_of",
    "port_socket",
    "read_json",
    "read_record",
    "read_text",
    "read_yaml",
    "relation_of_commits",
    "remove_unfinished",
    "resolve_inside",
    "resources",
    "sandbox",
    "scrubbed_streams",
    "set_aside",
    "sha256",
    "short",
    "signal_with_parent",
    "sqlite_damage",
    "sqlite_rows",
    "sync_path",
    "table_lines",
    "tables_read",
    "take_keys",
    "there_are",
    "time_id",
    "to_json",
    "visible",
    "why_it_may_pass",
    "why_text_may_pass",
    "with_value",
    "without_collection",
    "write_durably",
    "write_sum",
    "yaml_writer",
]
