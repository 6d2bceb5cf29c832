"""Trials: a product built and audited with one combination of parameters after another, and never published."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from itertools import product as every
from typing import Any

from kit.build import masking
from kit.build.candidate import Candidate
from kit.build.plan import BuildRequest, assign_parameters, plan
from kit.build.progress import Progress
from kit.contracts import Check
from kit.core import AuditFailed, Config, KitError, Secrets, UnknownName, to_json, write_durably
from kit.mesh import DataProduct
from kit.storage import Runs, Store

RECORD = "trial.json"
"""The record of a trial in its run folder. It is none of a build, so that a trial is no part of a product's history."""

Watch = Callable[[], AbstractContextManager[Progress]]


@dataclass(frozen=True)
class Trial:
    """One combination tried. `verdict` is passed, refused (by the audit) or failed; `message` says why.

    `run_id` finds its executed notebooks; `rows` are those of each port that was made.
    """

    run_id: str
    parameters: Mapping[str, str]
    verdict: str
    seconds: float
    message: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The trial as JSON values."""
        return {**vars(self), "seconds": round(self.seconds, 3), "checks": [check.to_json() for check in self.checks]}


def trials(
    config: Config,
    products: Sequence[DataProduct],
    values: Mapping[str, Sequence[str]],
    partitions: tuple[str, ...],
    watch: Watch,
) -> Iterator[Trial]:
    """Try every combination of the given values, in turn; all of them are checked before the first one is tried.

    Raises `UnknownName` for more than one product, `KitError` for values that no notebook takes.
    """
    if len(products) != 1:
        raise UnknownName(f"a trial is of one product; name one of {', '.join(product.name for product in products)}")
    (product,) = products
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in every(*values.values())]
    for parameters in combinations:
        assign_parameters(config, product, parameters)
    return (_try(config, product, BuildRequest(parameters, partitions, force=True), watch) for parameters in combinations)


def _try(config: Config, product: DataProduct, request: BuildRequest, watch: Watch) -> Trial:
    store, runs, secrets, clock = (
        Store(config.storage),
        Runs(config.storage),
        Secrets.from_environment(config),
        time.perf_counter(),
    )
    run_id = runs.new_id()
    verdict, message = "passed", ""
    with store.build_lock(product.name), masking.mask_key_hidden(), ExitStack() as held, watch() as progress:
        candidate = Candidate(config, product, store, runs.folder(product.name, run_id), run_id, progress)
        try:
            begun = plan(config, product, request, held, progress)
            candidate.make(begun)
        except AuditFailed as error:
            verdict, message = "refused", str(error)
        except KitError as error:
            verdict, message = "failed", str(error)
        finally:
            rows = candidate.rows()
            candidate.discard()
    seconds = time.perf_counter() - clock
    done = Trial(run_id, request.parameters, verdict, seconds, secrets.scrubbed(message), rows, tuple(candidate.checks))
    if candidate.folder.is_dir():
        write_durably(candidate.folder / RECORD, to_json({"product": product.name, **done.to_json()}))
    return done
