"""Tests of the names of classes and modules: no name stands for two things."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.support.paths import ROOT

SOURCES = ROOT / "src" / "modelfile"
SHARED_CLASSES = {
    "Message",  # a node of a Modelfile, and a message of a recipe or model
    "Modelfile",  # the syntax tree, and the public class with its shortcuts
}
SHARED_MODULES = {
    "api",  # the public functions of a package: of the builder and of the linter
    "nodes",  # of Modelfiles and of templates
    "parser",  # likewise
    "store",  # of each kind of store
}
ONE_MODULE_PER_THING = ("linter/rules/", "cli/", "report/")
"""Packages whose modules are named after a rule, a command or an output, which can be the name of another module."""


def repeated(names: Iterable[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def modules() -> list[Path]:
    return [path.relative_to(SOURCES) for path in SOURCES.rglob("*.py") if path.stem not in {"__init__", "__main__"}]


def test_no_class_name_occurs_twice() -> None:
    names = (
        node.name
        for path in SOURCES.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
    )
    assert repeated(names) <= SHARED_CLASSES


def test_no_module_name_occurs_twice() -> None:
    names = (path.stem for path in modules() if not path.as_posix().startswith(ONE_MODULE_PER_THING))
    assert repeated(names) <= SHARED_MODULES
