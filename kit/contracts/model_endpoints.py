"""The endpoints of language models that the rows of a port may be sent to, as its contract allows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.contracts.custom_properties import custom_property
from kit.core import Document

MODEL_ENDPOINTS = "modelEndpoints"


@dataclass(frozen=True)
class ModelEndpoints:
    """The addresses that may get rows of a port: `everywhere` those of all rows, `by_key` those of one partition's rows."""

    everywhere: tuple[str, ...] = ()
    by_key: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Document, *, is_raw: bool) -> "ModelEndpoints":
        """Read the custom property `modelEndpoints` of a contract; raises `InvalidFile`."""
        where, value = custom_property(document, [], document.data, MODEL_ENDPOINTS)
        if not where:
            return cls()
        if is_raw:
            raise document.error(
                where, f"'{MODEL_ENDPOINTS}' has no effect at a source, which no model gets; write it at a port"
            )
        entries = value if isinstance(value, dict) else {None: value}
        for addresses in entries.values():
            if not (isinstance(addresses, list) and addresses and all(map(_is_address, addresses))):
                problem = (
                    f"{MODEL_ENDPOINTS}: {value!r} is no list of addresses; write [https://models.example.com/v1], "
                    "or such a list for each partition"
                )
                raise document.error(where, problem)
        lists = {str(key): tuple(item.rstrip("/") for item in addresses) for key, addresses in entries.items()}
        return cls(by_key=lists) if isinstance(value, dict) else cls(lists["None"])

    @property
    def any(self) -> frozenset[str]:
        """All addresses that may get some rows."""
        return frozenset(self.everywhere).union(*self.by_key.values())

    def allows(self, base_url: str, key: str | None) -> bool:
        """Whether the rows of a partition may be sent to an endpoint; all rows when `key` is None."""
        if not self.by_key:
            return base_url in self.everywhere
        lists = self.by_key.values() if key is None else [self.by_key.get(key, ())]
        return all(base_url in addresses for addresses in lists)


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://")) and value.split("://")[1] != ""
