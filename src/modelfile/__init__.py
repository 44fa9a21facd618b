"""Ollama Modelfiles as source code: lint, format, build, pin and diff."""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` takes 7 ms, in which Ctrl-C would print a traceback
if TYPE_CHECKING:
    from typing import Any, Final

    from modelfile.addresses import ServerAddress
    from modelfile.builder.api import build, plan
    from modelfile.comparisons.diff import diff
    from modelfile.errors import (
        InputError,
        ModelfileError,
        NotFound,
        ServerError,
        TemplateError,
        UsageError,
        VerificationError,
    )
    from modelfile.formatter import format_modelfile as format  # noqa: A004  # the verb of `mf fmt`
    from modelfile.gotemplate.parser import ParsedTemplate, parse_template
    from modelfile.gotemplate.render import render
    from modelfile.health import diagnose
    from modelfile.importer.stored import export
    from modelfile.inspection import check
    from modelfile.library.archives import load_models, save_models
    from modelfile.library.history import backups, rollback
    from modelfile.library.lookup import list_models, show
    from modelfile.library.published import show_published
    from modelfile.library.removal import plan_removal, remove
    from modelfile.library.replacement import copy, pull
    from modelfile.linter.api import fix, lint, lint_paths
    from modelfile.linter.settings import resolve_settings
    from modelfile.pinning.check import check_pins
    from modelfile.pinning.find import find
    from modelfile.pinning.outdated import outdated
    from modelfile.pinning.pin import pin
    from modelfile.pinning.pinner import PinOptions
    from modelfile.pinning.update import update
    from modelfile.pinning.verify import verify
    from modelfile.project.project import Project
    from modelfile.project.target import Target
    from modelfile.recipe.model import fingerprint
    from modelfile.recipe.recipe import resolve
    from modelfile.stores.disk.integrity import find_damage
    from modelfile.stores.disk.prune import plan_prune, prune
    from modelfile.stores.disk.repair import repair
    from modelfile.stores.disk.usage import disk_usage
    from modelfile.stores.ollama.wire import request_of as create_request
    from modelfile.stores.open import open_folder, open_registry, open_store
    from modelfile.stores.protocol import RegistrySettings
    from modelfile.syntax.modelfile import Modelfile, parse

MODULES: Final = {
    "InputError": "errors",
    "Modelfile": "syntax.modelfile",
    "ModelfileError": "errors",
    "NotFound": "errors",
    "ParsedTemplate": "gotemplate.parser",
    "PinOptions": "pinning.pinner",
    "Project": "project.project",
    "RegistrySettings": "stores.protocol",
    "ServerAddress": "addresses",
    "ServerError": "errors",
    "Target": "project.target",
    "TemplateError": "errors",
    "UsageError": "errors",
    "VerificationError": "errors",
    "backups": "library.history",
    "build": "builder.api",
    "check": "inspection",
    "check_pins": "pinning.check",
    "copy": "library.replacement",
    "create_request": "stores.ollama.wire",
    "diagnose": "health",
    "diff": "comparisons.diff",
    "disk_usage": "stores.disk.usage",
    "export": "importer.stored",
    "find": "pinning.find",
    "find_damage": "stores.disk.integrity",
    "fingerprint": "recipe.model",
    "fix": "linter.api",
    "format": "formatter",
    "lint": "linter.api",
    "lint_paths": "linter.api",
    "list_models": "library.lookup",
    "load_models": "library.archives",
    "open_folder": "stores.open",
    "open_registry": "stores.open",
    "open_store": "stores.open",
    "model_tree": "tree",
    "outdated": "pinning.outdated",
    "parse": "syntax.modelfile",
    "parse_template": "gotemplate.parser",
    "pin": "pinning.pin",
    "plan": "builder.api",
    "plan_prune": "stores.disk.prune",
    "plan_removal": "library.removal",
    "prune": "stores.disk.prune",
    "pull": "library.replacement",
    "push": "library.publication",
    "remove": "library.removal",
    "render": "gotemplate.render",
    "repair": "stores.disk.repair",
    "resolve": "recipe.recipe",
    "resolve_settings": "linter.settings",
    "rollback": "library.history",
    "save_models": "library.archives",
    "show": "library.lookup",
    "show_published": "library.published",
    "trace_model": "lineage",
    "trace_target": "lineage",
    "update": "pinning.update",
    "verify": "pinning.verify",
}
"""The public names, and the module of each."""
_RENAMED: Final = {"create_request": "request_of", "format": "format_modelfile"}

__all__ = [
    "InputError",
    "Modelfile",
    "ModelfileError",
    "NotFound",
    "ParsedTemplate",
    "PinOptions",
    "Project",
    "RegistrySettings",
    "ServerAddress",
    "ServerError",
    "Target",
    "TemplateError",
    "UsageError",
    "VerificationError",
    "backups",
    "build",
    "check",
    "check_pins",
    "copy",
    "create_request",
    "diagnose",
    "diff",
    "disk_usage",
    "export",
    "find",
    "find_damage",
    "fingerprint",
    "fix",
    "format",
    "lint",
    "lint_paths",
    "list_models",
    "load_models",
    "model_tree",
    "open_folder",
    "open_registry",
    "open_store",
    "outdated",
    "parse",
    "parse_template",
    "pin",
    "plan",
    "plan_prune",
    "plan_removal",
    "prune",
    "pull",
    "push",
    "remove",
    "render",
    "repair",
    "resolve",
    "resolve_settings",
    "rollback",
    "save_models",
    "show",
    "show_published",
    "trace_model",
    "trace_target",
    "update",
    "verify",
]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    """Import a public name on demand: `mf lint` imports this package too, and needs none of them."""
    from importlib import import_module

    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"modelfile.{MODULES[name]}"), _RENAMED.get(name, name))
