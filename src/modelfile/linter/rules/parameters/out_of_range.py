"""Rule MF307."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.nodes import Parameter

_BELOW: Final = {
    "num_ctx": "Ollama uses 4",
    "num_batch": "before 0.30, the server never answers",
    "num_gpu": "it acts like -1 (as many layers as fit)",
    "num_predict": "it acts like -1",
    "num_thread": "it acts like 0 (the server decides)",
    "repeat_last_n": "it acts like 0 (penalties off)",
    "temperature": "it acts like 0 (always the most likely token)",
    "top_k": "it acts like 0 (from all tokens)",
    "top_p": "only the most likely token is left",
    "min_p": "it acts like 0 (off)",
}
_ABOVE: Final = {
    "top_p": "it acts like 1 (off)",
    "min_p": "only the most likely token is left",
    "typical_p": "it acts like 1 (off)",
}
"""The common effect in Ollama's scheduler (0.9.3 to 0.33), its own sampler (0.6 to 0.24) and llama.cpp's."""


@rule("MF307", "out-of-range", on=Parameter, severity=Severity.WARNING)
def out_of_range(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A number is outside the parameter's range.

    Ollama checks no ranges: it stores the number, and the code that picks the tokens decides what happens. Often that
    code uses the nearest number that makes sense instead of yours. `mf explain top_p` prints the range of `top_p`; the
    same works for every other parameter.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER top_p 90
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER top_p 0.9
    ```
    """
    name = parameter.name.text
    known = context.ollama.parameters.get(name)
    if known is None or not parameter.value.closed:
        return
    try:
        value = parse_value(known.kind, parameter.value.text)
    except ValueError:
        return  # invalid-parameter-value
    if isinstance(value, tuple):
        return
    if known.minimum is not None and value < known.minimum:
        effect = _BELOW.get(name)
    elif known.maximum is not None and value > known.maximum:
        effect = _ABOVE.get(name)
    else:
        return
    message = f"`{name} {parameter.value.text}` is out of range{f': {effect}' if effect else ''}"
    special = "".join(f"; {number} means: {meaning}" for number, meaning in known.special)
    yield Finding(
        parameter.value.span, message, f"write a number {'of ' * (known.maximum is None)}{known.range}{special}"
    )
