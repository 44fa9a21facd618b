"""Rule MF309."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.parameters import parse_number
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_RANDOM: Final = "-1"


@rule("MF309", "seed-without-temperature", on=Modelfile, severity=Severity.INFO)
def seed_without_temperature(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A seed is set, but not the temperature that it depends on.

    A seed makes answers repeatable; any number does, even 0, except -1. It only works with the same `temperature`, and
    a Modelfile that does not set one leaves it to the base. Long conversations also need the same `num_ctx`, which
    decides where the oldest text is cut off. If it is not set, it depends on the memory of the GPU and on the server's
    settings.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER seed 42
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER seed 42
    PARAMETER temperature 0.2
    ```
    """
    parameters = {node.name.text: node for node in modelfile.of_type(Parameter)}
    seed = parameters.get("seed")
    is_number = seed is not None and parse_number(seed, context.ollama) is not None
    if seed and is_number and seed.value.text != _RANDOM and "temperature" not in parameters:
        message = "`seed` alone does not make answers repeatable: `temperature` is left to the base"
        yield Finding(seed.span, message, "set `temperature` too, or delete the line")
