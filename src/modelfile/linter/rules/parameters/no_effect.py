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
    "temperature": (("top_k", "top_p", "min_p", "seed"), "always takes the likeliest token"),
    "repeat_last_n": (("repeat_penalty", "presence_penalty", "frequency_penalty"), "looks at no tokens for penalties"),
}
"""What a parameter makes idle when it is 0, and why."""


@rule("MF312", "no-effect", on=Modelfile, severity=Severity.INFO)
def no_effect(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""Parameters have no effect beside another one.

    With `temperature 0` Ollama always takes the likeliest token: `top_k`, `top_p` and `min_p` have nothing left to
    choose from, and a `seed` has nothing random to fix. With `repeat_last_n 0` the penalties on repetition have nothing
    to look at. A request that sets the one parameter brings the others to life again.

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
    parameters = {node.name.text: node for node in modelfile.nodes if isinstance(node, Parameter)}
    for name, (unused, why) in _OFF.items():
        if (cause := parameters.get(name)) and name in context.target.parameters and _is_zero(cause):
            idlers = sorted(
                (parameters[other] for other in unused if other in parameters), key=lambda node: node.span.start
            )
            if idlers:
                names = ", ".join(f"`{node.name.text}`" for node in idlers)
                message = f"no effect of {names}: `{name} {cause.value.text}` {why}"
                hint = f"delete what has none, or give `{name}` the value that is meant"
                yield Finding(idlers[0].name.span, message, hint)


def _is_zero(parameter: Parameter) -> bool:
    try:
        return parameter.value.closed and parse_value(Kind.FLOAT, parameter.value.text) == 0
    except ValueError:
        return False
