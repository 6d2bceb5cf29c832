"""What changed between two versions of a contract, and what each change is to those who read the port."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import SequenceMatcher
from re import escape, search
from typing import Any, Literal

from kit.contracts.contract import Column, Contract, Version
from kit.contracts.implication import QUERY, implies, response, says_the_same, spoken, subject
from kit.contracts.rule_query import bare
from kit.contracts.rules import Rule

Verdict = Literal["major", "minor", "patch", "review"]
"""What a version must say of a change: major breaks readers, minor promises more, patch is words; a person judges the rest."""

_ALIKE = 0.6


@dataclass(frozen=True)
class ContractChange:
    """One difference: where, in words, what it is to readers, and the columns they notice it by (None: by any)."""

    where: str
    text: str
    verdict: Verdict
    columns: frozenset[str] | None = None


def compare(old: Contract, new: Contract) -> tuple[ContractChange, ...]:
    """Every change of what readers are promised; nothing for two contracts that promise the same in the same words."""
    stay = {column.name for column in old.columns} & {column.name for column in new.columns}
    return (
        *_columns(old, new, stay),
        *_key(old, new),
        *_rules(old, new, stay),
        *_service(old, new),
        *_words(old, new, stay),
    )


def demanded(changes: Iterable[ContractChange]) -> Verdict | None:
    """The kind of version that says all of the changes; None without any. What a person judges is at least a patch."""
    found = {change.verdict for change in changes}
    order: tuple[Verdict, ...] = ("major", "minor")
    return next((verdict for verdict in order if verdict in found), "patch" if found else None)


def least(version: Version, verdict: Verdict | None) -> Version:
    """The lowest version after `version` that says a change of this kind; `version` itself for None."""
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
        renamed = _namesake(column, added)
        if renamed:
            added.remove(renamed)
        text = f"renamed to {renamed.name}" if renamed else "dropped"
        yield ContractChange(f"column {column.name}", text, "major", frozenset({column.name}))
    for column in added:
        # Nobody reads it yet: even a required one takes nothing from anybody.
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
            # The data is the same; who may see it and how it must be kept is for a person to weigh, either way.
            text = f"classification {earlier.classification or 'none'} → {column.classification or 'none'}"
            yield ContractChange(f"column {column.name}", text, "review", only)
        if earlier.mask != column.mask:
            # Other values are published, which neither compare nor join with those that readers know.
            others = any(mask and mask.applies for mask in (earlier.mask, column.mask))
            text = f"mask {earlier.mask or 'none'} → {column.mask or 'none'}"
            yield ContractChange(f"column {column.name}", text, "major" if others else "patch", only)


def _namesake(gone: Column, added: Sequence[Column]) -> Column | None:
    """The added column that is most likely the one that is gone under another name."""

    def likeness(column: Column) -> float:
        same_words = bool(gone.description) and column.description == gone.description
        return 1.0 if same_words else SequenceMatcher(None, gone.name, column.name).ratio()

    alike = [column for column in added if column.type == gone.type and likeness(column) >= _ALIKE]
    return max(alike, key=likeness, default=None)


def _key(old: Contract, new: Contract) -> Iterator[ContractChange]:
    if set(old.key) == set(new.key):
        return
    # What one row is has changed: a join by the old key may find more rows than one, or none.
    text = f"{', '.join(old.key) or 'none'} → {', '.join(new.key) or 'none'}"
    yield ContractChange("key", text, "major" if old.key else "minor")


def _rules(old: Contract, new: Contract, stay: set[str]) -> Iterator[ContractChange]:
    before, after = _by_subject(old, stay), _by_subject(new, stay)
    for about in dict.fromkeys((*before, *after)):
        olds, news = list(before.get(about, ())), list(after.get(about, ()))
        for rule in list(olds):
            same = next((other for other in news if says_the_same(other, rule)), None)
            if same is not None:
                olds.remove(rule)
                news.remove(same)
        for was, now in zip(olds, news, strict=False):
            yield ContractChange(_where(was), _said(was, now), _weighed(was, now), _noticed(was, old))
        for rule in olds[len(news) :]:
            implied = any(implies(other, rule) for other in after.get(about, ()))
            text = f"no longer promised: {rule.name}"
            yield ContractChange(_where(rule), text, "patch" if implied else "major", _noticed(rule, old))
        for rule in news[len(olds) :]:
            implied = any(implies(other, rule) for other in before.get(about, ()))
            verdict: Verdict = "patch" if implied else "minor"
            yield ContractChange(_where(rule), f"newly promised: {rule.name}", verdict, _noticed(rule, new))


def _by_subject(contract: Contract, stay: set[str]) -> Mapping[Any, list[Rule]]:
    """The rules that can be held against each other, those aside that come and go with a column, a type or the key."""
    found: dict[Any, list[Rule]] = {}
    floats = tuple(column.name for column in contract.columns if column.type in ("float", "double"))
    for rule in contract.rules:
        named = spoken(rule)
        of_key = rule.type.endswith("_to_be_unique") and named == contract.key
        of_type = rule.columns == floats and "where not isfinite(" in str(rule.kwargs.get("unexpected_rows_query"))
        if not of_key and not of_type and (rule.type == QUERY or stay.issuperset(named)):
            found.setdefault(subject(rule), []).append(rule)
    return found


def _weighed(old: Rule, new: Rule) -> Verdict:
    kept = implies(new, old)
    if kept is None:
        return "review"
    return "major" if not kept else "patch" if implies(old, new) else "minor"


def _said(old: Rule, new: Rule) -> str:
    parts = []
    mine, theirs = new.kwargs.get("value_set"), old.kwargs.get("value_set")
    if isinstance(mine, list) and isinstance(theirs, list):
        parts += [f"{word} {', '.join(map(str, values))}" for word, values in (
            ("new value", [value for value in mine if value not in theirs]),
            ("without value", [value for value in theirs if value not in mine]),
        ) if values]  # fmt: skip
    elif old.name != new.name:
        parts.append(f"{old.name} → {new.name}")
    elif dict(old.kwargs) != dict(new.kwargs):
        parts.append(f"{new.name}: its text changed")
    if response(old) != response(new):
        parts.append(f"{new.name}: {response(old)} → {response(new)}")
    return "; ".join(parts) or f"{new.name}: written otherwise"


def _where(rule: Rule) -> str:
    named = rule.columns or spoken(rule)
    return f"column {named[0]}" if len(named) == 1 else "table"


def _noticed(rule: Rule, contract: Contract) -> frozenset[str] | None:
    """The columns by which a reader would notice that a rule does not hold; None for all, as of a number of rows."""
    text = bare(str(rule.kwargs.get("unexpected_rows_query", "")))
    named = {column.name for column in contract.columns if search(rf"\b{escape(column.name)}\b", text)}
    return frozenset(named | set(rule.columns or spoken(rule))) or None


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
        # Said in time, an end takes nothing away. An earlier one does, but no version could say so: readers must agree.
        sooner = until is not None and now_until is not None and now_until < until
        verdict = "review" if sooner else "patch" if until is None else "minor"
        yield ContractChange("last day", f"{until or 'none'} → {now_until or 'none'}", verdict)


def _loss(share: float | None) -> str:
    return "none" if share is None else f"loses at most {100 * share:g} % of its rows"


def _span(time: timedelta | None) -> str:
    if time is None:
        return "none"
    hours = time.total_seconds() / 3600
    return f"{hours / 24:g} d" if hours >= 24 else f"{hours:g} h"


def _words(old: Contract, new: Contract, stay: set[str]) -> Iterator[ContractChange]:
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


# What `kit.evolution` weighs, or what follows from it.
_WEIGHED = re.compile(
    r"version|name|tags|team\.name|status|slaProperties\..*|customProperties\.(majorOf|quarantineLimit|maxRowLoss)\..*|"
    r"schema\.\w+\.(description|quality.*|properties\.\w+(\.(name|description|required|unique|primaryKey|primaryKeyPosition|"
    r"physicalType|logicalType|logicalTypeOptions.*|classification|quality.*|customProperties\.(mask|onFailure)\..*))?)"
)
_WORDS = {
    "domain", "dataProduct", "tenant", "team", "support", "description", "authoritativeDefinitions", "purpose", "usage",
    "limitations", "businessName", "dataGranularityDescription", "examples", "tags",
}  # fmt: skip


def reworded(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[ContractChange]:
    """Fields that promise readers nothing: texts and people are a patch; what the kit does not know, a person judges."""
    if old != new:
        found = [path for path in _differing(old, new, "") if not _WEIGHED.fullmatch(path)]
        words = [path for path in found if _WORDS & set(path.split("."))]
        kinds: tuple[tuple[list[str], Verdict], ...] = (
            (words, "patch"),
            ([path for path in found if path not in words], "review"),
        )
        for paths, verdict in kinds:
            if paths:
                yield ContractChange("file", f"{', '.join(paths)} changed", verdict)


def _differing(old: Any, new: Any, at: str) -> Iterator[str]:
    was, now = ({} if value is None else _named(value) for value in (old, new))
    if was is not None and now is not None:
        for name in dict.fromkeys((*was, *now)):
            yield from _differing(was.get(name), now.get(name), f"{at}.{name}" if at else name)
    elif old != new:
        yield at


def _named(value: Any) -> Mapping[str, Any] | None:
    """A mapping as it is, a list of things with names by these names; None for anything else."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        return None
    names = [str(item.get("name") or item.get("property") or "") for item in value]
    return dict(zip(names, value, strict=True)) if all(names) and len(set(names)) == len(names) else None
