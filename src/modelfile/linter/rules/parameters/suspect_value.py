"""Rule MF316."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_from, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.linter.rules.text.long_system_prompt import long_system_prompt
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter, System, Template

_MOST_PENALTY: Final = 2
_HIGH_PENALTY: Final = 1.5
"""The highest `repeat_penalty` that Ollama's documentation names."""
_MOST_TEMPERATURE: Final = 2
_MOST_MIN_P: Final = 0.5
_FEWEST_TOKENS: Final = 256
"""The smallest context that a model of Ollama's library sets: `all-minilm`."""
_MINIMUM: Final = 4
"""A smaller context is out-of-range."""
_FEWEST_IN_A_BATCH: Final = 8
_FEW_THOUGHTS: Final = 400
"""Tokens within which a thinking model hardly ends its thoughts."""

_NEVER_GREEDY: Final = ("qwen3", "deepseek-r1")
"""Models whose cards advise against greedy decoding: it repeats thoughts endlessly."""
_WITHOUT_THOUGHTS: Final = r"/no_?think\b"

_Numbers = Mapping[str, tuple[int | float, Parameter]]
_Suspect = tuple[str, Callable[[float], bool], str, str]

_SUSPECT: Final[tuple[_Suspect, ...]] = (
    (
        "num_gpu",
        lambda value: value == 1,
        "puts one layer on the GPU, not the model on one GPU",
        "delete the line: Ollama puts as many layers there as fit; 0 means: CPU only",
    ),
    (
        "repeat_penalty",
        lambda value: 0 < value < 1,
        "rewards repetition",
        "write a number from 1 (off) to about 1.3",
    ),
    (
        "repeat_penalty",
        lambda value: value > _MOST_PENALTY,
        "makes the model avoid all words that it has used, even the end of the answer",
        "write a number from 1 (off) to about 1.3",
    ),
    (
        "repeat_penalty",
        lambda value: _HIGH_PENALTY < value <= _MOST_PENALTY,
        "makes the model avoid what it has to repeat, such as names, brackets and full stops",
        "write a number from 1 (off) to about 1.3",
    ),
    (
        "min_p",
        lambda value: _MOST_MIN_P < value <= 1,
        "leaves little more than the most likely token",
        "write a number such as 0.05; for the total probability of the candidates, set `top_p`",
    ),
    (
        "temperature",
        lambda value: value > _MOST_TEMPERATURE,
        "makes answers random",
        "write a number from 0 to about 1.5",
    ),
    *(
        (
            name,
            lambda value: abs(value) > _MOST_PENALTY,
            "is beyond -2 to 2, the range of OpenAI's API",
            "write a number from 0 (off) to 2",
        )
        for name in ("presence_penalty", "frequency_penalty")
    ),
    (
        "num_ctx",
        lambda value: _MINIMUM <= value < _FEWEST_TOKENS,
        "leaves hardly any tokens for prompt and answer together",
        "write the number of tokens, such as 8192 for 8k",
    ),
    (
        "num_batch",
        lambda value: 0 < value < _FEWEST_IN_A_BATCH,
        "reads the prompt almost token by token, which is slow",
        "delete the line, or write a number such as 512",
    ),
)
"""Parameters, when their numbers are suspect, the effect, and the advice.

Measured, Ollama 0.9.3: with `repeat_penalty 0.5`, an answer never ended that ended with 1. The others are defined so.
"""


@rule("MF316", "suspect-value", on=Modelfile, severity=Severity.WARNING)
def suspect_value(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A value is in range, but probably does not mean what was intended.

    `num_gpu` counts layers, not GPUs: with `num_gpu 1` nearly the whole model runs on the CPU. `repeat_penalty` below 1
    rewards repetition, and above 1.5 makes a model avoid what it has to repeat, even the end of its answer. `min_p`
    above 0.5 leaves little but the most likely token; numbers such as 0.9 belong to `top_p`. A `temperature` above
    2 makes answers random, and a `num_ctx` below 256, such as `num_ctx 8` for 8k, has no room for a conversation.
    Prompt and answer share the context, so a `num_predict` above `num_ctx` is never reached, and a `num_keep` of
    that size leaves nothing to drop. A thinking model needs its first hundreds of tokens for its thoughts, and some
    repeat themselves at `temperature 0`.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER num_gpu 1
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    numbers = effective_numbers(modelfile, context)
    for name, is_suspect, effect, hint in _SUSPECT:
        if name in numbers and is_suspect(numbers[name][0]):
            node = numbers[name][1]
            if name == "num_ctx" and any(long_system_prompt.check(modelfile, context)):
                continue
            yield Finding(node.value.span, f"`{name} {node.value.text}` {effect}", hint)
    yield from _beyond_context(numbers)
    if "num_predict" in numbers or "temperature" in numbers:
        yield from _thinking(numbers, modelfile, context)


def _beyond_context(numbers: _Numbers) -> Iterator[Finding]:
    if "num_ctx" not in numbers or (longest := numbers["num_ctx"][0]) < _MINIMUM:
        return
    shown = f"num_ctx {numbers['num_ctx'][1].value.text}"
    if "num_predict" in numbers and numbers["num_predict"][0] > longest:
        node = numbers["num_predict"][1]
        message = f"`num_predict {node.value.text}` is more than `{shown}`, which prompt and answer share"
        yield Finding(node.value.span, message, "raise `num_ctx`, or lower `num_predict`")
    if "num_keep" in numbers and numbers["num_keep"][0] >= longest:
        node = numbers["num_keep"][1]
        message = f"`num_keep {node.value.text}` keeps all of `{shown}`: nothing can be dropped when it is full"
        yield Finding(node.value.span, message, "write the number of tokens of the system prompt, or delete the line")


def _thinking(numbers: _Numbers, modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    """Yield findings on a base that thinks unless a request says otherwise."""
    family, base = base_family(modelfile, context), last_from(modelfile)
    if family is None or base is None or "thinking" not in family.capabilities or "instruct" in base.value.text.lower():
        return
    texts = (node.value.text for kind in (System, Template) for node in modelfile.of_type(kind))
    if any(re.search(_WITHOUT_THOUGHTS, text) for text in texts):
        return
    if "num_predict" in numbers and 0 < numbers["num_predict"][0] <= _FEW_THOUGHTS:
        node = numbers["num_predict"][1]
        message = f"`num_predict {node.value.text}` cuts `{family.name}` off while it thinks: there is no answer"
        yield Finding(node.value.span, message, "raise it, or delete the line; a request turns thinking off")
    if "temperature" in numbers and numbers["temperature"][0] == 0 and family.name.startswith(_NEVER_GREEDY):
        node = numbers["temperature"][1]
        message = f"with `temperature {node.value.text}`, `{family.name}` may repeat its thoughts without end"
        yield Finding(
            node.value.span, message, "write `temperature 0.6`, as its authors advise", severity=Severity.INFO
        )
