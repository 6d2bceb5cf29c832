"""Results of commands as a JUnit report, which CI systems show: one suite a product, one case a check."""

import platform
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as Xml

from kit.contracts import explain
from kit.core import __version__, make_folder, write_durably

if TYPE_CHECKING:
    from kit.contracts import Finding
    from kit.mesh import Mesh
    from kit.orchestration.run import RunResult

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One test case of a product; `failure` is the reason in full, empty for a case that passed."""

    product: str
    place: str
    name: str
    failure: str = ""
    seconds: float = 0.0


def check_cases(mesh: "Mesh", findings: Iterable["Finding"]) -> list[Case]:
    """Return a case for each product, and for each other subject of a finding, with all its findings."""
    names = [product.name for product in mesh.products] + [item.name for item in mesh.broken]
    texts: dict[str, list[str]] = {name: [] for name in names}
    for finding in findings:
        texts.setdefault(finding.product, []).append(str(finding))
    return [Case(name, name, "kit check", "\n".join(found)) for name, found in texts.items()]


def run_cases(result: "RunResult") -> list[Case]:
    """Return a case for the build of each product and for each of its checks; a check that only warns passes."""
    cases = [Case(item.name, item.name, "build", f"broken: {item.finding}") for item in result.broken]
    for outcome in result:
        reason = (outcome.message or outcome.status) if outcome.failed else ""
        cases.append(Case(outcome.product, outcome.product, "build", reason, outcome.seconds))
        for check in outcome.checks:
            place, name = f"{outcome.product}.{check.table}", f"{check.rule} ({check.origin})"
            cases.append(Case(outcome.product, place, name, explain([check]) if check.blocks else ""))
    return cases


def write(path: Path, command: str, cases: Sequence[Case]) -> None:
    """Write the report; it is valid by the schemas of JUnit and of Jenkins, whose readers differ."""
    root = Xml.Element("testsuites")
    for number, product in enumerate(dict.fromkeys(case.product for case in cases)):
        own = [case for case in cases if case.product == product]
        suite = Xml.SubElement(
            root,
            "testsuite",
            name=_text(product),
            id=str(number),
            package=command,
            timestamp=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}",
            hostname=platform.node() or "localhost",
            tests=str(len(own)),
            failures=str(sum(bool(case.failure) for case in own)),
            errors="0",
            time=f"{sum(case.seconds for case in own):.3f}",
        )
        Xml.SubElement(Xml.SubElement(suite, "properties"), "property", name="kit", value=__version__)
        names: dict[tuple[str, str], int] = {}
        for case in own:
            seen = names[case.place, case.name] = names.get((case.place, case.name), 0) + 1
            name = case.name if seen == 1 else f"{case.name} {seen}"  # CI systems compare cases by name
            entry = Xml.SubElement(suite, "testcase", classname=_text(case.place), name=_text(name), time=f"{case.seconds:.3f}")
            if case.failure:
                text = _text(case.failure)
                Xml.SubElement(entry, "failure", type="failed", message=text.partition("\n")[0]).text = text
        Xml.SubElement(suite, "system-out")
        Xml.SubElement(suite, "system-err")
    Xml.indent(root)
    make_folder(path.parent)
    write_durably(path, Xml.tostring(root, encoding="unicode", xml_declaration=True) + "\n")


def _text(text: str) -> str:
    """Return a text with the characters that XML cannot hold escaped."""
    return _NO_XML.sub(lambda sign: repr(sign[0])[1:-1], text)
