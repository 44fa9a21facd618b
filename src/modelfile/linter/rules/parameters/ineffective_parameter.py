"""Rule MF312."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.catalog.parameters import Kind
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.recipe.values import parse_value
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_OFF: Final = {
    "temperature": (("top_k", "top_p", "min_p", "seed"), "always picks the most likely token"),
    "repeat_last_n": (("repeat_penalty", "presence_penalty", "frequency_penalty"), "leaves no tokens for penalties"),
}
"""The parameters that another one makes ineffective when it is 0, and why."""


@rule("MF312", "ineffective-parameter", on=Modelfile, severity=Severity.INFO)
def ineffective_parameter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Parameters have no effect because of another one.

    With `temperature 0`, Ollama always picks the most likely token: `top_k`, `top_p` and `min_p` have nothing left to
    choose from, and a `seed` has nothing random to fix. With `repeat_last_n 0`, the repetition penalties have nothing
    to look at. A request that sets `temperature` or `repeat_last_n` makes them effective again.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0
    PARAMETER top_p 0.9
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0
    ```
    """
    parameters = {node.name.text: node for node in modelfile.of_type(Parameter)}
    for name, (others, why) in _OFF.items():
        if (cause := parameters.get(name)) and name in context.ollama.parameters and _is_zero(cause):
            present = (parameters[other] for other in others if other in parameters)
            ineffective = sorted(present, key=lambda node: node.span.start)
            if ineffective:
                names = ", ".join(f"`{node.name.text}`" for node in ineffective)
                verb = "has" if len(ineffective) == 1 else "have"
                message = f"{names} {verb} no effect: `{name} {cause.value.text}` {why}"
                yield Finding(ineffective[0].name.span, message, f"delete {names}, or change `{name}`")


def _is_zero(parameter: Parameter) -> bool:
    try:
        return parameter.value.closed and parse_value(Kind.FLOAT, parameter.value.text) == 0
    except ValueError:
        return False
