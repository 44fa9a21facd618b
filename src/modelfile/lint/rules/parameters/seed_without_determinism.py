"""Rule MF309."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_RANDOM: Final = "-1"


@rule("MF309", "seed-without-determinism", on=Modelfile, severity=Severity.INFO)
def seed_without_determinism(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A seed is set, and not the temperature that goes with it.

    A seed is there to get the same answer again: every number but -1 does it, 0 too. That takes the same `temperature`,
    and where the Modelfile does not set it, it is the base's. Long conversations take the same `num_ctx` besides, which
    otherwise hangs on the memory of the GPU and on the server's settings, and says where the oldest text is cut off.

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
    parameters = {node.name.text: node for node in modelfile.nodes if isinstance(node, Parameter)}
    seed = parameters.get("seed")
    if seed and seed.value.text != _RANDOM and "temperature" not in parameters:
        message = "the seed alone does not make answers repeatable: `temperature` is left to the base"
        yield Finding(seed.span, message, "set `temperature` too, or leave the seed out")
