"""Read a Modelfile and lint it, with what the lock knows of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelfile.cli.files import STDIN, read_source
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError, Refused
from modelfile.linter.context import context_of
from modelfile.linter.engine import lint, undecided
from modelfile.linter.rule import Context, Rule
from modelfile.linter.rules.references.not_in_lock import not_in_lock
from modelfile.linter.rules.references.stale_lock import stale_lock
from modelfile.linter.settings import Settings, settings
from modelfile.report.progress import counted
from modelfile.report.terminal import print_findings
from modelfile.syntax.modelfile import Modelfile


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A Modelfile and what was found in it."""

    modelfile: Modelfile
    diagnostics: tuple[Diagnostic, ...]
    undecided: Callable[[], Iterable[tuple[Rule, str]]]
    """Gives the rules that could not decide, and why."""

    @property
    def refused(self) -> bool:
        """Whether there is an error in it."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def check(
    path: str, force: Settings | None = None, *, here: bool = False, modelfile: Modelfile | None = None
) -> Checked:
    """Read and lint one Modelfile, by what is configured here unless something else is in force.

    Args:
        path: Where it is; `-` for standard input.
        force: What is in force.
        here: Whether what comes on standard input stands in this folder: what it is FROM may be a file here.
        modelfile: It, where it has been read: a pipe cannot be read twice.

    Raises:
        InputError: It cannot be read.
        UsageError: What is configured is not right.
    """
    force = force or settings()
    modelfile = Modelfile.parse(read_source(path)) if modelfile is None else modelfile
    context = _context(modelfile, path, force, here=here)
    rules = force.rules_for(path)
    return Checked(
        modelfile=modelfile,
        diagnostics=lint(context, rules, force.severities),
        undecided=partial(undecided, context, rules),
    )


def diagnose(modelfile: Modelfile, path: str, force: Settings) -> tuple[Diagnostic, ...]:
    """Lint a Modelfile that stands, or is to stand, at a path."""
    return lint(_context(modelfile, path, force), force.rules_for(path), force.severities)


def _context(modelfile: Modelfile, path: str, force: Settings, *, here: bool = False) -> Context:
    return context_of(
        modelfile,
        None if path == STDIN and not here else Path(path),
        target=force.target,
        registries=force.config.registries,
        project=force.config.file and force.config.file.parent,
    )


def check_all(paths: Sequence[str], force: Settings) -> tuple[list[Checked], list[InputError]]:
    """Read and lint Modelfiles; what cannot be read is an error each, told once where it is the same."""
    checked: list[Checked] = []
    unread: dict[str, InputError] = {}
    for path in counted(paths, "checked"):
        try:
            checked.append(check(path, force))
        except InputError as error:
            unread.setdefault(error.message, error)
    return checked, list(unread.values())


def load_for_build(path: str, modelfile: Modelfile | None = None) -> Checked:
    """Read and lint one Modelfile that is to be used; its errors and warnings are printed, but for those on the lock.

    Raises:
        InputError: It cannot be read, or is Refused for its errors.
    """
    checked = check(path, here=True, modelfile=modelfile)
    of_lock = (not_in_lock.name, stale_lock.name)
    found = tuple(
        found for found in checked.diagnostics if found.severity is not Severity.INFO and found.name not in of_lock
    )
    if found:
        print_findings([(checked.modelfile.source, found)], to_stderr=True, summary=False)
    if checked.refused:
        raise Refused(f"`{path}` has errors", hint=f"`mf lint {path}` tells them, and --fix mends what it safely can")
    return checked
