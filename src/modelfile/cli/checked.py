"""Read a Modelfile and lint it, with what the lock knows of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typer

from modelfile.cli.files import folder_of, read_source
from modelfile.cli.locks import find_pinned_base
from modelfile.cli.settings import Settings, settings
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError
from modelfile.lint.engine import lint
from modelfile.lint.rule import Context
from modelfile.report.text import print_findings
from modelfile.syntax.modelfile import Modelfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A Modelfile and what was found in it."""

    modelfile: Modelfile
    diagnostics: tuple[Diagnostic, ...]

    @property
    def refused(self) -> bool:
        """Whether there is an error in it."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def check(path: str, force: Settings | None = None) -> Checked:
    """Read and lint one Modelfile, by what is configured here unless something else is in force.

    Raises:
        InputError: It cannot be read.
        UsageError: What is configured is not right.
    """
    modelfile = Modelfile.parse(read_source(path))
    return Checked(modelfile=modelfile, diagnostics=diagnose(modelfile, path, force or settings()))


def diagnose(modelfile: Modelfile, path: str, force: Settings) -> tuple[Diagnostic, ...]:
    """Lint a Modelfile that stands, or is to stand, at a path."""
    folder = folder_of(path)

    def exists(written: str) -> bool:
        from modelfile.semantics.resolve import expand  # 5 ms that a file without paths does not need

        try:
            return expand(written, folder or Path()).exists()
        except (InputError, OSError, ValueError):
            return False

    context = Context(
        modelfile=modelfile,
        exists=exists if folder is not None else None,
        pinned=find_pinned_base(Path(path)) if folder is not None else None,
        target=force.target,
    )
    return lint(context, force.rules_for(path), force.severities)


def check_all(paths: Iterable[str], force: Settings) -> tuple[list[Checked], list[InputError]]:
    """Read and lint Modelfiles; what cannot be read is an error each, told once where it is the same."""
    checked: list[Checked] = []
    unread: dict[str, InputError] = {}
    for path in paths:
        try:
            checked.append(check(path, force))
        except InputError as error:
            unread.setdefault(error.message, error)
    return checked, list(unread.values())


def check_buildable(path: str) -> Checked:
    """Read and lint one Modelfile that is to be used; its errors and warnings are printed.

    Raises:
        Exit: It has errors.
        InputError: It cannot be read.
    """
    checked = check(path)
    found = tuple(found for found in checked.diagnostics if found.severity is not Severity.INFO)
    if found:
        print_findings([(checked.modelfile.source, found)], to_stderr=True)
    if checked.refused:
        raise typer.Exit(1)
    return checked
