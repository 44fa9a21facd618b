"""Rule MF301."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.catalog import Catalog
from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.errors import Speller
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import WORDS, Parameter

_COMMANDS = frozenset({*map(str.lower, WORDS), "model"} - {"from", "parameter"})
"""To Ollama, `PARAMETER system x` is a SYSTEM."""
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


def _suggest(name: str, ollama: Catalog, speller: Speller) -> tuple[str, str | None]:
    """Return the hint, and the intended name if there is one: first by other programs' names, then by spelling."""
    if name.lower() in _ELSEWHERE:
        own_name = _ELSEWHERE[name.lower()]
        return f"write `{own_name}`, as Ollama calls it", own_name
    if name.lower() in _TRAINING:
        return "delete the line: it is for training, and Ollama does not train", None
    if name.lower() in _IN_THE_WEIGHTS:
        return "delete the line: Ollama reads it from the weights", None
    if close := speller.closest(name.lower(), ollama.parameters):
        return f"did you mean `{close}`?", close
    return f"known parameters: {', '.join(sorted(ollama.parameters))}", None


@rule("MF301", "unknown-parameter", on=Parameter, severity=Severity.ERROR)
def unknown_parameter(parameter: Parameter, context: Context) -> Iterator[Finding]:
    r"""Ollama knows no parameter of this name.

    `ollama create` rejects it; Ollama's API stores it, and then never uses it. All names are in lower case.

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
    name, ollama = parameter.name.text, context.ollama
    if name in ollama.parameters or name in ollama.deprecated or name in _COMMANDS:
        return
    if name and not ollama.removed(name):  # otherwise extra-space or removed-parameter
        hint, intended = _suggest(name, ollama, context.speller)
        fix = Fix(edits=(Edit(parameter.name.span, intended),)) if intended else None
        yield Finding(parameter.name.span, f"unknown parameter `{name}`", hint, fix)
