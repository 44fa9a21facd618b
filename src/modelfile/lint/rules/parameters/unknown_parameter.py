"""Rule MF301."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.target import Catalog
from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.nodes import WORDS, Parameter

_COMMANDS = frozenset({*map(str.lower, WORDS), "model"} - {"from", "parameter"})
"""`PARAMETER system x` is a SYSTEM to Ollama."""
_ELSEWHERE = {
    "max_tokens": "`num_predict`",
    "max_length": "`num_predict`",
    "context_length": "`num_ctx`",
    "n_ctx": "`num_ctx`",
    "temp": "`temperature`",
    "batch_size": "`num_batch`",
    "threads": "`num_thread`",
}


def _meant(name: str, target: Catalog) -> str:
    """What other programs call by this name, then what looks like it."""
    from difflib import get_close_matches

    if name.lower() in _ELSEWHERE:
        return f"Ollama calls it {_ELSEWHERE[name.lower()]}"
    close = get_close_matches(name.lower(), target.parameters, n=1)
    return f"did you mean `{close[0]}`?" if close else f"Ollama knows {', '.join(sorted(target.parameters))}"


@rule("MF301", "unknown-parameter", on=Parameter, severity=Severity.ERROR)
def unknown_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama knows no parameter of this name.

    Its command line refuses it. Its API does not: it stores the parameter and never looks at it. Names are in lower
    case.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temprature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    name, target = parameter.name.text, context.target
    if name in target.parameters or name in target.deprecated or name in _COMMANDS:
        return
    if name and not target.removed(name):  # else double-blank, removed-parameter
        yield Finding(parameter.name.span, f"unknown parameter `{name}`", _meant(name, target))
