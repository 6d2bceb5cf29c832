"""The mesh as its domains declare it: data products, ports, sources, partitions, schedules, parameters and their graph.

The folder `domains/` goes in; a `Mesh` of `DataProduct`s with resolved inputs comes out.
"""

from kit.mesh import versions
from kit.mesh.context import Context
from kit.mesh.mesh import Broken, Mesh, folders
from kit.mesh.parameters import TYPES, Parameter, assignments, check_parameters, parameters, tagged
from kit.mesh.partitions import Partitions
from kit.mesh.product import DESCRIPTOR, RAW, DataProduct, InputPort, OutputPort, Source, name_problem

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
    "Source",
    "assignments",
    "check_parameters",
    "folders",
    "name_problem",
    "parameters",
    "tagged",
    "versions",
]
