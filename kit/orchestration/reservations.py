"""The products of a run, reserved for it: a run that begins later leaves them to it, also those whose turn has not come."""

from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType

from kit.build import Outcome, Progress
from kit.core import Busy
from kit.mesh import DataProduct
from kit.storage import BuildStatus, Store


class Reservations:
    """The reservations of a run, by product; each is released when the run is done with the product."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[str, ExitStack] = {}

    def __enter__(self) -> "Reservations":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for product in list(self._held):
            self.release(product)

    def take(self, product: str, *, wait: bool = False) -> Outcome | None:
        """Reserve a product, unless it is already; returns the outcome of one that another run has reserved."""
        if product in self._held:
            return None
        with ExitStack() as stack:
            try:
                stack.enter_context(self._store.run_lock(product, wait=wait))
            except Busy as error:
                return Outcome(product, BuildStatus.FAILED, 0, message=str(error), busy=True)
            self._held[product] = stack.pop_all()
        return None

    def wait_for(self, products: Sequence[DataProduct], progress: Progress) -> set[str]:
        """Reserve all products, after the runs that have reserved them; returns the names of those it waited for."""
        waited = set()
        for name in sorted(product.name for product in products):  # two runs that wait for each other take the same order
            if self.take(name):
                with progress.timed(name, "wait") as set_result:
                    self.take(name, wait=True)
                    set_result("for another run")
                waited.add(name)
        return waited

    def release(self, product: str) -> None:
        """Leave a product to other runs."""
        if product in self._held:
            self._held.pop(product).close()
