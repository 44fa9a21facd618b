"""Rule MF306."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, deletion, rule
from modelfile.syntax.nodes import Parameter

_IN_THE_WEIGHTS: Final = frozenset({"num_gqa", "rope_frequency_base", "rope_frequency_scale"})


@rule("MF306", "removed-parameter", on=Parameter, severity=Severity.ERROR)
def removed_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama no longer has this parameter, and rejects it.

    Old tutorials still set `tfs_z`, `num_gqa` or `rope_frequency_base`. Ollama now reads what the last two set from the
    weights. For other old parameters, such as `mirostat`, Ollama only prints a warning (see `deprecated-parameter`).

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER tfs_z 1
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    name = parameter.name.text
    since = context.ollama.removed(name)
    if since and name not in context.ollama.deprecated:
        hint = "delete the line: Ollama reads it from the weights" if name in _IN_THE_WEIGHTS else "delete the line"
        message = f"unknown parameter `{name}`: removed in Ollama {since}"
        yield Finding(parameter.name.span, message, hint, deletion(parameter, context.modelfile))
