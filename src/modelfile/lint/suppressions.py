"""Comments that silence findings: `# mf: ignore[name] why` above an instruction, `# mf: ignore-file[name] why`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from modelfile.diagnostics import Diagnostic
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_MARK: Final = re.compile(r"\bmf:\s*ignore(?P<file>-file)?\s*\[(?P<names>[^\]]*)\]")
_NAME: Final = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One name in one comment."""

    name: str
    """A rule's name or code, as written."""
    span: Span
    covers: Span
    """What findings have to begin in."""


def find_suppressions(modelfile: Modelfile) -> Iterator[Suppression]:
    """Every suppression of a Modelfile."""
    whole = Span(0, len(modelfile.text) + 1)
    following: Span | None = None
    for node in reversed(modelfile.nodes):
        if not isinstance(node, Comment):
            following = node.span
        elif match := _MARK.search(modelfile.text, node.span.start, node.span.end):
            covers = whole if match["file"] else following or Span(0, 0)
            for name in _NAME.finditer(modelfile.text, *match.span("names")):
                yield Suppression(name[0], Span(*name.span()), covers)


def silence(
    found: Iterable[Diagnostic], suppressions: Iterable[Suppression]
) -> tuple[tuple[Diagnostic, ...], tuple[Suppression, ...]]:
    """The findings that nothing silences, and the suppressions that silence nothing."""
    left = tuple(found)
    idle = []
    for suppression in suppressions:
        kept = tuple(diagnostic for diagnostic in left if not _silences(suppression, diagnostic))
        if len(kept) == len(left):
            idle.append(suppression)
        left = kept
    return left, tuple(idle)


def _silences(suppression: Suppression, diagnostic: Diagnostic) -> bool:
    named = suppression.name.lower() == diagnostic.name or suppression.name.upper() == diagnostic.code
    return named and suppression.covers.start <= diagnostic.span.start < suppression.covers.end
