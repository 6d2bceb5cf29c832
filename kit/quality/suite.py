"""The baseline expectation suite of a port: the rules of its contract, for whoever runs Great Expectations without the kit."""

from pathlib import Path
from typing import Any

from kit.contracts import Contract, Query, Rule
from kit.core import to_json
from kit.mesh import DataProduct


def files(product: DataProduct) -> dict[Path, str]:
    """The suite file of each port, as it should be."""
    return {product.folder / "expectations" / f"{port.name}.json": to_json(suite(port.contract)) for port in product.ports}


def suite(contract: Contract) -> dict[str, Any]:
    """A suite that `great_expectations.ExpectationSuite(**suite)` understands; an age is left out, being about the clock."""
    return {
        "name": contract.id,
        "meta": {"contract": contract.id, "version": str(contract.version), "written_by": "kit sync"},
        "expectations": [_expectation(rule) for rule in contract.rules],
    }


def _expectation(rule: Rule) -> dict[str, Any]:
    kwargs = {
        name: value.of_batch() if isinstance(value, Query) else value
        for name, value in rule.kwargs.items() if value is not None
    }  # fmt: skip
    severity = "warning" if rule.severity == "warning" else "critical"
    meta = {"rule": rule.name, **({"notes": rule.description} if rule.description else {})}
    return {"type": rule.type, "kwargs": kwargs, "severity": severity, "meta": meta}
