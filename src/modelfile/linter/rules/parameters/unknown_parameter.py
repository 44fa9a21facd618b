"""Rule MF301."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import Catalog
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import WORDS, Parameter

_COMMANDS = frozenset({*map(str.lower, WORDS), "model"} - {"from", "parameter"})
"""`PARAMETER system x` is a SYSTEM to Ollama."""
_ELSEWHERE = {
    "max_tokens": "num_predict",
    "max_length": "num_predict",
    "context_length": "num_ctx",
    "n_ctx": "num_ctx",
    "temp": "temperature",
    "batch_size": "num_batch",
    "threads": "num_thread",
}

_TRAINING = frozenset({"num_epoch", "num_epochs", "epochs", "learning_rate", "train_batch_size", "weight_decay"})
_IN_THE_WEIGHTS = frozenset({"rope_scale", "rope_scaling", "rope_freq_base", "rope_freq_scale"})


def _meant(name: str, target: Catalog) -> tuple[str, str | None]:
    """The hint, and the name that was meant: what other programs call so, then what looks like it."""
    from difflib import get_close_matches

    if name.lower() in _ELSEWHERE:
        return f"Ollama calls it `{_ELSEWHERE[name.lower()]}`", _ELSEWHERE[name.lower()]
    if name.lower() in _TRAINING:
        return "delete the line: it is for training, which Ollama does not do", None
    if name.lower() in _IN_THE_WEIGHTS:
        return "delete the line: Ollama reads it from the weights", None
    close = get_close_matches(name.lower(), target.parameters, n=1)
    if close:
        return f"did you mean `{close[0]}`?", close[0]
    return f"Ollama knows {', '.join(sorted(target.parameters))}", None


@rule("MF301", "unknown-parameter", on=Parameter, severity=Severity.ERROR)
def unknown_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama knows no parameter of this name.

    Its command line refuses it. Its API stores it, and then never looks at it. All names are in lower case.

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
        hint, meant = _meant(name, target)
        fix = Fix(edits=(Edit(parameter.name.span, meant),)) if meant else None
        yield Finding(parameter.name.span, f"unknown parameter `{name}`", hint, fix)
