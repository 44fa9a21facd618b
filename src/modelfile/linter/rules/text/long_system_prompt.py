"""Rule MF505."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, Parameter, System

_CHARACTERS: Final = 6
"""To a token, at the most: English has 4 to 5, other languages and code have less."""
_REPEATED: Final = re.compile(r"([\W_])\1+")


@rule("MF505", "long-system-prompt", on=Modelfile, severity=Severity.WARNING)
def long_system_prompt(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The system prompt alone fills the context.

    A prompt that is longer than `num_ctx` is cut, and whoever asked is not told. Ollama first leaves out the older
    messages, never the system prompt. If the prompt is still too long, it keeps the first `num_keep` tokens (4, if
    nothing is set) and the last ones, and takes out what lies between: most of the instructions. Since 0.30.11 it keeps
    only about half a context, to leave room for the answer; since 0.30.9 it refuses the request where a model cannot
    shift its context.

    The rule does not count tokens. It takes 6 characters to be one token, and a run of one blank or sign to be one
    character. That gives fewer tokens than any tokenizer makes of a text, so a prompt that is reported is surely too
    long. Nothing is reported where neither the file nor the target's version says what `num_ctx` is, or where a base
    may bring its own.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 16
    SYSTEM You answer questions on billing. Be brief. Name the page of the handbook that your answer stands on.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 8192
    SYSTEM You answer questions on billing. Be brief. Name the page of the handbook that your answer stands on.
    ```
    """
    system = next((node for node in reversed(modelfile.nodes) if isinstance(node, System)), None)
    context_length = _context_length(modelfile, context)
    if system is None or not system.value.closed or context_length is None:
        return
    text = system.value.text
    if len(text) < context_length * _CHARACTERS:
        return
    tokens = len(_REPEATED.sub(r"\1", text)) // _CHARACTERS
    if tokens >= context_length:
        message = (
            f"this SYSTEM has at least {tokens} tokens, and num_ctx is {context_length}: Ollama cuts most of it out"
        )
        hint = f"set `PARAMETER num_ctx` to twice what the prompt needs, {2 * tokens} or more, or shorten the prompt"
        yield Finding(system.keyword.span, message, hint)


def _context_length(modelfile: Modelfile, context: Context) -> int | None:
    parameters = (node for node in modelfile.nodes if isinstance(node, Parameter) and node.name.text == "num_ctx")
    last = next(reversed([*parameters]), None)
    if last is None:
        bases = [node.value.text for node in modelfile.nodes if isinstance(node, From)]
        default = context.target.default("num_ctx")
        return default if isinstance(default, int) and bases and all(map(looks_like_path, bases)) else None
    try:
        given = parse_value(Kind.INT, last.value.text)
    except ValueError:
        return None
    return given if isinstance(given, int) and given > 0 else None
