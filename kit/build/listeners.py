"""Listeners: what follows the builds and publications of a mesh, such as the exports to other systems."""

from collections.abc import Callable, Iterator, MutableMapping

from kit.build.plan import BuildPlan, BuildRequest
from kit.core import (
    OLDER,
    Config,
    KitError,
    Secrets,
    load_entry_point,
    machine_problem,
    missing_entry_points,
    points_of,
)
from kit.mesh import DataProduct
from kit.storage import RunRecord

GROUP = "kit.listeners"
"""The entry points that name listeners; each is a subclass of `Listener`."""


class Listener:
    """Follows the builds and publications of a mesh; each method does nothing unless a subclass overrides it.

    One instance follows one build, from its start to its end. It is called in the process that builds, after the fact: readers
    already see what it hears of. It must be quick, opens no network connection that no setting asks for, and is loaded with
    the first event, so its module imports nothing heavy. What it raises fails no build: it is a line of the build's output.
    """

    def started(self, config: Config, product: DataProduct, run_id: str, request: BuildRequest) -> None:
        """A build begins that has something to do."""

    def finished(self, config: Config, product: DataProduct, record: RunRecord, plan: BuildPlan | None) -> None:
        """A build that had something to do has ended, well or not; without `plan` it failed before it was planned."""

    def moved(self, config: Config, product: str) -> None:
        """The pointer of a product was replaced: by a publication, a rollback, a repair, or for new texts of its contracts."""

    def pruned(self, config: Config, product: str) -> None:
        """Snapshots of a product were deleted; its current one is as it was."""


def notify(
    config: Config, event: Callable[[Listener], None], listeners: MutableMapping[str, Listener] | None = None
) -> Iterator[str]:
    """Call every listener with `event`; yield one line for each that failed, without the values of secrets.

    Those that earlier events of a build made are in `listeners`, to which new ones are added.
    """
    made = {} if listeners is None else listeners
    for point in sorted(points_of(GROUP), key=lambda point: point.name):
        try:
            if point.name not in made:
                made[point.name] = load_entry_point(point)()
            event(made[point.name])
        except Exception as error:
            known = machine_problem(error) or (str(error) if isinstance(error, KitError) else "")
            reason = known or f"{type(error).__name__}: {error}"
            yield Secrets.from_environment(config).scrubbed(f"{point.name}: {reason.splitlines()[0]}")
    if missing := missing_entry_points(GROUP):
        yield f"{', '.join(missing)}: not installed, because {OLDER}"
