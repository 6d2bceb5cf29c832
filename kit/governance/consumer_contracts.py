"""Where contracts promise less than the readers of their ports state they need, and where a change takes that away."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from kit.contracts import (
    FOLDER,
    ConsumerContract,
    Contract,
    ContractChange,
    DocumentReader,
    Finding,
    Rule,
    compare,
    implies,
    subject,
)
from kit.core import Config, KitError, short
from kit.mesh import Mesh, folders

_KIND = ".odcs.yaml"
_MORE_OR_LESS = {"minor": "needs more: ", "major": "needs less: "}


def stated(old: Config, new: Config, documents: DocumentReader) -> dict[str, tuple[ContractChange, ...]]:
    """The changes of what is stated between two trees, by port; of files that differ only."""
    before, after = _files(old), _files(new)
    found: dict[str, tuple[ContractChange, ...]] = {}
    for key in sorted({*before, *after}):
        if _bytes(before, key) != _bytes(after, key):
            consumer, port = key
            was, now = (_contract(files, key, documents) for files in (before, after))
            changes = tuple(ContractChange(f"need of {consumer}", text, "patch") for text in _said(was, now, key in after))
            found[port] = (*found.get(port, ()), *changes)
    return found


def _said(was: Contract | None, now: Contract | None, there: bool) -> list[str]:
    if now is None:
        return ["cannot be understood; `kit check` says why" if there else "no longer stated"]
    if was is None:
        return [f"stated: {', '.join(column.name for column in now.columns)}"]
    return [
        _MORE_OR_LESS.get(change.verdict, "") + f"{change.where} {change.text}".replace("promised: ", "needed: ", 1)
        for change in compare(was, now)
    ]


def _files(config: Config) -> Mapping[tuple[str, str], Path]:
    """The files of a tree, by consumer and port."""
    return {
        (folder.name, path.name.removesuffix(_KIND)): path
        for folder in folders(config.domains)
        for path in (folder / FOLDER).glob(f"*{_KIND}")
    }


def _bytes(files: Mapping[tuple[str, str], Path], key: tuple[str, str]) -> bytes | None:
    return files[key].read_bytes() if key in files else None


def _contract(files: Mapping[tuple[str, str], Path], key: tuple[str, str], documents: DocumentReader) -> Contract | None:
    with suppress(KitError):
        return Contract.load(files[key], documents) if key in files else None
    return None


def check_consumer_contracts(mesh: Mesh) -> Iterator[Finding]:
    """Find the contracts that promise less than a consumer contract of their port asks for."""
    for product in mesh.products:
        for port in product.ports:
            for need in port.needs:
                for change in unmet(need, port.contract):
                    message = f"promises less than '{need.consumer}' needs: {change.where}: {change.text}"
                    fix = f"promise it, or agree with {need.owner} ({need.contact}) on {short(need.contract.path)}"
                    yield Finding(product.name, port.contract.path, None, message, fix)


def unmet(need: ConsumerContract, contract: Contract) -> tuple[ContractChange, ...]:
    """What is taken away on the way from what is needed to what is promised; a rule that only warns is no more than a wish."""
    return tuple(change for change in _way(need, contract, contract) if change.verdict == "major")


def lost(need: ConsumerContract, old: Contract, new: Contract) -> tuple[ContractChange, ...]:
    """What a change of a contract takes away of what is needed, or may; what was not promised before is not lost by it."""
    lacked = _way(need, old, old)
    return tuple(change for change in _way(need, new, old) if change.verdict in ("major", "review") and change not in lacked)


def _way(need: ConsumerContract, contract: Contract, known: Contract) -> tuple[ContractChange, ...]:
    """From what is needed to what is promised; who says nothing of the mask of a column means the one that was `known`."""
    masks = {column.name: column.mask for column in known.columns}
    columns = (replace(column, mask=column.mask or masks.get(column.name)) for column in need.contract.columns)
    rules = (rule for rule in need.contract.rules if rule.severity == "error" and not _promised(rule, contract))
    return compare(replace(need.contract, columns=tuple(columns), rules=tuple(rules)), contract)


def _promised(rule: Rule, contract: Contract) -> bool:
    return any(subject(other) == subject(rule) and implies(other, rule) for other in contract.rules)
