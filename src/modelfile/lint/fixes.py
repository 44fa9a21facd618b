"""Mend what rules find, and prove that it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from modelfile.diagnostics import Diagnostic, Edit, Safety, Severity
from modelfile.syntax.modelfile import Modelfile


def apply_fixes(
    modelfile: Modelfile, diagnose: Callable[[Modelfile], tuple[Diagnostic, ...]], *, unsafe: bool
) -> tuple[Modelfile, int]:
    """Apply fixes until none is left that helps; returns what came out, and how many were applied.

    A fix is kept only if there are fewer findings of its rule afterwards, and no more errors of any.

    Args:
        modelfile: What to mend.
        diagnose: What to mend of a Modelfile, in the order of the text.
        unsafe: Whether to apply the fixes that need a look, too.
    """
    applied = 0
    given_up: set[tuple[str, str]] = set()
    found = diagnose(modelfile)
    while candidate := next(_to_try(found, given_up, modelfile, unsafe=unsafe), None):
        mended = modelfile.parse(replace(modelfile.source, text=_edited(modelfile.text, candidate)))
        left = diagnose(mended)
        if _count(left, candidate.name) < _count(found, candidate.name) and _errors(left) <= _errors(found):
            modelfile, found, applied = mended, left, applied + 1
        else:
            given_up.add(_key(candidate, modelfile))
    return modelfile, applied


def _to_try(
    found: Iterable[Diagnostic], given_up: set[tuple[str, str]], modelfile: Modelfile, *, unsafe: bool
) -> Iterator[Diagnostic]:
    return (
        diagnostic
        for diagnostic in found
        if diagnostic.fix
        and (unsafe or diagnostic.fix.safety is Safety.SAFE)
        and _key(diagnostic, modelfile) not in given_up
    )


def _edited(text: str, diagnostic: Diagnostic) -> str:
    edits: tuple[Edit, ...] = diagnostic.fix.edits if diagnostic.fix else ()
    for edit in reversed(edits):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _key(diagnostic: Diagnostic, modelfile: Modelfile) -> tuple[str, str]:
    """A finding by what is written there, which stays when others around it are mended."""
    return diagnostic.name, modelfile.text[diagnostic.span.start : diagnostic.span.end] + diagnostic.message


def _count(found: Iterable[Diagnostic], name: str) -> int:
    return sum(diagnostic.name == name for diagnostic in found)


def _errors(found: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
