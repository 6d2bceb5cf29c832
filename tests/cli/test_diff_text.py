from dataclasses import replace

from kit.cli.diff_text import lines, markdown
from kit.contracts.compatibility import ContractChange
from kit.contracts.contract import Version
from kit.governance.diff import Consumer, PortDiff, ProductDiff

DROPPED = ContractChange("column amount", "dropped", "major", frozenset({"amount"}))
FOUND = (
    ProductDiff(
        "shop",
        (
            PortDiff(
                "shop.totals", Version(1, 0, 0), Version(1, 0, 0),
                (DROPPED, ContractChange("table", "rows: a | b <i>", "review")),
                (
                    Consumer("plan", "Pia", "p@example.com", ("forecast",), ("amount",), True),
                    Consumer("other", "Oda", "o@example.com", (), (), False),
                ),
                "shop.totals needs 2.0.0",
                (ContractChange("need of plan", "needs less: column item dropped", "patch"),),
            ),
            PortDiff("shop.new", None, Version(1, 0, 0), (ContractChange("port", "added", "minor"),), ()),
            PortDiff("shop.old", Version(1, 0, 0), None, (ContractChange("port", "removed", "major"),), ()),
        ),
    ),
)  # fmt: skip


def test_a_terminal_gets_aligned_lines() -> None:
    assert [line.plain for line in lines(())] == ["No contract has changed."]
    assert [line.plain for line in lines(FOUND)] == [
        "shop.totals  1.0.0, must be 2.0.0",
        "  major   column amount  dropped",
        "  review  table          rows: a | b <i>",
        "  patch   need of plan   needs less: column item dropped",
        "  affects plan (Pia, p@example.com) through amount, in notebook forecast",
        "shop.new  1.0.0",
        "  minor   port           added",
        "shop.old  1.0.0",
        "  major   port           removed",
        "  no consumer is affected",
        "shop.totals needs 2.0.0",
        "1 problem to fix; 1 change to be judged by a person.",
    ]


def test_consumers_that_were_broken_are_not_counted_as_unaffected() -> None:
    port = replace(FOUND[0].ports[2], possible_consumers=("plan",))
    found = (ProductDiff("shop", (port,)),)
    assert "  not known for plan: broken at the other revision" in [line.plain for line in lines(found)]
    assert "Not known for plan: broken at the other revision." in markdown(found).splitlines()
    assert port.to_json()["possible_consumers"] == ["plan"]


def test_a_pull_request_gets_a_comment_that_cannot_be_broken() -> None:
    assert markdown(()) == "<!-- kit diff -->\n### Contracts\n\nNo contract has changed.\n"
    assert markdown(FOUND).splitlines() == [
        "<!-- kit diff -->",
        "### Contracts",
        "",
        "**1 problem to fix; 1 change to be judged by a person.**",
        "",
        "- shop.totals needs 2.0.0",
        "",
        "#### `shop.totals` 1.0.0, must be 2.0.0",
        "",
        "| verdict | where | change |",
        "|---|---|---|",
        "| major | column amount | dropped |",
        "| review | table | rows: a \\| b &lt;i&gt; |",
        "| patch | need of plan | needs less: column item dropped |",
        "",
        "Affects:",
        "",
        "- **plan** (Pia, p@example.com) through amount, in notebook forecast",
        "",
        "#### `shop.new` 1.0.0",
        "",
        "| verdict | where | change |",
        "|---|---|---|",
        "| minor | port | added |",
        "",
        "#### `shop.old` 1.0.0",
        "",
        "| verdict | where | change |",
        "|---|---|---|",
        "| major | port | removed |",
        "",
        "No consumer is affected.",
    ]
