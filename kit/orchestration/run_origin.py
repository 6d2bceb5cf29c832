"""Who started a run and how: what Dagster records of it, so that its pages tell a command from a click."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from kit.storage import current_user

_PLACE, _COMMAND = "kit/started_in", "kit/command"


@dataclass(frozen=True)
class RunOrigin:
    """The place in which a run was started, such as a terminal, and the command or call that started it."""

    place: str
    command: str

    @classmethod
    def from_command_line(cls) -> "RunOrigin":
        """Return the origin of runs of the command that this process executes."""
        return cls("terminal", shlex.join(["kit", *sys.argv[1:]]))

    def tags(self) -> dict[str, str]:
        """Return the tags of a run; Dagster shows the tag `user` as the person that launched it."""
        user = current_user()
        return {**({"user": user} if user else {}), _PLACE: self.place, _COMMAND: self.command}

    def again(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags that replace those of another origin; none where there are none."""
        return {_PLACE: self.place, _COMMAND: self.command} if _PLACE in tags else {}
