"""Two major versions of a port: the newer one has the name, `NAME_v1` serves the older one until its last day."""

from collections.abc import Mapping

from kit.contracts import Contract, Version
from kit.core import InvalidFile, Where, read_yaml


def resolve_version(port: str, version: Version, offered: Mapping[str, Version]) -> str | None:
    """Return the port that serves a consumer of `port` in `version`: that one or its older version; None for neither."""
    for name in (port, _older(port, version)):
        if name in offered and offered[name].serves(version):
            return name
    return None


def check_versions(contracts: Mapping[str, Contract]) -> None:
    """Raise `InvalidFile` for a port that serves an older version without the name, or the last day, of such a port.

    `contracts` are the contracts of all ports of a product, by name.
    """
    for name, contract in contracts.items():
        newer, version = contract.major_of, contract.version
        if newer is None:
            for other in contracts:
                if name == _older(other, version):
                    problem = (
                        f"'{name}' is the name of version {version.major} of '{other}'; "
                        f"write customProperties: [{{property: majorOf, value: {other}}}], or choose another name"
                    )
                    raise _error(contract, ["schema", 0, "name"], problem)
            continue
        if newer not in contracts:
            others = ", ".join(sorted(set(contracts) - {name})) or "none"
            raise _error(
                contract, ["customProperties"], f"majorOf: '{newer}' is no other port of the product; there are: {others}"
            )
        if contracts[newer].version.major <= version.major:
            problem = f"{version} is not older than '{newer}', {contracts[newer].version}; the newer major version has the name"
            raise _error(contract, ["version"], problem)
        if name != _older(newer, version):
            problem = f"'{name}' must be '{_older(newer, version)}', as it is version {version.major} of '{newer}'"
            raise _error(contract, ["schema", 0, "name"], problem)
        if contract.end_of_life is None:
            raise _error(contract, ["status"], f"an older version of '{newer}' needs a last day; write status: deprecated")


def _older(name: str, version: Version) -> str:
    return f"{name}_v{version.major}"


def _error(contract: Contract, where: Where, problem: str) -> InvalidFile:
    return read_yaml(contract.path).error(where, problem)
