"""Mend what rules find, and prove that it is mended."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from modelfile.diagnostics import Diagnostic, Edit, Safety, Severity
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, command_name, command_value


def apply_fixes(
    modelfile: Modelfile, diagnose: Callable[[Modelfile], tuple[Diagnostic, ...]], *, unsafe: bool
) -> tuple[Modelfile, int]:
    """Apply fixes until none is left that helps; returns what came out, and how many were applied.

    A fix is kept only if there are fewer findings of its rule afterwards, no more errors of any, and every
    instruction that it does not touch says what it said.

    Args:
        modelfile: What to mend.
        diagnose: What to mend of a Modelfile, in the order of the text.
        unsafe: Whether to apply the fixes that need a look, too.
    """
    applied = 0
    given_up: set[tuple[str, str]] = set()
    found = diagnose(modelfile)
    while candidate := next(_to_try(found, given_up, modelfile, unsafe=unsafe), None):
        edits = candidate.fix.edits if candidate.fix else ()
        mended = modelfile.parse(replace(modelfile.source, text=_edited(modelfile.text, edits)))
        left = diagnose(mended)
        helps = _count(left, candidate.name) < _count(found, candidate.name) and _errors(left) <= _errors(found)
        if helps and _still_said(modelfile, edits, mended):
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


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in reversed(tuple(edits)):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _still_said(modelfile: Modelfile, edits: Iterable[Edit], mended: Modelfile) -> bool:
    """Whether all that stands apart from the edits is still read as it was, in its order."""
    instructions = (node for node in modelfile.nodes if isinstance(node, Instruction))
    apart = [(command_name(node), command_value(node)) for node in instructions if not _touched(node, edits)]
    now = iter(mended.commands)
    return all(command in now for command in apart)


def _touched(node: Instruction, edits: Iterable[Edit]) -> bool:
    return any(
        (node.span.start < edit.span.end and edit.span.start < node.span.end)
        or (edit.span.start == edit.span.end and node.span.start <= edit.span.start <= node.span.end)
        for edit in edits
    )


def _key(diagnostic: Diagnostic, modelfile: Modelfile) -> tuple[str, str]:
    """A finding by what is written there, which stays when others around it are mended."""
    return diagnostic.name, modelfile.text[diagnostic.span.start : diagnostic.span.end] + diagnostic.message


def _count(found: Iterable[Diagnostic], name: str) -> int:
    return sum(diagnostic.name == name for diagnostic in found)


def _errors(found: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
