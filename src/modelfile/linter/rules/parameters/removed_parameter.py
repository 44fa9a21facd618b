"""Rule MF306."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Parameter

_IN_THE_WEIGHTS: Final = frozenset({"num_gqa", "rope_frequency_base", "rope_frequency_scale"})


@rule("MF306", "removed-parameter", on=Parameter, severity=Severity.ERROR)
def removed_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama had this parameter once, and refuses it now.

    Old tutorials still set `tfs_z`, `num_gqa` or `rope_frequency_base`. Ollama now reads what the last two set from the
    weights themselves. For other old parameters, such as `mirostat`, Ollama only warns; see `deprecated-parameter`.

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
    gone = context.target.removed(name)
    if gone and name not in context.target.deprecated:
        hint = "delete the line: Ollama reads it from the weights" if name in _IN_THE_WEIGHTS else "delete the line"
        yield Finding(parameter.name.span, f"Ollama has had no parameter `{name}` since {gone}", hint)
