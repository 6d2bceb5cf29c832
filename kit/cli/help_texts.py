"""The help of commands without types of Python, such as `<bool>` at each flag."""

from typing import Any

from typer import Typer
from typer.core import TyperCommand, TyperGroup

_TYPES = {"str": "TEXT", "int": "INTEGER", "float": "NUMBER"}


class _Plain:
    """Shows flags and arguments without a type, whose names say enough, and types of options by words."""

    def get_params(self, ctx: Any) -> Any:
        params = super().get_params(ctx)  # type: ignore[misc]
        for param in params:
            kind = (param.display_type(ctx) or "").strip("<>").removeprefix("list[").rstrip("]")
            if getattr(param, "is_flag", False) or (param.param_type_name == "argument" and kind in _TYPES):
                param.display_type_rich = _nothing
            elif param.metavar is None and kind in _TYPES:
                param.metavar = _TYPES[kind]
        return params


class _Command(_Plain, TyperCommand):
    pass


class _Group(_Plain, TyperGroup):
    pass


def with_plain_help(app: Typer) -> Typer:
    """Give an application and all its commands this help."""
    app.info.cls = _Group
    for command in app.registered_commands:
        command.cls = _Command
    for group in app.registered_groups:
        if group.typer_instance:
            with_plain_help(group.typer_instance)
    return app


def _nothing(ctx: Any) -> None:
    return None
