"""Apply the fixes of findings, and prove that each one helps and changes nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from modelfile.diagnostics import Diagnostic, Edit, Safety, Severity
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, command_name, command_value


def apply_fixes(
    modelfile: Modelfile, diagnose: Callable[[Modelfile], tuple[Diagnostic, ...]], *, unsafe: bool
) -> tuple[Modelfile, int]:
    """Apply fixes until none is left that helps; return the result and the number of fixes applied.

    A fix is applied only if its rule finds less afterwards, there are not more errors than before, and every
    instruction outside its edits is read as before.

    Args:
        modelfile: The Modelfile to fix.
        diagnose: Return the findings to fix, in the order of the text.
        unsafe: True to apply unsafe fixes too.
    """
    applied = 0
    rejected: set[tuple[str, str]] = set()
    found = diagnose(modelfile)
    while candidate := next(_candidates(found, rejected, modelfile, unsafe=unsafe), None):
        edits = candidate.fix.edits if candidate.fix else ()
        fixed = modelfile.parse(replace(modelfile.source, text=_edited(modelfile.text, edits)))
        remaining = diagnose(fixed)
        fewer = _count(remaining, candidate.name) < _count(found, candidate.name)
        if fewer and _errors(remaining) <= _errors(found) and _preserves_rest(modelfile, edits, fixed):
            modelfile, found, applied = fixed, remaining, applied + 1
        else:
            rejected.add(_key(candidate, modelfile))
    return modelfile, applied


def _candidates(
    found: Iterable[Diagnostic], rejected: set[tuple[str, str]], modelfile: Modelfile, *, unsafe: bool
) -> Iterator[Diagnostic]:
    return (
        diagnostic
        for diagnostic in found
        if diagnostic.fix
        and (unsafe or diagnostic.fix.safety is Safety.SAFE)
        and _key(diagnostic, modelfile) not in rejected
    )


def _edited(text: str, edits: Iterable[Edit]) -> str:
    for edit in reversed(tuple(edits)):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _preserves_rest(modelfile: Modelfile, edits: Iterable[Edit], fixed: Modelfile) -> bool:
    """Return True if every instruction outside the edits is still read as before, in the same order."""
    instructions = modelfile.of_type(Instruction)
    untouched = [(command_name(node), command_value(node)) for node in instructions if not _is_touched(node, edits)]
    commands = iter(fixed.commands)
    return all(command in commands for command in untouched)


def _is_touched(node: Instruction, edits: Iterable[Edit]) -> bool:
    return any(
        (node.span.start < edit.span.end and edit.span.start < node.span.end)
        or (edit.span.start == edit.span.end and node.span.start <= edit.span.start <= node.span.end)
        for edit in edits
    )


def _key(diagnostic: Diagnostic, modelfile: Modelfile) -> tuple[str, str]:
    """Identify a finding by its text, which stays the same when other fixes move it."""
    return diagnostic.name, modelfile.text[diagnostic.span.start : diagnostic.span.end] + diagnostic.message


def _count(found: Iterable[Diagnostic], name: str) -> int:
    return sum(diagnostic.name == name for diagnostic in found)


def _errors(found: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
