"""Rule MF308."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.linter.rules.parameters import parse_number
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_PENALTIES: Final = frozenset({"repeat_penalty", "presence_penalty", "frequency_penalty"})
_OFF: Final = 1
_NO_TOKENS: Final = "0"


@rule("MF308", "changed-default", on=Modelfile, severity=Severity.INFO)
def changed_default(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The Modelfile relies on a default that has changed.

    `repeat_last_n` sets how many tokens the repetition penalties look at, but sets no penalty itself. It used to work
    through the default of `repeat_penalty`, which was 1.1. Since 0.32.10 that default is 1, which is off, so
    `repeat_last_n` alone has no effect unless the base sets a penalty.

    Other defaults have changed too (since 0.15.5, that of `num_ctx` depends on the memory of the GPU; `mf explain
    num_ctx` lists them all), but a Modelfile that does not set a parameter need not rely on its default, so they are
    not reported.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_last_n 128
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_last_n 128
    PARAMETER repeat_penalty 1.1
    ```
    """
    parameters = {node.name.text: node for node in modelfile.of_type(Parameter)}
    window = parameters.get("repeat_last_n")
    if window is None or window.value.text == _NO_TOKENS or _PENALTIES & parameters.keys():
        return
    if parse_number(window, context.ollama) is None:
        return  # invalid-parameter-value
    if context.ollama.default("repeat_penalty") == _OFF:
        message = "`repeat_last_n` has no effect without a penalty: since 0.32.10, `repeat_penalty` is off by default"
        yield Finding(window.name.span, message, "set `repeat_penalty`, which used to be 1.1, unless the base sets it")
