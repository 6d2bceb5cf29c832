"""Changes between two versions of a contract, and the version bump that each requires."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from typing import Any, Literal

from kit.contracts.contract import Column, Contract, Version
from kit.contracts.implication import implies, is_same, subject
from kit.contracts.rule_kinds import QUERY
from kit.contracts.rule_query import without_values
from kit.contracts.rules import Rule

Verdict = Literal["major", "minor", "patch", "review"]
"""The version bump that a change requires: major breaks readers, minor promises more, patch changes texts only. A person
decides on a change to review."""

_RENAMED = 0.6  # the least similarity of the names of a dropped column and the added one that replaces it


@dataclass(frozen=True)
class ContractChange:
    """One change: its place, a text, the bump it requires and the columns whose readers it affects (None: all readers)."""

    where: str
    text: str
    verdict: Verdict
    columns: frozenset[str] | None = None


def compare(old: Contract, new: Contract) -> tuple[ContractChange, ...]:
    """Return every change of a contract: columns, key, rules, service levels and texts."""
    stay = {column.name for column in old.columns} & {column.name for column in new.columns}
    return (
        *_columns(old, new, stay),
        *_key(old, new),
        *_rules(old, new, stay),
        *_service(old, new),
        *_texts(old, new, stay),
    )


def required_bump(changes: Iterable[ContractChange]) -> Verdict | None:
    """Return the version bump that all changes together require; None without any. A change to review is at least a patch."""
    verdicts = {change.verdict for change in changes}
    order: tuple[Verdict, ...] = ("major", "minor")
    return next((verdict for verdict in order if verdict in verdicts), "patch" if verdicts else None)


def bumped(version: Version, verdict: Verdict | None) -> Version:
    """Return the lowest version after `version` with this bump; `version` itself for None."""
    match verdict:
        case "major":
            return Version(version.major + 1, 0, 0)
        case "minor":
            return Version(version.major, version.minor + 1, 0)
        case None:
            return version
    return Version(version.major, version.minor, version.patch + 1)


def _columns(old: Contract, new: Contract, stay: set[str]) -> Iterator[ContractChange]:
    before = {column.name: column for column in old.columns}
    added = [column for column in new.columns if column.name not in stay]
    for column in old.columns:
        if column.name in stay:
            continue
        renamed = _renamed(column, added)
        if renamed:
            added.remove(renamed)
        text = f"renamed to {renamed.name}" if renamed else "dropped"
        yield ContractChange(f"column {column.name}", text, "major", frozenset({column.name}))
    for column in added:
        # Nobody reads it yet, so that even a required one breaks no reader.
        yield ContractChange(f"column {column.name}", f"added, {column.type}", "minor", frozenset({column.name}))
    for column in new.columns:
        if column.name not in stay:
            continue
        earlier, only = before[column.name], frozenset({column.name})
        for field, name in (("type", "type"), ("logical_type", "logical type")):
            if getattr(earlier, field) != getattr(column, field):
                text = f"{name} {getattr(earlier, field) or 'none'} → {getattr(column, field) or 'none'}"
                yield ContractChange(f"column {column.name}", text, "major", only)
        if earlier.classification != column.classification:
            # The data is the same; a person decides on access and storage.
            text = f"classification {earlier.classification or 'none'} → {column.classification or 'none'}"
            yield ContractChange(f"column {column.name}", text, "review", only)
        if earlier.mask != column.mask:
            # Other values are published, which neither equal nor join with the earlier ones.
            values_change = any(mask and mask.applies for mask in (earlier.mask, column.mask))
            text = f"mask {earlier.mask or 'none'} → {column.mask or 'none'}"
            yield ContractChange(f"column {column.name}", text, "major" if values_change else "patch", only)


def _renamed(dropped: Column, added: Sequence[Column]) -> Column | None:
    """Return the added column that is most likely the dropped one under another name."""

    def similarity(column: Column) -> float:
        same_description = bool(dropped.description) and column.description == dropped.description
        return 1.0 if same_description else SequenceMatcher(None, dropped.name, column.name).ratio()

    similar = [column for column in added if column.type == dropped.type and similarity(column) >= _RENAMED]
    return max(similar, key=similarity, default=None)


def _key(old: Contract, new: Contract) -> Iterator[ContractChange]:
    if set(old.key) == set(new.key):
        return
    # A row has another meaning: a join by the old key may return more rows than one, or none.
    text = f"{', '.join(old.key) or 'none'} → {', '.join(new.key) or 'none'}"
    yield ContractChange("key", text, "major" if old.key else "minor")


def _rules(old: Contract, new: Contract, stay: set[str]) -> Iterator[ContractChange]:
    before, after = _by_subject(old, stay), _by_subject(new, stay)
    for topic in dict.fromkeys((*before, *after)):
        olds, news = list(before.get(topic, ())), list(after.get(topic, ()))
        for rule in list(olds):
            same = next((other for other in news if is_same(other, rule)), None)
            if same is not None:
                olds.remove(rule)
                news.remove(same)
        for was, now in zip(olds, news, strict=False):
            yield ContractChange(_where(was), _difference(was, now), _verdict(was, now), _affected_columns(was, old))
        for rule in olds[len(news) :]:
            implied = any(implies(other, rule) for other in after.get(topic, ()))
            text = f"without rule: {rule.name}"
            yield ContractChange(_where(rule), text, "patch" if implied else "major", _affected_columns(rule, old))
        for rule in news[len(olds) :]:
            implied = any(implies(other, rule) for other in before.get(topic, ()))
            verdict: Verdict = "patch" if implied else "minor"
            yield ContractChange(_where(rule), f"new rule: {rule.name}", verdict, _affected_columns(rule, new))


def _by_subject(contract: Contract, stay: set[str]) -> Mapping[Any, list[Rule]]:
    """Return the rules by subject, without those that come and go with a column, a type or the key."""
    rules: dict[Any, list[Rule]] = {}
    floats = tuple(column.name for column in contract.columns if column.type in ("float", "double"))
    for rule in contract.rules:
        assertion = rule.assertion
        of_key = assertion.expectation.endswith("_to_be_unique") and assertion.columns == contract.key
        of_type = assertion.columns == floats and assertion.test is not None and assertion.test.name == "finite"
        if not of_key and not of_type and (assertion.expectation == QUERY or stay.issuperset(assertion.columns)):
            rules.setdefault(subject(rule), []).append(rule)
    return rules


def _verdict(old: Rule, new: Rule) -> Verdict:
    kept = implies(new, old)
    if kept is None:
        return "review"
    return "major" if not kept else "patch" if implies(old, new) else "minor"


def _difference(old: Rule, new: Rule) -> str:
    parts = []
    before, after = old.assertion.kwargs.get("value_set"), new.assertion.kwargs.get("value_set")
    if isinstance(before, list) and isinstance(after, list):
        parts += [f"{word} {', '.join(map(str, values))}" for word, values in (
            ("new value", [value for value in after if value not in before]),
            ("without value", [value for value in before if value not in after]),
        ) if values]  # fmt: skip
    elif old.name != new.name:
        parts.append(f"{old.name} → {new.name}")
    elif dict(old.assertion.kwargs) != dict(new.assertion.kwargs):
        parts.append(f"{new.name}: its text changed")
    if old.response != new.response:
        parts.append(f"{new.name}: {old.response} → {new.response}")
    return "; ".join(parts) or f"{new.name}: written otherwise"


def _where(rule: Rule) -> str:
    columns = rule.assertion.columns
    return f"column {columns[0]}" if len(columns) == 1 else "table"


def _affected_columns(rule: Rule, contract: Contract) -> frozenset[str] | None:
    """Return the columns that a rule is about; None for all, as for a number of rows."""
    words = set(re.findall(r"\w+", without_values(str(rule.assertion.query or ""))))
    named = {column.name for column in contract.columns if column.name in words}
    return frozenset(named | set(rule.assertion.columns)) or None


def _service(old: Contract, new: Contract) -> Iterator[ContractChange]:
    for name, longer_is_better in (("latency", False), ("frequency", False), ("retention", True)):
        was: timedelta | None = getattr(old.sla, name)
        now: timedelta | None = getattr(new.sla, name)
        if was == now:
            continue
        if was is None or now is None:
            yield ContractChange(name, f"{_span(was)} → {_span(now)}", "minor" if was is None else "major")
        else:
            yield ContractChange(name, f"{_span(was)} → {_span(now)}", "minor" if (now > was) == longer_is_better else "major")
    was_of, now_of = old.sla.latency_column, new.sla.latency_column
    if was_of and now_of and was_of != now_of:
        yield ContractChange("latency", f"of {was_of} → of {now_of}", "major")
    share, now_share = old.quarantine_limit, new.quarantine_limit
    if share and now_share and share != now_share:
        text = f"at most {100 * share:g} % → at most {100 * now_share:g} %"
        yield ContractChange("quarantine", text, "minor" if now_share < share else "major")
    loss, now_loss = old.max_row_loss, new.max_row_loss
    if loss != now_loss:
        least, now_least = (1 - (1 if share is None else share) for share in (loss, now_loss))
        verdict: Verdict = "patch" if now_least == least else "minor" if now_least > least else "major"
        yield ContractChange("volume", f"{_loss(loss)} → {_loss(now_loss)}", verdict)
    until, now_until = old.end_of_life, new.end_of_life
    if until != now_until:
        # An end announced in time breaks no reader. An earlier one does, but no version announces it: readers must agree.
        sooner = until is not None and now_until is not None and now_until < until
        verdict = "review" if sooner else "patch" if until is None else "minor"
        yield ContractChange("last day", f"{until or 'none'} → {now_until or 'none'}", verdict)
    if old.is_offered != new.is_offered:
        yield ContractChange("status", f"{old.status} → {new.status}", "major" if old.is_offered else "patch")


def _loss(share: float | None) -> str:
    return "none" if share is None else f"loses at most {100 * share:g} % of its rows"


def _span(time: timedelta | None) -> str:
    if time is None:
        return "none"
    hours = time.total_seconds() / 3600
    return f"{hours / 24:g} d" if hours >= 24 else f"{hours:g} h"


def _texts(old: Contract, new: Contract, stay: set[str]) -> Iterator[ContractChange]:
    for name, field in (("title", "title"), ("description", "description"), ("team", "team"), ("tags", "tags")):
        if getattr(old, field) != getattr(new, field):
            yield ContractChange(name, "changed", "patch")
    before = {column.name: column.description for column in old.columns}
    for column in new.columns:
        if column.name in stay and before[column.name] != column.description:
            yield ContractChange(f"column {column.name}", "description changed", "patch", frozenset({column.name}))
    kept = [column.name for column in old.columns if column.name in stay]
    if kept != [column.name for column in new.columns if column.name in stay]:
        yield ContractChange("columns", "in another order", "patch")


# Fields that `compare` covers, or that follow from those.
_COMPARED = re.compile(
    r"version|name|tags|team\.name|status|slaProperties\..*|customProperties\.(majorOf|quarantineLimit|maxRowLoss)\..*|"
    r"schema\.\w+\.(description|quality.*|properties\.\w+(\.(name|description|required|unique|primaryKey|primaryKeyPosition|"
    r"physicalType|logicalType|logicalTypeOptions.*|enum.*|classification|quality.*|customProperties\.(mask|onFailure)\..*))?)"
)
_TEXTS = {
    "domain", "dataProduct", "tenant", "team", "support", "description", "authoritativeDefinitions", "purpose", "usage",
    "limitations", "businessName", "dataGranularityDescription", "examples", "tags",
}  # fmt: skip


def document_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Yield the changes of fields that `compare` ignores: texts and people are a patch, unknown fields are to review."""
    if old != new:
        paths = [path for path in _differing(old, new, "") if not _COMPARED.fullmatch(path)]
        texts = [path for path in paths if _TEXTS & set(path.split("."))]
        kinds: tuple[tuple[list[str], Verdict], ...] = (
            (texts, "patch"),
            ([path for path in paths if path not in texts], "review"),
        )
        for changed, verdict in kinds:
            if changed:
                yield ContractChange("file", f"{', '.join(changed)} changed", verdict)


def _differing(old: Any, new: Any, place: str) -> Iterator[str]:
    was, now = ({} if value is None else _by_name(value) for value in (old, new))
    if was is not None and now is not None:
        for name in dict.fromkeys((*was, *now)):
            yield from _differing(was.get(name), now.get(name), f"{place}.{name}" if place else name)
    elif old != new:
        yield place


def _by_name(value: Any) -> Mapping[str, Any] | None:
    """Return a mapping as it is, a list of named objects by their names, None for anything else."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return None
    names = [str(item.get("name") or item.get("property") or "") for item in value]
    return dict(zip(names, value, strict=True)) if all(names) and len(set(names)) == len(names) else None
