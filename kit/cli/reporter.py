"""Progress of builds in a terminal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.text import Text

from kit.build import Outcome, Progress
from kit.cli.console import console, errors
from kit.cli.spinner import Spinner
from kit.core import counted
from kit.mesh import DataProduct
from kit.orchestration.run import RunReporter
from kit.storage import BuildStatus


class TerminalReporter(RunReporter):
    """Shows a spinner for the current steps, and a line for each step and product that has ended."""

    def __init__(self) -> None:
        self._spinner = Spinner()
        self._builds: list[dict[str, str]] = []

    def started(self, products: Sequence[DataProduct]) -> None:
        """Print which products the run builds."""
        names = ", ".join(product.name for product in products)
        console.print(f"{counted(len(products), 'data product')}{names and ': '}{names}", style="bold")

    def joined(self, products: Sequence[str]) -> None:
        """Print which products are built because of the masking key."""
        console.print(f"also {', '.join(products)}: masked with another key, and masked columns must join", style="yellow")

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Show the steps of one build, beside those of others that run at the same time."""

        def begin(product: str, step: str) -> None:
            steps[product] = step
            self._show()

        def end(product: str, step: str, result: str, seconds: float) -> None:
            console.print(f"  {product:<12} {step:<10} {result:<44} {seconds:6.1f} s", style="dim")

        steps: dict[str, str] = {}
        self._builds.append(steps)
        if len(self._builds) == 1:
            self._spinner.start()
        try:
            yield Progress(begin=begin, end=end)
        finally:
            self._builds = [other for other in self._builds if other is not steps]
            self._show()
            if not self._builds:
                self._spinner.stop()

    def _show(self) -> None:
        self._spinner.update(", ".join(f"{product}: {step}" for steps in self._builds for product, step in steps.items()))

    def finished(self, outcome: Outcome) -> None:
        """Print the status of a product's build and, after a failure, the reason.

        Of a product that another run builds there is only the line; the command names all of them in one sentence.
        """
        style = {BuildStatus.FAILED: "red", BuildStatus.PUBLISHED: "green"}.get(outcome.status, "")
        snapshot = outcome.version or ""
        if outcome.partitions:
            snapshot += f", {counted(len(outcome.partitions), 'partition')}"
        status = "busy" if outcome.busy else outcome.status
        console.print(Text(f"  {outcome.product:<12} {status:<10} {snapshot:<44} {outcome.seconds:6.1f} s", style=style))
        if outcome.message and not outcome.busy:
            (errors if outcome.failed else console).print(Text(outcome.message, style=style))


class PromotionReporter(TerminalReporter):
    """Shows the steps of the build and its success; the command itself names the product and prints a failure."""

    def started(self, products: Sequence[DataProduct]) -> None:
        """Print nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Print an outcome that is no failure."""
        if not outcome.failed:
            super().finished(outcome)


def reporter(as_json: bool) -> RunReporter:
    """Return the reporter of a command: silent when it prints JSON."""
    return RunReporter() if as_json else TerminalReporter()
