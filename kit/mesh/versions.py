"""Two major versions of a port side by side: the newer one has the name, `NAME_v1` keeps the older one until its end."""

from collections.abc import Mapping

from kit.contracts import Contract, Version
from kit.core import InvalidFile, Where, read_yaml


def resolve_version(wanted: str, version: Version, offered: Mapping[str, Version]) -> str | None:
    """The port of a provider that a reader of `wanted` is served from: that one, or its older version; None for neither."""
    for name in (wanted, _older(wanted, version)):
        if name in offered and offered[name].serves(version):
            return name
    return None


def check(contracts: Mapping[str, Contract]) -> None:
    """Raise `InvalidFile` for a port of a product that keeps an older version, and is not named, or not ended, like one.

    `contracts` are those of all its ports, by name.
    """
    for name, contract in contracts.items():
        newer, version = contract.major_of, contract.version
        if newer is None:
            for other in contracts:
                if name == _older(other, version):
                    problem = (
                        f"'{name}' is what version {version.major} of '{other}' is called; "
                        f"write customProperties: [{{property: majorOf, value: {other}}}], or choose another name"
                    )
                    raise _error(contract, ["schema", 0, "name"], problem)
            continue
        if newer not in contracts:
            there = ", ".join(sorted(set(contracts) - {name})) or "none"
            raise _error(
                contract, ["customProperties"], f"majorOf: '{newer}' is no other port of the product; there are: {there}"
            )
        if contracts[newer].version.major <= version.major:
            problem = f"{version} is not older than '{newer}', {contracts[newer].version}; the newer major version has the name"
            raise _error(contract, ["version"], problem)
        if name != _older(newer, version):
            problem = f"'{name}' must be '{_older(newer, version)}', as it is version {version.major} of '{newer}'"
            raise _error(contract, ["schema", 0, "name"], problem)
        if contract.end_of_life is None:
            raise _error(contract, ["status"], f"an older version of '{newer}' has an end; write status: deprecated")


def _older(name: str, version: Version) -> str:
    return f"{name}_v{version.major}"


def _error(contract: Contract, where: Where, problem: str) -> InvalidFile:
    return read_yaml(contract.path).error(where, problem)
