"""Rule MF307."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.nodes import Parameter

_BELOW: Final = {
    "num_ctx": "Ollama takes 4",
    "num_gpu": "it means the same as -1: as many layers as fit",
    "num_predict": "it means the same as -1",
    "num_thread": "it means the same as 0: the server decides",
    "temperature": "it means the same as 0: always the likeliest token",
    "top_k": "it means the same as 0: from all tokens",
    "top_p": "only the likeliest token is left",
    "min_p": "it means the same as 0: off",
}
_ABOVE: Final = {
    "top_p": "it means the same as 1: off",
    "min_p": "only the likeliest token is left",
    "typical_p": "it means the same as 1: off",
}
"""What Ollama's scheduler (0.9.3 to 0.33), its own sampler (0.6 to 0.24) and llama.cpp's all make of it."""


@rule("MF307", "out-of-range", on=Parameter, severity=Severity.WARNING)
def out_of_range(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""A number is outside of what the parameter can mean.

    Ollama checks no ranges: it stores the number, and what happens then is up to the code that draws the tokens. Often
    that code uses the nearest number that makes sense, and not the one you wrote. `mf explain top_p` tells the range of
    `top_p`, and so for every other parameter.

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
    known = context.target.parameters.get(name)
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
    yield Finding(parameter.value.span, message, f"`{name}` is {known.range}{special}")
