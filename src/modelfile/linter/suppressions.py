"""Comments that suppress findings: `# mf: ignore[name]` above an instruction, `# mf: ignore-file[name]` anywhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Iterator
from itertools import product
from typing import Final

from modelfile.diagnostics import Diagnostic
from modelfile.immutable import record
from modelfile.source import Span, span_around, start_of
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_SUPPRESSION: Final = re.compile(
    r"\bmf:\s*+ignore(?P<file>-file)?\s*+\[(?P<names>[^\[\]\w]*+\w[^\[\]]*+)\]", re.IGNORECASE
)
_MALFORMED: Final = re.compile(r"^#\s*(?P<all>mf:\s*ign?(?:o|r)\S*)", re.IGNORECASE)
_FAMILY: Final = re.compile(r"MF[1-9](?:XX)?", re.IGNORECASE)
_FAMILY_LENGTH: Final = len("MF1")
_TOP: Final = -1
"""The offset that stands for a comment at the top that holds for the whole file."""
WHOLE_FILE: Final = Span(0, sys.maxsize)
NOTHING: Final = Span(0, 0)
_NAME: Final = re.compile(r"[^\s,]+")


@record()
class Suppression:
    """One name in one comment."""

    name: str
    """A rule's name or code, or a family, as written; empty if the comment is malformed."""
    span: Span
    covers: Span
    """The part of the text in which suppressed findings begin."""

    @property
    def selector(self) -> str:
        """The name in lower case, and a family by its first three letters, as in `selectors`."""
        return self.name[:_FAMILY_LENGTH].lower() if _FAMILY.fullmatch(self.name) else self.name.lower()


def selectors(code: str, name: str) -> tuple[str, str, str]:
    """Return the selectors of a rule: the names by which a comment may suppress it."""
    return name, code.lower(), code[:_FAMILY_LENGTH].lower()


def find_suppressions(modelfile: Modelfile) -> Iterator[Suppression]:
    """Yield every suppression of a Modelfile."""
    following: Span | None = None
    for node in reversed(modelfile.nodes):
        if not isinstance(node, Comment):
            following = node.span
        elif match := _SUPPRESSION.search(modelfile.text, node.span.start, node.span.end):
            covers = WHOLE_FILE if match["file"] else following or NOTHING
            for name in _NAME.finditer(modelfile.text, *match.span("names")):
                yield Suppression(name[0], Span(*name.span()), covers)
        elif match := _MALFORMED.match(modelfile.text[node.span.start : node.span.end]):
            start = node.span.start + match.start("all")
            yield Suppression("", Span(start, start + len(match["all"])), NOTHING)


def apply_suppressions(
    found: Iterable[Diagnostic], suppressions: Iterable[Suppression]
) -> tuple[tuple[Diagnostic, ...], tuple[Suppression, ...]]:
    """Return the findings that nothing suppresses, and the suppressions that suppress nothing."""
    ordered = tuple(suppressions)
    if not ordered:
        return tuple(found), ()
    first: dict[tuple[Span, str], int] = {}
    for number, suppression in enumerate(ordered):
        first.setdefault((suppression.covers, suppression.selector), number)
    covered = sorted({suppression.covers for suppression in ordered} - {WHOLE_FILE, NOTHING}, key=start_of)
    remaining: list[Diagnostic] = []
    used: set[int] = set()
    for diagnostic in found:
        spans = (WHOLE_FILE, span_around(diagnostic.span.start, covered) or NOTHING)
        keys = product(spans, selectors(diagnostic.code, diagnostic.name))
        numbers = [first[key] for key in keys if key in first]
        if numbers:
            used.add(min(numbers))
        else:
            remaining.append(diagnostic)
    return tuple(remaining), tuple(one for number, one in enumerate(ordered) if number not in used)


def with_suppressions(modelfile: Modelfile, found: Iterable[Diagnostic], *, whole_file: Container[str] = ()) -> str:
    """Return a Modelfile's text with comments that suppress findings.

    Args:
        modelfile: The Modelfile.
        found: The findings to suppress, each above its instruction.
        whole_file: Names of rules to suppress at the top of the file instead.
    """
    unwanted: dict[int, dict[str, None]] = {}
    nodes = [node.span for node in modelfile.nodes if not isinstance(node, Comment)]
    for diagnostic in found:
        around = None if diagnostic.name in whole_file else span_around(diagnostic.span.start, nodes)
        start = modelfile.source.line_start(around.start) if around else _TOP
        unwanted.setdefault(start, {})[diagnostic.name] = None
    pieces: list[str] = []
    end = 0
    for start, names in sorted(unwanted.items()):
        mark = "ignore-file" if start == _TOP else "ignore"
        pieces += modelfile.text[end : max(start, 0)], f"# mf: {mark}[{', '.join(names)}]{modelfile.newline}"
        end = max(start, 0)
    return "".join((*pieces, modelfile.text[end:]))
