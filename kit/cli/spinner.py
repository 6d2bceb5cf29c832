"""A spinner on the last line of a terminal."""

from rich.status import Status

from kit.cli.console import console, spinning


class Spinner(Status):
    """A spinner with a text, until it is stopped; `errors` prints above it."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text, console=console)

    def start(self) -> None:
        """Show the spinner."""
        spinning.append(self)
        super().start()

    def stop(self) -> None:
        """Clear the line of the spinner."""
        if self in spinning:
            spinning.remove(self)
        super().stop()
