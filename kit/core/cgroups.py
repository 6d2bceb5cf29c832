"""The control groups of this process, of version 1 and 2. Imports little: `kit run` reads them before anything else."""

import os
from collections.abc import Iterator

GROUPS, OWN = "/sys/fs/cgroup", "/proc/self/cgroup"


class Hierarchy:
    """One hierarchy of groups: its `line` in the file `own`, its `controllers` (none in version 2), folder, and own group.

    In a container the `place` of the own group may be that on the host, whose folder is not there: then its limits are those of
    the root.
    """

    def __init__(self, line: str, groups: str) -> None:
        number, controllers, place = line.split(":", 2)
        self.line, self.place = line, place.rstrip("/")
        self.controllers = tuple(controllers.split(",")) if controllers else ()
        names = ("unified", "") if number == "0" else (controllers.removeprefix("name="), *self.controllers)
        self.folder = next((path for name in names if os.path.isdir(path := f"{groups}/{name}".rstrip("/"))), groups)

    @property
    def is_known(self) -> bool:
        """Whether the folder of the own group is there."""
        return os.path.isdir(self.folder + self.place)

    def places(self) -> Iterator[str]:
        """Yield the places of the own group and of all above it, that of the root, an empty text, at the end."""
        place = self.place
        while place:
            yield place
            place = place.rpartition("/")[0]
        yield ""

    def value(self, place: str, name: str) -> str:
        """Return the content of a file of a group; empty without one."""
        return content(f"{self.folder}{place}/{name}")


def hierarchies(groups: str = GROUPS, own: str = OWN) -> list[Hierarchy]:
    """Return the hierarchies that this process is in; none where the system has no such groups."""
    return [Hierarchy(line, groups) for line in content(own).splitlines()]


def content(path: str) -> str:
    """Return the content of a file without blanks around it; empty for one that cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().strip()
    except OSError:
        return ""
