"""Targets of audits: tables with the rules of their contracts, suites and consumers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from kit.contracts import Assertion, Check, ConsumerContract, Contract, Rule
from kit.mesh import RAW, DataProduct, OutputPort
from kit.quality import suite


@dataclass(frozen=True)
class AuditTarget:
    """One table to audit: its name in SQL, its contract, its suites and the contracts of its consumers.

    `suite` is the committed suite of the contract, None for a raw source, which has none; `extra_suite` that of the team.
    """

    table: str
    contract: Contract
    suite: Path | None = None
    extra_suite: Path | None = None
    needs: tuple[ConsumerContract, ...] = ()

    @classmethod
    def from_port(cls, port: OutputPort) -> "AuditTarget":
        """Return the table of an output port."""
        return cls(port.name, port.contract, port.suite, port.extra_suite, port.needs)


def audit_targets(product: DataProduct) -> tuple[list[AuditTarget], list[AuditTarget]]:
    """Return the tables that a build audits: raw sources before the transformation, ports before the publication."""
    raw = [AuditTarget(f"{RAW}.{source.name}", source.contract) for source in product.sources]
    return raw, [AuditTarget.from_port(port) for port in product.ports]


def quarantining(product: DataProduct) -> dict[str, Contract]:
    """Return the contracts with rules that quarantine, by table."""
    raw, ports = audit_targets(product)
    return {target.table: target.contract for target in raw + ports if target.contract.quarantining}


def schema_rule(contract: Contract) -> str:
    """Return the name of the check of a table's columns and types."""
    return f"has the contract's {len(contract.columns)} columns and types"


def rules(target: AuditTarget, clock: datetime) -> list[tuple[str, Rule]]:
    """Return every rule of a target with its origin: `contract`, `suite` or `need`.

    Raises `InvalidFile` for a suite of the team that cannot be read. The committed suite is not read.
    """
    needs = [("need", rule) for need in target.needs for rule in consumer_rules(need, clock)]
    return [*provider_rules(target, clock, None), *needs]


def provider_rules(target: AuditTarget, clock: datetime, committed: Path | None) -> list[tuple[str, Rule]]:
    """Return the rules of a target's contract, from the `committed` suite if given, and of the team's suite.

    Raises `InvalidFile` for a suite that cannot be read, or is not the one of the contract.
    """
    contract = [*suite.contract_rules(target.contract, committed), *_latency(target.contract, clock)]
    extra = suite.extra_rules(target.extra_suite) if target.extra_suite else ()
    return [*(("contract", rule) for rule in contract), *(("suite", rule) for rule in extra)]


def consumer_rules(need: ConsumerContract, clock: datetime) -> list[Rule]:
    """Return the rules of a consumer's contract, named as checks of the provider."""
    return [need.named(rule) for rule in (*suite.contract_rules(need.contract), *_latency(need.contract, clock))]


def age_checks(target: AuditTarget, newest: str, clock: datetime) -> list[Check]:
    """Return the checks of a contract about the age of a table's data, whose newest value is known, at `clock`."""
    checks = []
    for rule in _latency(target.contract, clock):
        oldest, latest = (datetime.fromisoformat(str(rule.assertion.kwargs[name])) for name in ("min_value", "max_value"))
        passed = oldest <= datetime.fromisoformat(newest) <= latest
        checks.append(Check(target.table, rule.name, "contract", passed, rule.severity, observed=newest, note=rule.description))
    return checks


def _latency(contract: Contract, clock: datetime) -> Iterator[Rule]:
    """Yield the rule about the age of the newest data; no suite holds it, since it depends on the clock."""
    sla = contract.sla
    if sla.latency and sla.latency_column:
        zoned = any(column.name == sla.latency_column and "time zone" in column.type for column in contract.columns)
        now = clock.replace(tzinfo=UTC) if zoned else clock
        name = f"the newest {sla.latency_column} is at most {_days(sla.latency.total_seconds())} old and not in the future"
        # One day ahead passes: the clock may be a date, and time zones differ.
        bounds = {"min_value": now - sla.latency, "max_value": now + timedelta(days=1)}
        kwargs = {"column": sla.latency_column, **{key: value.isoformat(sep=" ") for key, value in bounds.items()}}
        yield Rule(name, Assertion.from_expectation("expect_column_max_to_be_between", kwargs))


def _days(seconds: float) -> str:
    return f"{seconds / 86400:g} days" if seconds >= 172_800 else f"{seconds / 3600:g} hours"
