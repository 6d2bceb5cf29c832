"""The mesh as its domains declare it: data products with ports, sources, partitions, schedules and parameters.

The folder `domains/` goes in; a `Mesh` of `DataProduct`s with resolved inputs comes out.
"""

from typing import TYPE_CHECKING

from kit.core import lazy_face
from kit.mesh.parameters import (
    TYPES,
    Parameter,
    assigned_value,
    assignments,
    check_given_parameters,
    check_parameters,
    parameters,
    plain_value,
    refuse_secrets,
    tagged,
)

if TYPE_CHECKING:
    from kit.mesh.contents import leads_out
    from kit.mesh.context import Context
    from kit.mesh.mesh import Broken, Mesh, folders
    from kit.mesh.partitions import Partitions, in_lookback
    from kit.mesh.product import DESCRIPTOR, RAW, DataProduct, InputPort, OutputPort, Source, name_problem, owner_in
    from kit.mesh.schedule import last_time
    from kit.mesh.settled import Settled
    from kit.mesh.versions import resolve_version

__getattr__ = lazy_face(__name__)

__all__ = [
    "DESCRIPTOR",
    "RAW",
    "TYPES",
    "Broken",
    "Context",
    "DataProduct",
    "InputPort",
    "Mesh",
    "OutputPort",
    "Parameter",
    "Partitions",
    "Settled",
    "Source",
    "assigned_value",
    "assignments",
    "check_given_parameters",
    "check_parameters",
    "folders",
    "in_lookback",
    "last_time",
    "leads_out",
    "name_problem",
    "owner_in",
    "parameters",
    "plain_value",
    "refuse_secrets",
    "resolve_version",
    "tagged",
]
