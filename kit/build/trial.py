"""Trials: a product built and audited with one combination of parameters after another, and never published."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import product as every
from typing import Any

from kit.build.make import make
from kit.build.notebook_ports import assign_parameters
from kit.build.plan import BuildRequest, gather_inputs, plan
from kit.build.product_lock import product_lock
from kit.build.progress import Progress
from kit.build.workspace import Workspace
from kit.contracts import Check
from kit.core import AuditFailed, Config, KitError, UnknownName, to_json, write_durably
from kit.mesh import DataProduct
from kit.quality import audit_targets
from kit.storage import Runs

RECORD = "trial.json"
"""The record of a trial in its run folder. It is not the record of a build: a trial is not part of a product's history."""

Watch = Callable[[], AbstractContextManager[Progress]]


class TrialVerdict(StrEnum):
    """The result of a trial: `REFUSED` by the audit, `FAILED` before it."""

    PASSED = "passed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True)
class Trial:
    """One combination of parameters that was tried; `message` is the reason when it did not pass.

    `run_id` leads to its executed notebooks; `rows` are the numbers of rows by port, of the ports that were made.
    """

    run_id: str
    parameters: Mapping[str, str]
    verdict: TrialVerdict
    seconds: float
    message: str = ""
    rows: Mapping[str, int] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every port could have been published."""
        return self.verdict == TrialVerdict.PASSED

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
    """Try every combination of the given values, one after another; all of them are validated before the first is tried.

    Raises `UnknownName` for more than one product, `KitError` for values that no notebook accepts.
    """
    if len(products) != 1:
        raise UnknownName(f"a trial is of one product; name one of {', '.join(product.name for product in products)}")
    (product,) = products
    combinations = [dict(zip(values, chosen, strict=True)) for chosen in every(*values.values())]
    for parameters in combinations:
        assign_parameters(config, product, parameters)
    return (_try(config, product, BuildRequest(parameters, partitions, force=True), watch) for parameters in combinations)


def _try(config: Config, product: DataProduct, request: BuildRequest, watch: Watch) -> Trial:
    runs, clock = Runs(config.storage), time.perf_counter()
    run_id, (raw, ports) = runs.new_id(), audit_targets(product)
    verdict, message = TrialVerdict.PASSED, ""
    with product_lock(config, product) as held, watch() as progress:
        folder = runs.folder(product.name, run_id)
        workspace = Workspace(config, product.name, folder, run_id=run_id, progress=progress, targets=raw + ports)
        try:
            inputs = gather_inputs(config, product, request, held, progress)
            make(workspace, product, plan(config, product, request, inputs))
        except AuditFailed as error:
            verdict, message = TrialVerdict.REFUSED, str(error)
        except KitError as error:
            verdict, message = TrialVerdict.FAILED, str(error)
        finally:
            message = workspace.scrubbed(message)
            rows = workspace.rows(port.name for port in product.ports)
            workspace.discard()
    seconds = time.perf_counter() - clock
    trial = Trial(run_id, request.parameters, verdict, seconds, message, rows, tuple(workspace.checks))
    if folder.is_dir():
        write_durably(folder / RECORD, to_json({"product": product.name, **trial.to_json()}))
    return trial
