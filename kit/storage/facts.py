"""The facts of descriptor and contracts in a manifest: owner, descriptions, columns, service levels."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from kit.contracts import Contract, Sla, quarantine_table
from kit.core import NotebookError
from kit.mesh import RAW, DataProduct, OutputPort, Source, parameters

_LEVELS = ("latency", "frequency", "retention")


def facts_of(product: DataProduct) -> dict[str, Any]:
    """Return all facts of a product, in the form of its manifest, whose other entries are those of a build."""
    contracts: dict[str, Contract] = {f"{RAW}.{source.name}": source.contract for source in product.sources}
    contracts |= {port.name: port.contract for port in product.ports}
    versions = {name: {"contract_version": str(contract.version)} for name, contract in contracts.items()}
    aside = {quarantine_table(name): versions[name] for name, contract in contracts.items() if contract.quarantining}
    return {
        "about": product_facts(product),
        "product_version": str(product.version),
        "ports": {port.name: {**versions[port.name], "about": port_facts(port)} for port in product.ports} | aside,
        "sources": {source.name: {"about": source_facts(product, source)} for source in product.sources},
    }


def with_facts(manifest: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with other facts, for the tables that it has."""
    tables = {
        kind: {name: {**entry, **facts.get(kind, {}).get(name, {})} for name, entry in manifest[kind].items()}
        for kind in ("ports", "sources")
    }
    return {**manifest, **facts, **tables}


def product_facts(product: DataProduct) -> dict[str, Any]:
    """Return the facts of a product's descriptor, as JSON values for a manifest."""
    return {
        "domain": product.domain,
        "description": product.description,
        "tags": list(product.tags),
        "owner": product.owner,
        "contact": product.owner_contact,
        **({"lookback": product.partitions.lookback} if product.partitions and product.partitions.lookback else {}),
    }


def port_facts(port: OutputPort) -> dict[str, Any]:
    """Return the facts of a port's contract, as JSON values for a manifest."""
    end = port.contract.end_of_life
    return {
        "description": port.description,
        "columns": [[column.name, column.type, column.description] for column in port.contract.columns],
        **_protection_facts(port.contract),
        "status": port.contract.status,
        "sla": sla_to_json(port.contract.sla),
        **({"end_of_life": str(end)} if end else {}),
        **({"parameters": list(values)} if (values := _parameters(port)) else {}),
    }


def _protection_facts(contract: Contract) -> dict[str, Any]:
    """Return key, classifications and masks of the columns, beside the list that readers without the kit know."""
    facts = {
        "key": list(contract.key),
        "classifications": {column.name: column.classification for column in contract.columns if column.classification},
        "masks": {column.name: str(column.mask) for column in contract.columns if column.mask},
    }
    return {name: value for name, value in facts.items() if value}


def source_facts(product: DataProduct, source: Source) -> dict[str, Any]:
    """Return the facts of a source's contract, as JSON values for a manifest, without the columns that the product hides."""
    columns = [column for column in source.contract.columns if column.name not in product.hidden_columns]
    return {
        "description": source.contract.description,
        "columns": [[column.name, column.type, column.description] for column in columns],
    }


def _parameters(port: OutputPort) -> tuple[str, ...]:
    """Return no parameters of a notebook that cannot be read; builds and `kit check` report it."""
    try:
        return tuple(map(str, parameters(port.notebook).values())) if port.notebook else ()
    except NotebookError:
        return ()


def sla_to_json(sla: Sla) -> dict[str, Any]:
    """Return service levels as JSON values."""
    levels = {name: getattr(sla, name) for name in _LEVELS}
    result: dict[str, Any] = {f"{name}_hours": level.total_seconds() / 3600 for name, level in levels.items() if level}
    return result | ({"latency_column": sla.latency_column} if sla.latency_column else {})


def sla_from_json(data: Mapping[str, Any]) -> Sla:
    """Return the service levels that `sla_to_json` returned."""
    levels = {name: timedelta(hours=data[f"{name}_hours"]) for name in _LEVELS if f"{name}_hours" in data}
    return Sla(**levels, latency_column=data.get("latency_column"))
