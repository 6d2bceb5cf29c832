"""Owners: the contracts of a product name the owner that its descriptor names."""

from collections.abc import Iterator

from kit.contracts import Finding
from kit.core import Where, mappings, read_yaml
from kit.mesh import DESCRIPTOR, DataProduct


def check_owners(product: DataProduct) -> Iterator[Finding]:
    """Find contracts of a product whose team has another owner."""
    for contract in (*(source.contract for source in product.sources), *(port.contract for port in product.ports)):
        document = read_yaml(contract.path)
        team = document.data.get("team")
        members = team.get("members") if isinstance(team, dict) else team
        for position, member in enumerate(mappings(members)):
            name = member.get("username")
            if member.get("role") == "owner" and name != product.owner_contact:
                where: Where = ["team", "members", position] if isinstance(team, dict) else ["team", position]
                message = f"the owner is '{name}', in {DESCRIPTOR} '{product.owner_contact}'"
                yield Finding.from_error(product.name, document.error(where, message), "name the same owner in both")
