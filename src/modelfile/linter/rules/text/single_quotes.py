"""Rule MF504."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Instruction, Message, Parameter, Quoting, System, Template
from modelfile.syntax.quoting import choose_quoting, quote

_QUOTED: Final = re.compile(r"'(?=\S)(?:[^']++|(?<=\w)'(?=\w))++(?<=\S)'", re.DOTALL)


@rule("MF504", "single-quotes", on=(System, Template, Message, Parameter), severity=Severity.WARNING)
def single_quotes(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""A text is in single quotes.

    Ollama knows only double quotes, one or three. Single quotes become part of the text: the model receives them, and a
    stop in single quotes never stops.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM 'You answer questions on billing.'
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    value = instruction.value
    is_text = not isinstance(instruction, Parameter) or instruction.name.text == "stop"
    if not is_text or value.quoting is not Quoting.NONE or not _is_quoted(value.text):
        return
    inner = value.text.strip("'") if value.text.startswith("'''") else value.text[1:-1]
    fix = Fix(edits=(Edit(value.span, quote(inner)),)) if choose_quoting(inner) is not None else None
    first, *more = inner.split()
    message = f"the single quotes are part of the text: `'{first}{'…' if more else ''}'`"
    yield Finding(value.span, message, "write double quotes instead, or none", fix)


def _is_quoted(text: str) -> bool:
    """Return whether a text is between single quotes, one or three."""
    is_triple = len(text) > 6 and text.startswith("'''") and text.endswith("'''")  # noqa: PLR2004  # of quotes
    return _QUOTED.fullmatch(text[2:-2] if is_triple else text) is not None
