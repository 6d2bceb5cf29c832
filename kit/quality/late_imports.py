"""Modules that a library imports and hardly ever uses: imported when it first uses them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


@contextmanager
def imported_when_used(*names: str) -> Iterator[None]:
    """Import the modules of these names later where the block imports them: at the first use of something in them.

    Only those that import them in the block are affected. Modules that are imported already stay as they are.
    """
    late = {name: _Late(name) for name in names if name not in sys.modules}
    sys.modules |= late
    try:
        yield
    finally:
        for name, module in late.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]


class _Late(ModuleType):
    def __getattr__(self, attribute: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), attribute)
