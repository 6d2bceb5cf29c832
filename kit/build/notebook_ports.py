"""The ports that notebooks make: their order, and the parameters and partition each notebook runs with."""

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from kit.contracts import Finding
from kit.core import Config, KitError, NotebookError, Secrets
from kit.mesh import DataProduct, OutputPort, Parameter, check_parameters, parameters, refuse_secrets

Parameters = Mapping[str, Any]

PARTITION = "partition"
"""The notebook parameter and dbt variable that holds the key of the partition being built."""


def notebook_order(product: DataProduct) -> list[OutputPort]:
    """The ports made by notebooks, each after those of its own product that it reads; raises `KitError` for a cycle."""
    ports = {port.id: port for port in product.ports if port.notebook is not None}
    graph = {name: [item.port for item in port.reads if item.port in ports] for name, port in ports.items()}
    try:
        return [ports[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise KitError(f"'{product.name}': notebooks read each other in a circle: {' → '.join(error.args[1])}") from None


def declared_parameters(product: DataProduct) -> dict[str, dict[str, Parameter]]:
    """The parameters that the notebooks of a product declare, by port and name."""
    return {port.name: parameters(port.notebook) for port in product.ports if port.notebook is not None}


def assign_parameters(config: Config, product: DataProduct, given: Parameters) -> dict[str, dict[str, Any]]:
    """The given parameters by the notebook port that declares them, without those that equal the default.

    Raises `NotebookError` for a value of the wrong type, a value that contains a secret, and a name that no notebook
    declares.
    """
    if not given:
        return {}
    refuse_secrets(f"'{product.name}'", given, Secrets.from_environment(config))
    declared = declared_parameters(product)
    for name in given:
        if not any(name in known for known in declared.values()):
            raise NotebookError(f"no notebook of '{product.name}' has a parameter '{name}'")
    assigned = {}
    for port in product.ports:
        if port.notebook:
            known = declared[port.name]
            values = check_parameters(port.notebook, known, {name: given[name] for name in given if name in known})
            assigned[port.name] = {name: value for name, value in values.items() if value != known[name].default}
    return {port_name: values for port_name, values in assigned.items() if values}


def check_partition_parameters(product: DataProduct) -> Iterator[Finding]:
    """Find the notebooks of a partitioned product that declare no parameter for their partition."""
    if product.partitions:
        for port in product.ports:
            if port.notebook is not None:
                declared = parameters(port.notebook).get(PARTITION)
                if declared is None or declared.type != "str":
                    parameter = f"a parameter `{PARTITION}: str = …` in its cell tagged `parameters`"
                    message = f"'{product.name}' is partitioned, so it needs {parameter}"
                    yield Finding(product.name, port.notebook, None, message)


def with_partition(product: DataProduct, assigned: Mapping[str, Parameters], key: str) -> dict[str, Parameters]:
    """The parameters of each notebook port for one partition, its key included."""
    return {port.name: {**assigned.get(port.name, {}), PARTITION: key} for port in product.ports if port.notebook is not None}
