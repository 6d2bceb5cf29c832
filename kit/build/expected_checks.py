"""The checks that a build of a product will make, listed before it runs."""

from dataclasses import dataclass
from datetime import datetime

from kit.build.partition_files import partition_rule
from kit.dbt.project import Project
from kit.mesh import DataProduct
from kit.quality import audit_targets, quarantine, rules, schema_rule, volume


@dataclass(frozen=True)
class ExpectedCheck:
    """A check that a build will make: the table and rule it checks, the origin of the rule, the severity of a failure."""

    table: str
    rule: str
    origin: str
    severity: str
    description: str


def expected_checks(product: DataProduct, project: Project, clock: datetime) -> tuple[ExpectedCheck, ...]:
    """Return the checks of contracts, suites, consumer contracts and dbt tests; raises `InvalidFile` for a bad suite."""
    checks = []
    raw, ports = audit_targets(product)
    for target in raw + ports:
        text = "Columns and types are exactly those of the contract."
        checks.append(ExpectedCheck(target.table, schema_rule(target.contract), "contract", "error", text))
        checks += [ExpectedCheck(target.table, need.columns_rule, "need", "error", need.note) for need in target.needs]
        checks += [
            ExpectedCheck(target.table, rule.name, origin, rule.severity, rule.description)
            for origin, rule in rules(target, clock)
        ]
        if (share := volume.row_loss(target)) is not None:
            checks.append(ExpectedCheck(target.table, volume.rule(share), "contract", "error", volume.NOTE))
        if target.contract.quarantining:
            text = "The other rows are published; these go to the quarantine table, each with rule and reason."
            checks.append(ExpectedCheck(target.table, quarantine.limit_rule(target.contract), "contract", "error", text))
    if product.partitions:
        text = "A partition that holds rows of another one would be counted twice."
        checks += [ExpectedCheck(port.name, partition_rule(product), "contract", "error", text) for port in product.ports]
    checks += [ExpectedCheck(test.table, test.name, "dbt", test.severity, test.description) for test in project.tests]
    return tuple(dict.fromkeys(checks))
