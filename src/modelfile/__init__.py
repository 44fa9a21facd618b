"""Ollama Modelfiles as source code: lint, format, build, pin and diff."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modelfile.api import Modelfile, Template, lint, parse, parse_template
    from modelfile.errors import InputError, ModelfileError

__all__ = ["InputError", "Modelfile", "ModelfileError", "Template", "lint", "parse", "parse_template"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import what is asked for, and only then: `mf lint` imports this package too, and needs none of it."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("modelfile.errors" if name.endswith("Error") else "modelfile.api"), name)
