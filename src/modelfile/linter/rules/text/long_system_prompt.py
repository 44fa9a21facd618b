"""Rule MF505."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, looks_like_path, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From, Message, Parameter, System

_CHARACTERS_PER_TOKEN: Final = 6
"""An upper bound: English has 4 to 5, other languages and code have fewer."""
_REPEATED: Final = r"([\W_])\1+"


@rule("MF505", "long-system-prompt", on=Modelfile, severity=Severity.WARNING)
def long_system_prompt(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The system prompt and the examples fill the context.

    Ollama cuts a prompt that is longer than `num_ctx`, without a warning. It first removes older messages, never the
    system prompt. If the prompt is still too long, it keeps the first `num_keep` tokens (4, if nothing is set) and the
    last ones, and removes everything in between: most of the instructions. Since 0.30.11 it keeps only about half a
    context, to leave room for the answer; since 0.30.9 it rejects the request if the model cannot shift its context.

    The rule counts SYSTEM and each MESSAGE, and no exact tokens. It takes 6 characters as one token, and a run of one
    space or sign as one character. That gives fewer tokens than any tokenizer makes of a text, so a prompt that is
    reported is certainly too long. Nothing is reported if neither the file nor the version of Ollama determines
    `num_ctx`, or if a base may set its own.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 16
    SYSTEM You answer questions on billing. Be brief. Name the page of the handbook that your answer is based on.
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_ctx 8192
    SYSTEM You answer questions on billing. Be brief. Name the page of the handbook that your answer is based on.
    ```
    """
    system = modelfile.last(System)
    context_length = _context_length(modelfile, context)
    messages = [node for node in modelfile.of_type(Message) if node.value.closed]
    texts = [*([system] if system and system.value.closed else ()), *messages]
    if not texts or context_length is None:
        return
    text = "\n".join(node.value.text for node in texts)
    if len(text) < context_length * _CHARACTERS_PER_TOKEN:
        return
    tokens = len(re.sub(_REPEATED, r"\1", text)) // _CHARACTERS_PER_TOKEN
    if tokens >= context_length:
        words = dict.fromkeys(node.keyword.text.strip().upper() for node in texts)
        verb = "have" if len(words) > 1 else "has"
        counted = f"{' and '.join(words)} {verb} at least {tokens} tokens"
        message = f"{counted}, but `num_ctx` is {context_length}: Ollama cuts it"
        hint = f"write `PARAMETER num_ctx {2 * tokens}` or more, or shorten the prompt"
        family = base_family(modelfile, context)
        if family and family.context and family.context < 2 * tokens:
            hint = f"shorten the prompt: `{family.name}` was trained on {family.context} tokens"
        numbers = [node for node in modelfile.of_type(Parameter) if node.name.text == "num_ctx"]
        span = texts[0].keyword.span
        if numbers:
            line = modelfile.source.line_of(span.start)
            message = f"`num_ctx {context_length}` is too small: {counted} (line {line}), and Ollama cuts it"
            span = numbers[-1].value.span
        yield Finding(span, message, hint)


def _context_length(modelfile: Modelfile, context: Context) -> int | None:
    parameters = reversed(modelfile.of_type(Parameter))
    last = next((node for node in parameters if node.name.text == "num_ctx"), None)
    if last is None:
        bases = [node.value.text for node in modelfile.of_type(From)]
        default = context.ollama.default("num_ctx")
        return default if isinstance(default, int) and bases and all(map(looks_like_path, bases)) else None
    try:
        given = parse_value(Kind.INT, last.value.text)
    except ValueError:
        return None
    return given if isinstance(given, int) and given > 0 else None
