"""Foundation: errors, settings, files, YAML, the content cache, git, secrets, processes, locks and DuckDB connections.

Paths and settings go in; parsed files, open connections and `KitError`s come out. Imports no other package of the kit.
"""

from kit.core import confinement, database, frame_types, git, landlock, sandbox, yaml_writer
from kit.core.cache import ContentCache
from kit.core.calling_notebook import NOTEBOOK, calling_notebook, is_attended
from kit.core.config import Config
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
    remove_unfinished,
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
from kit.core.mask_key import MASK_KEY, erase_mask_key, mask_key_hidden
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
from kit.core.scrubbing import CUT, ScrubbedPipe, ScrubbedStream, StandardError, scrubbed_streams
from kit.core.secrets import Secrets, each_text
from kit.core.text import PLAIN, counted, encodable, place, short, table_lines, visible
from kit.core.version import __version__
from kit.core.yaml import Document, Where, mappings, parse_yaml, read_yaml
from kit.core.yaml_editor import appended, with_value

__all__ = [
    "CUT",
    "END_AT_ONCE",
    "HOST",
    "IDENTIFIER",
    "KNOWN_TYPES",
    "MASK_KEY",
    "NOTEBOOK",
    "PLAIN",
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
    "each_text",
    "encodable",
    "end_by_interrupt",
    "ended_after_signal",
    "erase_mask_key",
    "frame_types",
    "git",
    "guarded",
    "ignore_step",
    "is_attended",
    "is_failure",
    "landlock",
    "listens",
    "literal",
    "lock",
    "make_folder",
    "mappings",
    "mask_key_hidden",
    "merge_base_mesh",
    "normal_type",
    "parse_yaml",
    "place",
    "port_socket",
    "read_json",
    "read_text",
    "read_yaml",
    "relation_of_commits",
    "remove_unfinished",
    "resolve_inside",
    "sandbox",
    "scrubbed_streams",
    "sha256",
    "short",
    "sync_path",
    "table_lines",
    "time_id",
    "to_json",
    "visible",
    "why_it_may_pass",
    "with_value",
    "write_durably",
    "yaml_writer",
]
