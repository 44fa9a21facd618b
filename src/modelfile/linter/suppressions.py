"""Comments that silence findings: `# mf: ignore[name] why` above an instruction, `# mf: ignore-file[name] why`."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from modelfile.diagnostics import Diagnostic
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_MARK: Final = re.compile(r"\bmf:\s*ignore(?P<file>-file)?\s*\[(?P<names>[^\]]*\w[^\]]*)\]", re.IGNORECASE)
_MEANT: Final = re.compile(r"^#\s*(?P<all>mf:\s*ign?(?:o|r)\S*)", re.IGNORECASE)
_FAMILY: Final = re.compile(r"MF[1-9](?:XX)?", re.IGNORECASE)
_NAME: Final = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One name in one comment."""

    name: str
    """A rule's name or code, or a family, as written; empty where the comment is not understood."""
    span: Span
    covers: Span
    """What findings have to begin in."""

    def means(self, code: str, name: str) -> bool:
        """Whether it is about a rule."""
        family = _FAMILY.fullmatch(self.name) is not None and code.startswith(self.name[:3].upper())
        return family or self.name.lower() == name or self.name.upper() == code


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
        elif match := _MEANT.match(modelfile.text[node.span.start : node.span.end]):
            start = node.span.start + match.start("all")
            yield Suppression("", Span(start, start + len(match["all"])), Span(0, 0))


def silence(
    found: Iterable[Diagnostic], suppressions: Iterable[Suppression]
) -> tuple[tuple[Diagnostic, ...], tuple[Suppression, ...]]:
    """The findings that nothing silences, and the suppressions that silence nothing."""
    left = tuple(found)
    unused = []
    for suppression in suppressions:
        kept = tuple(diagnostic for diagnostic in left if not _silences(suppression, diagnostic))
        if len(kept) == len(left):
            unused.append(suppression)
        left = kept
    return left, tuple(unused)


def with_suppressions(modelfile: Modelfile, found: Iterable[Diagnostic], *, whole_file: Container[str] = ()) -> str:
    """A Modelfile's text with comments that silence findings.

    They stand above the instructions, and on top of the file for the rules that `whole_file` names.
    """
    unwanted: dict[int, dict[str, None]] = {}
    for diagnostic in found:
        place = -1 if diagnostic.name in whole_file else _instruction_at(modelfile, diagnostic.span.start)
        unwanted.setdefault(place, {})[diagnostic.name] = None
    text = modelfile.text
    for start, names in sorted(unwanted.items(), reverse=True):
        place, mark = (0, "ignore-file") if start < 0 else (_line_start(text, start), "ignore")
        text = f"{text[:place]}# mf: {mark}[{', '.join(names)}]{modelfile.line_end}{text[place:]}"
    return text


def _instruction_at(modelfile: Modelfile, place: int) -> int:
    """Where the node begins that a place is in; -1 where it is in none, or in a comment."""
    nodes = (node.span for node in modelfile.nodes if not isinstance(node, Comment))
    return next((span.start for span in nodes if span.start <= place < span.end), -1)


def _line_start(text: str, place: int) -> int:
    return max(text.rfind("\n", 0, place), text.rfind("\r", 0, place)) + 1


def _silences(suppression: Suppression, diagnostic: Diagnostic) -> bool:
    covered = suppression.covers.start <= diagnostic.span.start < suppression.covers.end
    return covered and suppression.means(diagnostic.code, diagnostic.name)
