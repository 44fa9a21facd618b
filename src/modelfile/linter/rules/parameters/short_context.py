"""Rule MF330."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, System

_FEW_TOKENS: Final = 2048
"""About four pages of English, with the system prompt and the answer."""
_FEW_FOR_TOOLS: Final = 1024
"""Tokens that the descriptions of some tools, in JSON, may take already."""
_MINIMUM: Final = 256
"""A smaller context is suspect-value."""


_Texts: TypeAlias = list[tuple[Comment | System, str]]


@rule("MF330", "short-context", on=Modelfile, severity=Severity.WARNING)
def short_context(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""`num_ctx` is too small for the texts that the file speaks of.

    The system prompt, the question with its documents, and the answer share `num_ctx`. Ollama cuts what does not fit,
    without an error: the model sees the end of a long document only, or only some of the passages. 2048 tokens are
    about four pages. The rule looks for long documents and retrieved passages in SYSTEM and in comments, and only
    reports bases that were trained on more. It multiplies, too: "12 passages of 800 tokens" need more than 9600. An
    agent needs room for the descriptions of its tools.

    ## Bad

    ```
    # Summarizes minutes of 40 pages.
    FROM granite3.3:8b
    PARAMETER num_ctx 2048
    SYSTEM You summarize the minutes of meetings.
    ```

    ## Good

    ```
    # Summarizes minutes of 40 pages.
    FROM granite3.3:8b
    PARAMETER num_ctx 65536
    SYSTEM You summarize the minutes of meetings.
    ```
    """
    found = effective_numbers(modelfile, context).get("num_ctx")
    if found is None or found[0] < _MINIMUM:
        return
    system = modelfile.last(System)
    texts: _Texts = [(node, node.text) for node in modelfile.of_type(Comment)]
    texts += [(system, system.value.text)] if system and system.value.closed else []
    if problem := _problem(found[0], texts, modelfile, context):
        message = f"`num_ctx {found[1].value.text}` {problem}"
        yield Finding(found[1].value.span, message, "raise it: Ollama cuts what does not fit, without an error")


def _problem(size: float, texts: _Texts, modelfile: Modelfile, context: Context) -> str | None:
    """Return why a context is too small for what the texts speak of; None if it is not."""
    counted = [(node, text) for node, text in texts if " token" in text.lower()]
    if not counted and size > _FEW_TOKENS:
        return None
    from modelfile.linter import demands  # its expressions are for few texts

    line_of = modelfile.source.line_of
    for node, text in counted:
        if (tokens := demands.tokens_of_inputs(text)) > size:
            return f"is too small: line {line_of(node.span.start)} speaks of {tokens} tokens of input"
    family = base_family(modelfile, context) if size <= _FEW_TOKENS else None
    if size > _FEW_TOKENS or (family and family.context and family.context <= size):
        return None
    for node, text in texts:
        line = line_of(node.span.start)
        if size <= _FEW_FOR_TOOLS and isinstance(node, System) and demands.demands_tools(text):
            return f"hardly holds the descriptions of tools that line {line} speaks of"
        if demands.demands_long_inputs(text):
            return f"holds about {size // 500:.0f} pages, but line {line} speaks of more"
    return None
