"""Linting. `modelfile.lint(...)` is a call, too: see `modelfile.api.lint`."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Room(ModuleType):
    """Importing anything in here makes `modelfile.lint` this module, and it is to stay the function of that name."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call `modelfile.api.lint`."""
        return import_module("modelfile.api").lint(*arguments, **options)


sys.modules[__name__].__class__ = _Room
