"""JUnit reports as CI systems read them."""

import json
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from kit.build.build import Outcome
from kit.cli import junit
from kit.cli.junit import Case
from kit.contracts.check import Check
from kit.contracts.finding import Finding
from kit.mesh.mesh import Broken
from kit.orchestration.run import RunResult
from kit.storage.runs import BuildStatus
from tests.support.small_mesh import SmallMesh

# What the schema that JUnit's readers share (https://github.com/windyroad/JUnit-Schema) requires; Jenkins permits it too.
SUITE = {"name", "id", "package", "timestamp", "hostname", "tests", "failures", "errors", "time"}
PARTS = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out", "system-err"],
    "properties": ["property"],
    "testcase": ["failure"],
}
ATTRIBUTES = {
    "testsuite": SUITE,
    "testcase": {"classname", "name", "time"},
    "failure": {"type", "message"},
    "property": {"name", "value"},
}


def read(path: Path) -> Xml.Element:
    """A report that has the elements, in this order, and the attributes that the schema requires."""
    root = Xml.parse(path).getroot()
    assert root.tag == "testsuites"
    for element in root.iter():
        tags = [child.tag for child in element]
        allowed = PARTS.get(element.tag, [])
        assert set(tags) <= set(allowed)
        assert tags == sorted(tags, key=allowed.index)
        assert set(element.attrib) == ATTRIBUTES.get(element.tag, set())
    for suite in root:
        cases = suite.findall("testcase")
        assert [tag for tag in PARTS["testsuite"] if tag != "testcase" and suite.find(tag) is None] == []
        assert int(suite.attrib["tests"]) == len(cases)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
        names = [(case.attrib["classname"], case.attrib["name"]) for case in cases]
        assert len(set(names)) == len(names)
    return root


def cases(root: Xml.Element) -> dict[str, str | None]:
    """The first line of each failure, by place and name of its case; None for a case that passed."""
    found = {}
    for case in root.iter("testcase"):
        failure = case.find("failure")
        found[f"{case.attrib['classname']}: {case.attrib['name']}"] = None if failure is None else failure.attrib["message"]
    return found


def test_a_run_is_a_suite_a_product_with_its_build_and_checks() -> None:
    failed = Check("sales", "id is unique", "contract", False, observed="2 rows", samples=({"id": 1},))
    warned = Check("sales", "few rows", "suite", False, severity="warning")
    result = RunResult(
        (
            Outcome("shop", BuildStatus.FAILED, 1.5, message="1 check failed\nnothing was published", checks=(failed, warned)),
            Outcome("plan", BuildStatus.UP_TO_DATE, 0.25),
        ),
        (Broken("bad", Path("bad"), Finding("bad", None, None, "has no product.odps.yaml")),),
    )
    assert [(case.place, case.name, case.failure.partition("\n")[0], case.seconds) for case in junit.run_cases(result)] == [
        ("bad", "build", "broken: has no product.odps.yaml", 0.0),
        ("shop", "build", "1 check failed", 1.5),
        ("shop.sales", "id is unique (contract)", "failed  sales: id is unique  (contract)", 0.0),
        ("shop.sales", "few rows (suite)", "", 0.0),
        ("plan", "build", "", 0.25),
    ]


def test_every_text_makes_a_valid_report(tmp_path: Path) -> None:
    ugly = "a \x1b[31m<b> & \x00 \ud800 \uffff ]]> \"'\nnext"
    given = [Case("p", "p", "same", ugly, 1.0), Case("p", "p", "same", "", 0.5), Case("q\x07", "q\x07", ugly)]
    path = tmp_path / "reports" / "kit.xml"
    junit.write(path, "kit run", given)
    root = read(path)
    assert [suite.attrib["name"] for suite in root] == ["p", "q\\x07"]
    assert root[0].attrib["time"] == "1.500"
    (failure,) = root.iter("failure")
    assert failure.text == "a \\x1b[31m<b> & \\x00 \\ud800 \\uffff ]]> \"'\nnext"
    assert cases(root)["p: same 2"] is None
    junit.write(path, "kit run", [])
    assert len(read(path)) == 0


def test_the_commands_write_reports(small: SmallMesh) -> None:
    (small.domains / "bad").mkdir()
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"name": "totals",', '"name": "totals", "unknown": 1,')
    assert small.kit("check", "--junit", "check.xml").returncode == 1
    found = cases(read(small.root / "check.xml"))
    assert found["plan: kit check"] is None
    assert "there is no field 'unknown'" in str(found["shop: kit check"])
    assert found["bad: kit check"]
    small.replace("domains/shop/contracts/totals.odcs.yaml", '"name": "totals", "unknown": 1,', '"name": "totals",')
    done = small.kit("run", "--junit", "out/run.xml", "--json")
    assert (done.returncode, done.stderr.startswith("bad is broken: ")) == (1, True)
    found = cases(read(small.root / "out/run.xml"))
    assert found["bad: build"]
    assert found["shop: build"] is found["plan: build"] is found["shop.sales: sale_id is unique (contract)"] is None
    outcomes = {item["product"]: item["status"] for item in json.loads(done.stdout)}
    assert outcomes == {"shop": "published", "plan": "published", "bad": "broken"}
    done = small.kit("run", "shop", "bad", "--junit", "named.xml", "--json")
    assert (done.returncode, done.stderr.startswith("bad is broken: ")) == (1, True)
    found = cases(read(small.root / "named.xml"))
    assert (found["shop: build"], bool(found["bad: build"]), len(found)) == (None, True, 2)
    assert [(item["product"], item["status"]) for item in json.loads(done.stdout)] == [
        ("shop", "up to date"),
        ("bad", "broken"),
    ]


@pytest.mark.parametrize("arguments", [["--trial", "-p", "factor=1"]])
def test_a_trial_has_no_report(small: SmallMesh, arguments: list[str]) -> None:
    done = small.kit("run", "plan", "--junit", "run.xml", *arguments)
    assert (done.returncode, "a trial has no JUnit report" in done.stderr) == (2, True)
    assert not (small.root / "run.xml").exists()
