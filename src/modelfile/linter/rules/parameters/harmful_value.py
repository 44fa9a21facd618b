"""Rule MF315."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_Numbers = Mapping[str, tuple[int | float, Parameter]]

_HARMS: Final[Mapping[str, tuple[Callable[[float], bool], str, str]]] = {
    "repeat_penalty": (
        lambda value: value == 0,
        "answers repeat the same token until they are cut off",
        "write `1`, which turns the penalty off, or delete the line",
    ),
    "num_predict": (
        lambda value: value == 0,
        "answers have no limit in some versions of Ollama, and are empty in others",
        "write the number of tokens, or `-1` for no limit",
    ),
}
"""Numbers in range that do harm, the harm, and the advice (measured: Ollama 0.9.3, with a model of known answers).

`num_predict 0`: no limit in 0.9.3; in 0.32.15, llm/llama_server.go omits it in one request and sends it in another.
"""
_GREEDY: Final = (("top_k", 1), ("top_p", 0))
"""Numbers that leave only the most likely token, whatever the temperature is (measured: Ollama 0.9.3)."""
_ITEM: Final = r"[1-9][.)]"
_COMMON: Final = frozenset(" .,;:'\"-_()/")
_THINKING: Final = frozenset({"<think>", "</think>", "<|channel|>"})


@rule("MF315", "harmful-value", on=Modelfile, severity=Severity.WARNING)
def harmful_value(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A value is valid, but spoils the answers.

    Ollama accepts each of these values, and none does what it seems to say:

    - `repeat_penalty 0` divides by zero: the model repeats one token until the answer is cut off. 1 is off.
    - `num_predict 0` means no limit in some versions of Ollama, and no answer in others.
    - `top_k 1` or `top_p 0` leave only the most likely token, so `temperature` has no effect.
    - A `stop` of one common character, or one such as `1.`, ends an answer at the first word, number or list with it.
    - The stop `<think>` or `</think>` ends each answer of a thinking model before it has begun.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_penalty 0
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER repeat_penalty 1
    ```
    """
    numbers = effective_numbers(modelfile, context)
    for name, (is_harmful, harm, hint) in _HARMS.items():
        if name in numbers and is_harmful(numbers[name][0]):
            node = numbers[name][1]
            yield Finding(node.value.span, f"with `{name} {node.value.text}`, {harm}", hint)
    yield from _without_choice(numbers)
    for node in modelfile.of_type(Parameter):
        if node.name.text == "stop" and node.value.closed:
            yield from _harmful_stop(node, modelfile, context)


def _without_choice(numbers: _Numbers) -> Iterator[Finding]:
    temperature = numbers.get("temperature")
    if temperature is None or temperature[0] <= 0:
        return  # ineffective-parameter
    for name, greedy in _GREEDY:
        if name in numbers and numbers[name][0] == greedy:
            node, other = numbers[name][1], temperature[1]
            message = (
                f"`temperature {other.value.text}` has no effect: `{name} {node.value.text}` leaves only the most"
                " likely token"
            )
            hint = f"delete `{name}`, or write `temperature 0` if answers are to be repeatable"
            yield Finding(node.value.span, message, hint)
            return


def _harmful_stop(node: Parameter, modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    text = node.value.text
    if len(text) == 1 and (text.isalnum() or text in _COMMON):
        message = f"the stop `{text}` is one common character: an answer ends wherever it occurs first"
        yield Finding(node.value.span, message, "use a stop that only marks a turn, such as `<|im_end|>` or `User:`")
    elif re.fullmatch(_ITEM, text):
        message = f"the stop `{text}` ends each answer at its first numbered line, and at many numbers"
        yield Finding(node.value.span, message, "use a stop that only marks a turn, such as `<|im_end|>` or `User:`")
    elif text in _THINKING and (family := base_family(modelfile, context)) and "thinking" in family.capabilities:
        message = f"the stop `{text}` ends each answer while the model thinks: `{family.name}` writes it first"
        hint = "delete the line; a request turns thinking off with `think: false`"
        yield Finding(node.value.span, message, hint)
