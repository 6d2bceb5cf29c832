"""What a contract says about its own end: deprecated until when, and for which port it keeps an older version."""

from datetime import date
from typing import Any

from kit.custom import custom
from kit.yaml import Document, Where, mappings

END_OF_LIFE = "endOfLife"
MAJOR_OF = "majorOf"


def end_of_life(document: Document) -> date | None:
    """The last day a deprecated port is served; None when it is not deprecated.

    Raises `InvalidFile` for a deprecated contract without such a day, and for a day that nothing is deprecated for.
    """
    where, given = _service_level(document)
    deprecated = document.data.get("status") == "deprecated"
    if not where:
        if deprecated:
            problem = f"'deprecated' needs a last day; write slaProperties: [{{property: {END_OF_LIFE}, value: 2030-12-31}}]"
            raise document.error(["status"], problem)
        return None
    if not deprecated:
        raise document.error(
            where, f"'{document.data.get('status')}' contracts have no {END_OF_LIFE}; write status: deprecated"
        )
    try:
        if len(str(given)) != len("2030-12-31"):
            raise ValueError
        return date.fromisoformat(str(given))
    except ValueError:
        raise document.error([*where, "value"], f"'{given}' is no day; write one such as 2030-12-31") from None


def major_of(document: Document) -> str | None:
    """The port of the same product whose older major version the contract keeps; None when it stands for itself."""
    where, given = custom(document, (), document.data, MAJOR_OF)
    return str(given) if where else None


def _service_level(document: Document) -> tuple[Where, Any]:
    """The last day as given, and where it stands; nowhere when it is not given."""
    levels = enumerate(mappings(document.data.get("slaProperties")))
    found = [(position, item.get("value")) for position, item in levels if item.get("property") == END_OF_LIFE]
    if len(found) > 1:
        raise document.error(["slaProperties", found[1][0]], f"{END_OF_LIFE} stands twice; keep one")
    return (["slaProperties", found[0][0]], found[0][1]) if found else ([], None)
