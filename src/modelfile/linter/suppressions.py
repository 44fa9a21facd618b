"""Comments that suppress findings: `# mf: ignore[name]` above an instruction, `# mf: ignore-file[name]` anywhere."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from modelfile.diagnostics import Diagnostic
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_SUPPRESSION: Final = re.compile(r"\bmf:\s*ignore(?P<file>-file)?\s*\[(?P<names>[^\]]*\w[^\]]*)\]", re.IGNORECASE)
_MALFORMED: Final = re.compile(r"^#\s*(?P<all>mf:\s*ign?(?:o|r)\S*)", re.IGNORECASE)
_FAMILY: Final = re.compile(r"MF[1-9](?:XX)?", re.IGNORECASE)
_NAME: Final = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One name in one comment."""

    name: str
    """A rule's name or code, or a family, as written; empty if the comment is malformed."""
    span: Span
    covers: Span
    """The part of the text in which suppressed findings begin."""

    def matches(self, code: str, name: str) -> bool:
        """Return True if it names a rule, or the family of a rule."""
        family = _FAMILY.fullmatch(self.name) is not None and code.startswith(self.name[:3].upper())
        return family or self.name.lower() == name or self.name.upper() == code


def find_suppressions(modelfile: Modelfile) -> Iterator[Suppression]:
    """Yield every suppression of a Modelfile."""
    whole = Span(0, len(modelfile.text) + 1)
    following: Span | None = None
    for node in reversed(modelfile.nodes):
        if not isinstance(node, Comment):
            following = node.span
        elif match := _SUPPRESSION.search(modelfile.text, node.span.start, node.span.end):
            covers = whole if match["file"] else following or Span(0, 0)
            for name in _NAME.finditer(modelfile.text, *match.span("names")):
                yield Suppression(name[0], Span(*name.span()), covers)
        elif match := _MALFORMED.match(modelfile.text[node.span.start : node.span.end]):
            start = node.span.start + match.start("all")
            yield Suppression("", Span(start, start + len(match["all"])), Span(0, 0))


def apply_suppressions(
    found: Iterable[Diagnostic], suppressions: Iterable[Suppression]
) -> tuple[tuple[Diagnostic, ...], tuple[Suppression, ...]]:
    """Return the findings that nothing suppresses, and the suppressions that suppress nothing."""
    remaining = tuple(found)
    unused = []
    for suppression in suppressions:
        after = tuple(diagnostic for diagnostic in remaining if not _suppresses(suppression, diagnostic))
        if len(after) == len(remaining):
            unused.append(suppression)
        remaining = after
    return remaining, tuple(unused)


def with_suppressions(modelfile: Modelfile, found: Iterable[Diagnostic], *, whole_file: Container[str] = ()) -> str:
    """Return a Modelfile's text with comments that suppress findings.

    Args:
        modelfile: The Modelfile.
        found: The findings to suppress, each above its instruction.
        whole_file: Names of rules to suppress at the top of the file instead.
    """
    unwanted: dict[int, dict[str, None]] = {}
    for diagnostic in found:
        start = -1 if diagnostic.name in whole_file else _instruction_at(modelfile, diagnostic.span.start)
        unwanted.setdefault(start, {})[diagnostic.name] = None
    text = modelfile.text
    for start, names in sorted(unwanted.items(), reverse=True):
        offset, mark = (0, "ignore-file") if start < 0 else (_line_start(text, start), "ignore")
        text = f"{text[:offset]}# mf: {mark}[{', '.join(names)}]{modelfile.newline}{text[offset:]}"
    return text


def _instruction_at(modelfile: Modelfile, offset: int) -> int:
    """Return the start of the node around an offset; -1 if there is none, or it is a comment."""
    nodes = (node.span for node in modelfile.nodes if not isinstance(node, Comment))
    return next((span.start for span in nodes if span.start <= offset < span.end), -1)


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1


def _suppresses(suppression: Suppression, diagnostic: Diagnostic) -> bool:
    covered = suppression.covers.start <= diagnostic.span.start < suppression.covers.end
    return covered and suppression.matches(diagnostic.code, diagnostic.name)
