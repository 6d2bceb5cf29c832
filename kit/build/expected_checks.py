"""Every check a build of a product will make, known before it runs."""

from dataclasses import dataclass
from datetime import datetime

from kit.build.partition_files import partition_rule
from kit.dbt.project import Project
from kit.mesh import DataProduct
from kit.quality import audit_targets, quarantine, rules, schema_rule, volume


@dataclass(frozen=True)
class ExpectedCheck:
    """A check to come: what it judges, the rule, where the rule stands and how grave a failure is."""

    table: str
    rule: str
    origin: str
    severity: str
    description: str


def expected_checks(product: DataProduct, project: Project, clock: datetime) -> tuple[ExpectedCheck, ...]:
    """The checks of contracts, suites, needs and dbt tests; raises `InvalidFile` for a suite that cannot be read."""
    found = []
    raw, ports = audit_targets(product)
    for subject in raw + ports:
        text = "Columns and types are exactly those of the contract."
        found.append(ExpectedCheck(subject.table, schema_rule(subject.contract), "contract", "error", text))
        found += [ExpectedCheck(subject.table, need.columns_rule, "need", "error", need.note) for need in subject.needs]
        found += [
            ExpectedCheck(subject.table, rule.name, origin, rule.severity, rule.description)
            for origin, rule in rules(subject, clock)
        ]
        if (share := volume.row_loss(subject)) is not None:
            found.append(ExpectedCheck(subject.table, volume.rule(share), "contract", "error", volume.NOTE))
        if subject.contract.quarantining:
            text = "The others are published; these stand beside them, each with rule and reason."
            found.append(ExpectedCheck(subject.table, quarantine.limit_rule(subject.contract), "contract", "error", text))
    if product.partitions:
        text = "A partition that holds rows of another one would be counted twice."
        found += [ExpectedCheck(port.name, partition_rule(product), "contract", "error", text) for port in product.ports]
    found += [ExpectedCheck(test.table, test.name, "dbt", test.severity, test.description) for test in project.tests]
    return tuple(dict.fromkeys(found))
