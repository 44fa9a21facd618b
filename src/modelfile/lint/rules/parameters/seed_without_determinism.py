"""Rule MF309."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_NEEDED: Final = ("temperature", "num_ctx")
_RANDOM: Final = "-1"


@rule("MF309", "seed-without-determinism", on=Modelfile, severity=Severity.INFO)
def seed_without_determinism(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A seed is set, but not all that has to be fixed with it.

    A seed is there to get the same answer again. That takes the same `temperature` and `num_ctx`, too, and where the
    Modelfile does not set them they are the base's, or the server's: how long the context is depends on the memory of
    the GPU and on the server's settings.

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
    PARAMETER num_ctx 8192
    ```
    """
    parameters = {node.name.text: node for node in modelfile.nodes if isinstance(node, Parameter)}
    missing = [f"`{name}`" for name in _NEEDED if name not in parameters]
    seed = parameters.get("seed")
    if seed and missing and seed.value.text != _RANDOM:
        left = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} left to the base or the server"
        message = f"the seed alone does not make answers repeatable: {left}"
        yield Finding(seed.span, message, "set what is missing, or leave the seed out")
