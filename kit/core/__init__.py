"""Foundation: errors, settings, files, YAML, the content cache, git, secrets, processes, locks and DuckDB connections.

Paths and settings go in; parsed files, open connections and `KitError`s come out. Imports no other package of the kit.
"""

from kit.core import confinement, database, frame_types, git, sandbox, yaml_writer
from kit.core.cache import ContentCache
from kit.core.calling_notebook import NOTEBOOK, calling_notebook, is_attended
from kit.core.config import MASK_KEY, Config
from kit.core.confinement import Places
from kit.core.database import KNOWN_TYPES, literal, normal_type
from kit.core.errors import (
    AuditFailed,
    Busy,
    IngestError,
    InvalidFile,
    KitError,
    MaskError,
    MeshError,
    NotATable,
    NotebookError,
    NotPublished,
    PublishConflict,
    SourceChanged,
    SqlError,
    TransformError,
    UnknownName,
    is_failure,
)
from kit.core.files import (
    IDENTIFIER,
    StepCallback,
    ignore_step,
    make_folder,
    read_json,
    read_text,
    resolve_inside,
    sha256,
    sync_path,
    time_id,
    to_json,
    write_durably,
)
from kit.core.git import branch_of, current_commit, merge_base_mesh, relation_of_commits
from kit.core.interruption import Interruption, SignalHandlers, ended_after_signal
from kit.core.locks import SingleInstance, lock
from kit.core.passing import why_it_may_pass
from kit.core.policy import Policy
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
from kit.core.secrets import Secrets
from kit.core.text import counted, place, short, table_lines
from kit.core.version import __version__
from kit.core.yaml import Document, Where, mappings, parse_yaml, read_yaml
from kit.core.yaml_editor import appended, with_value

__all__ = [
    "END_AT_ONCE",
    "HOST",
    "IDENTIFIER",
    "KNOWN_TYPES",
    "MASK_KEY",
    "NOTEBOOK",
    "AuditFailed",
    "Busy",
    "Config",
    "ContentCache",
    "Document",
    "IngestError",
    "Interruption",
    "InvalidFile",
    "KitError",
    "MaskError",
    "MeshError",
    "NotATable",
    "NotPublished",
    "NotebookError",
    "Places",
    "Policy",
    "Processes",
    "PublishConflict",
    "Secrets",
    "Server",
    "SignalHandlers",
    "SingleInstance",
    "SourceChanged",
    "SqlError",
    "StepCallback",
    "TransformError",
    "UnknownName",
    "Where",
    "__version__",
    "appended",
    "branch_of",
    "calling_notebook",
    "confinement",
    "counted",
    "current_commit",
    "database",
    "describe_ending",
    "end_by_interrupt",
    "ended_after_signal",
    "frame_types",
    "git",
    "guarded",
    "ignore_step",
    "is_attended",
    "is_failure",
    "listens",
    "literal",
    "lock",
    "make_folder",
    "mappings",
    "merge_base_mesh",
    "normal_type",
    "parse_yaml",
    "place",
    "port_socket",
    "read_json",
    "read_text",
    "read_yaml",
    "relation_of_commits",
    "resolve_inside",
    "sandbox",
    "sha256",
    "short",
    "sync_path",
    "table_lines",
    "time_id",
    "to_json",
    "why_it_may_pass",
    "with_value",
    "write_durably",
    "yaml_writer",
]
