"""Generated files: dbt YAML, suites, README tables, catalogs and the lineage picture, written from the contracts.

A mesh goes in; the text of each file, and its difference from the file on disk, come out.
"""

from kit.sync import texts
from kit.sync.markers import BEGIN, END
from kit.sync.sync import check_generated, check_writable, drifts, sync, wanted

__all__ = ["BEGIN", "END", "check_generated", "check_writable", "drifts", "sync", "texts", "wanted"]
