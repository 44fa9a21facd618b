"""Rule MF117."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction

_MARKER: Final = r"^(?:<{7}|={7}|>{7}|\|{7})(?=[ \r\n]|\Z)[^\r\n]*"
_ABOUT_CONFLICTS: Final = r"^(?![<=>|]{7}).*\b(?:conflicts?|conflicted|merg(?:e|es|ed|ing)|git)\b"


@rule("MF117", "conflict-markers", on=Modelfile, severity=Severity.ERROR)
def conflict_markers(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A merge conflict is not resolved.

    Git writes both versions of a conflict into the file, between `<<<<<<<`, `=======` and `>>>>>>>`. Ollama rejects
    these lines outside of quotes. Inside quotes the model receives the markers and both versions, which is reported as
    a warning, unless the text speaks of conflicts, merges or git.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    <<<<<<< HEAD
    SYSTEM You answer questions on billing.
    =======
    >>>>>>> brief
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    yield from parser_findings(modelfile, "conflict-markers")
    if "<<<<<<< " not in modelfile.text:
        return
    for node in modelfile.of_type(Instruction):
        if node.value.closed and node.value.quoting and not _is_about_conflicts(node.value.text):
            yield from _in_text(modelfile, node.value.content)


def _is_about_conflicts(text: str) -> bool:
    return re.search(_ABOUT_CONFLICTS, text, re.IGNORECASE | re.MULTILINE) is not None


def _in_text(modelfile: Modelfile, content: Span) -> Iterator[Finding]:
    from modelfile.syntax.remains import CLOSING, DIVIDER, OPENING, describe_conflict  # for few files

    opened: list[re.Match[str]] = []
    for marker in re.compile(_MARKER, re.MULTILINE).finditer(modelfile.text, content.start, content.end):
        if marker[0].startswith(OPENING):
            opened = [marker]
        elif opened:
            opened.append(marker)
        if marker[0].startswith(CLOSING) and any(one[0].startswith(DIVIDER) for one in opened):
            lines = [modelfile.source.line_of(one.start()) for one in opened]
            found = describe_conflict(Span(opened[0].start(), marker.end()), lines)
            yield Finding(found.span, found.message, found.hint, severity=Severity.WARNING)
            opened = []
