"""Rule MF234."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parser, Renderer

_MAKERS: Final = {
    "Qwen": r"qw[qe]",
    "gpt-oss": r"harmony|gpt-oss",
    "GLM": r"glm",
    "Gemma": r"(?:function|code|med|shield|translate)?gemma",
    "OLMo": r"olmo",
    "LFM": r"lfm",
    "Command": r"cohere|command|aya",
    "Mistral": r"mi[nsx]i?s?tral|devstral|magistral|codestral|mathstral",
    "Llama": r"llama",
    "Phi": r"phi",
    "Granite": r"granite",
}
"""Makers, and how the names of their renderers, parsers and models in the library begin.

Others are built from weights of several makers, or use the format of one.
"""
_BORROWED: Final = frozenset({"Qwen"})
"""Makers whose parsers read formats that models of others write too, such as `<think>` and `<tool_call>`."""


@rule("MF234", "foreign-renderer", on=Modelfile, severity=Severity.WARNING)
def foreign_renderer(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""RENDERER or PARSER is that of another model family.

    A RENDERER writes the turns of a conversation as one family knows them, and a PARSER finds thoughts and tool calls
    as that family writes them. With those of another family the model does not see where a turn ends, and tool calls
    stay in the text of the answer. A model of Ollama's library brings its own.

    The rule compares the names with the base, if that is of the library or bears a maker's own name, and with each
    other.

    ## Bad

    ```
    # Answers questions on billing.
    FROM qwen3-coder:30b
    PARSER harmony
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM qwen3-coder:30b
    PARSER qwen3-coder
    ```
    """
    renderer, parser = modelfile.last(Renderer), modelfile.last(Parser)
    if renderer is None and parser is None:
        return
    family = base_family(modelfile, context)
    of_base = _maker(family.name) if family else None
    reported = False
    for node in (renderer, parser):
        if node is None or not node.value.closed or not (own := _maker(node.value.text)):
            continue
        if family and of_base and own != of_base and not (node is parser and own in _BORROWED):
            reported = True
            word = type(node).__name__.upper()
            message = f"{word} `{node.value.text}` is for {own}, but the base `{family.name}` is of another family"
            yield Finding(node.value.span, message, f"delete the line: the base brings its own {word} if it has one")
    if renderer is None or parser is None or reported or not (renderer.value.closed and parser.value.closed):
        return
    writes, reads = _maker(renderer.value.text), _maker(parser.value.text)
    if writes and reads and writes != reads:
        line = modelfile.source.line_of(renderer.span.start)
        message = f"PARSER `{parser.value.text}` is for {reads}, but RENDERER in line {line} is for {writes}"
        yield Finding(parser.value.span, message, f"write the PARSER that belongs to `{renderer.value.text}`")


def _maker(name: str) -> str | None:
    matching = (maker for maker, pattern in _MAKERS.items() if re.match(pattern, name.lower()))
    return next(matching, None)
