"""Apply the fixes of findings, and prove that each one helps and changes nothing else."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from modelfile.diagnostics import Diagnostic, Edit, Safety, Severity
from modelfile.immutable import replace
from modelfile.source import Span, start_of
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, command_name, command_value

_FEWEST_TRIALS: Final = 10
_MOST_LINTED: Final = 4_000_000
"""Number of characters linted, in all trials together, after which no further trial is made, in code points."""


def apply_fixes(
    modelfile: Modelfile,
    diagnose: Callable[[Modelfile], tuple[Diagnostic, ...]],
    *,
    unsafe: bool,
    found: tuple[Diagnostic, ...] | None = None,
) -> tuple[Modelfile, int]:
    """Apply fixes until none is left that helps; return the result and the number of fixes applied.

    Fixes that do not overlap are tried together, and in halves if that fails. They are applied only if their rules find
    less afterwards, there are not more errors than before, Ollama's parser accepts the result if it accepted the
    original, and every instruction outside their edits is read as before.
    Only so many trials are made that the time is proportional to the size; another call goes on from there.

    Args:
        modelfile: The Modelfile to fix.
        diagnose: Return the findings to fix, in the order of the text.
        unsafe: True to apply unsafe fixes too.
        found: The findings in it, if they are known.
    """
    applied = retried = 0
    trials = max(_FEWEST_TRIALS, _MOST_LINTED // max(len(modelfile.text), 1))
    rejected: set[tuple[str, str]] = set()
    found = diagnose(modelfile) if found is None else found
    pending = [_choose(found, rejected, modelfile, unsafe=unsafe)]
    while (batch := pending.pop()) and trials:
        trials -= 1
        fixed = modelfile.parse(replace(modelfile.source, text=_edited(modelfile.text, _edits(batch))))
        remaining = diagnose(fixed)
        if _helps(batch, found, remaining) and _preserves(modelfile, _edits(batch), fixed):
            modelfile, found, applied = fixed, remaining, applied + len(batch)
            pending.clear()
        elif len(batch) > 1:
            pending += batch[len(batch) // 2 :], batch[: len(batch) // 2]
        else:
            rejected.add(_key(batch[0], modelfile))
        if not pending:
            pending = [_choose(found, rejected, modelfile, unsafe=unsafe)]
            if rejected and applied > retried and not pending[0]:  # what has been fixed since may let one help
                retried = applied
                rejected.clear()
                pending = [_choose(found, rejected, modelfile, unsafe=unsafe)]
    return modelfile, applied


def _choose(
    found: Iterable[Diagnostic], rejected: set[tuple[str, str]], modelfile: Modelfile, *, unsafe: bool
) -> list[Diagnostic]:
    """Return the first findings whose fixes do not overlap and were not rejected."""
    chosen: list[Diagnostic] = []
    occupied: list[Span] = []
    for diagnostic in found:
        fix = diagnostic.fix
        allowed = fix and fix.edits and (unsafe or fix.safety is Safety.SAFE)
        if not fix or not allowed or _key(diagnostic, modelfile) in rejected:
            continue
        if all(_is_free(edit.span, occupied) for edit in fix.edits):
            chosen.append(diagnostic)
            for edit in fix.edits:
                occupied.insert(bisect_right(occupied, edit.span.start, key=start_of), edit.span)
    return chosen


def _is_free(span: Span, occupied: list[Span]) -> bool:
    """Return True if a span is apart from those occupied; it may touch another if neither of them is empty."""
    place = bisect_right(occupied, span.start, key=start_of)
    return all(_are_apart(before, span) for before in occupied[max(place - 1, 0) : place]) and all(
        _are_apart(span, after) for after in occupied[place : place + 1]
    )


def _are_apart(before: Span, after: Span) -> bool:
    touches = before.end == after.start and before.start < before.end and after.start < after.end
    return before.end < after.start or touches


def _edits(batch: Iterable[Diagnostic]) -> list[Edit]:
    """Return all edits of the fixes, in the order of the text."""
    edits = (edit for diagnostic in batch if diagnostic.fix for edit in diagnostic.fix.edits)
    return sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))


def _edited(text: str, edits: Iterable[Edit]) -> str:
    pieces: list[str] = []
    end = 0
    for edit in edits:
        pieces += text[end : edit.span.start], edit.text
        end = edit.span.end
    return "".join((*pieces, text[end:]))


def _helps(batch: Iterable[Diagnostic], found: Iterable[Diagnostic], remaining: Iterable[Diagnostic]) -> bool:
    """Return True if each rule finds less by its fixes, and there are not more errors than before."""
    before, after = (Counter(diagnostic.name for diagnostic in findings) for findings in (found, remaining))
    fixes = Counter(diagnostic.name for diagnostic in batch)
    fewer = all(after[name] <= before[name] - number for name, number in fixes.items())
    return fewer and _errors(remaining) <= _errors(found)


def _preserves(modelfile: Modelfile, edits: list[Edit], fixed: Modelfile) -> bool:
    """Return True if Ollama's parser still accepts the Modelfile, and reads all outside the edits as before."""
    if fixed.rejection and not modelfile.rejection:
        return False
    instructions = modelfile.of_type(Instruction)
    spans = [edit.span for edit in edits]
    untouched = [
        (command_name(node), command_value(node)) for node in instructions if not _is_touched(node.span, spans)
    ]
    commands = iter(fixed.commands)
    return all(command in commands for command in untouched)


def _is_touched(node: Span, edits: list[Span]) -> bool:
    """Return True if an edit overlaps a node, or inserts text at its start or its end, or within."""
    place = bisect_right(edits, node.end, key=start_of)
    return any(
        (node.start < edit.end and edit.start < node.end)
        or (edit.start == edit.end and node.start <= edit.start <= node.end)
        for edit in edits[max(place - 3, 0) : place]  # at most two begin at the end of the node
    )


def _key(diagnostic: Diagnostic, modelfile: Modelfile) -> tuple[str, str]:
    """Identify a finding by its text, which stays the same when other fixes move it."""
    return diagnostic.name, modelfile.text[diagnostic.span.start : diagnostic.span.end] + diagnostic.message


def _errors(found: Iterable[Diagnostic]) -> int:
    return sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
