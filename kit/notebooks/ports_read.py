"""The ports that this process has read: their rows may be in what it asks a language model."""

_read: set[str] = set()


def note_read(port: str) -> None:
    """Remember that this process has read a port, outside of a build."""
    _read.add(port)


def ports_read() -> list[str]:
    """Return the ports that this process has read so far."""
    return sorted(_read)
