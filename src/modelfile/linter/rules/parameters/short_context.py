"""Rule MF330."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment, System

_FEW_TOKENS: Final = 2048
"""About four pages of English, with the system prompt and the answer."""
_MINIMUM: Final = 256
"""A smaller context is suspect-value."""


@rule("MF330", "short-context", on=Modelfile, severity=Severity.WARNING)
def short_context(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""`num_ctx` is too small for the texts that the file speaks of.

    The system prompt, the question with its documents, and the answer share `num_ctx`. Ollama cuts what does not fit,
    without an error: the model sees the end of a long document only, or only some of the passages. 2048 tokens are
    about four pages. The rule looks for long documents and retrieved passages in SYSTEM and in comments, and only
    reports bases that were trained on more. It multiplies, too: "12 passages of 800 tokens" need more than 9600.

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
    texts: list[tuple[Comment | System, str]] = [(node, node.text) for node in modelfile.of_type(Comment)]
    texts += [(system, system.value.text)] if system and system.value.closed else []
    counted = [(node, text) for node, text in texts if " token" in text.lower()]
    if not counted and found[0] > _FEW_TOKENS:
        return
    from modelfile.linter import demands  # its expressions are for few texts

    for node, text in counted:
        if (tokens := demands.tokens_of_inputs(text)) > found[0]:
            line = modelfile.source.line_of(node.span.start)
            message = f"`num_ctx {found[1].value.text}` is too small: line {line} speaks of {tokens} tokens of input"
            yield Finding(found[1].value.span, message, "raise it: Ollama cuts what does not fit, without an error")
            return
    if found[0] > _FEW_TOKENS:
        return
    family = base_family(modelfile, context)
    if family and family.context and family.context <= found[0]:
        return
    for node, text in texts:
        if demands.demands_long_inputs(text):
            line = modelfile.source.line_of(node.span.start)
            message = (
                f"`num_ctx {found[1].value.text}` holds about {found[0] // 500} pages, but line {line} speaks of more"
            )
            yield Finding(found[1].value.span, message, "raise it: Ollama cuts what does not fit, without an error")
            return
