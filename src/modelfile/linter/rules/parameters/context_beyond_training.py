"""Rule MF317."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.linter.rule import Context, facts_of_base, last_from, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter

_ORIGINS: Final = {
    "Llama 3 8B": (8192, r"llama-?3-(?:8|70)b"),
    "Llama 2": (4096, r"(?:llama-?2(?!\d|\.\d)|mythomax-l2)"),
    "Gemma 2": (8192, r"gemma-?2-(?:2|9|27)b"),
    "TinyLlama": (2048, r"tinyllama"),
    "Phi-2": (2048, r"phi-2(?!\d|\.\d)"),
    "SOLAR": (4096, r"solar-10\.7b"),
}
"""Models that fine-tunes are made of: their context, and how the names of the fine-tunes tell it."""
_EXTENDED: Final = r"\dk\b|\dm\b(?!\.)|long|yarn|gradient|extended|rope|context|llama-?3[.-][123](?!\d*b)"
"""Words of fine-tunes with a longer context."""
_SIZE_IN_TAG: Final = r":(?:[^:/\s-]+-){0,8}?(\d{1,4})k(?![^\s-])"


@rule("MF317", "context-beyond-training", on=Modelfile, severity=Severity.WARNING)
def context_beyond_training(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""`num_ctx` is larger than the context that the base was trained on.

    Ollama does not fail: it writes a warning to its log ("requested context size too large for model") and uses the
    context of the weights. So the model forgets earlier than the Modelfile promises. The rule reads the context in the
    header of a local GGUF file. It knows those of Ollama's library, and of files that are named like a maker's own
    weights; a fine-tune with the name of its origin, such as `gemma-2-9b-it-abliterated`, is a note.

    ## Bad

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    PARAMETER num_ctx 32768
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM gemma2:9b
    PARAMETER num_ctx 8192
    ```
    """
    found = effective_numbers(modelfile, context).get("num_ctx")
    if found is None:
        return
    header, family = facts_of_base(modelfile, context)
    if header:
        trained = header.number("context_length")
        if 0 < trained < found[0]:
            yield _beyond_training(found[1], "the model of this file", trained)
        return
    if family is None:
        yield from _by_words(modelfile, *found)
        return
    longest = _size_in_tag(modelfile) or family.context
    if longest is None or found[0] <= longest:
        return
    if found[0] == family.parameters.get("num_ctx"):  # as the library's own model sets it
        return
    yield _beyond_training(found[1], f"`{family.name}`", longest)


def _beyond_training(node: Parameter, trained: str, longest: int) -> Finding:
    message = f"`num_ctx {node.value.text}` is more than {trained} was trained on: Ollama uses {longest}"
    return Finding(
        node.value.span, message, f"write `{longest}` or less", Fix(edits=(Edit(node.value.span, str(longest)),))
    )


def _size_in_tag(modelfile: Modelfile) -> int | None:
    """Return the context in tokens that the tag of the base names, as in `vicuna:13b-v1.5-16k`; None if it does not."""
    base = last_from(modelfile)
    found = re.search(_SIZE_IN_TAG, base.value.text, re.IGNORECASE) if base else None
    return int(found[1]) * 1024 if found else None


def _by_words(modelfile: Modelfile, size: float, node: Parameter) -> Iterator[Finding]:
    """Yield a note on a fine-tune whose name tells the model that it was made of."""
    base = last_from(modelfile)
    if base is None or not base.value.closed or size <= min(longest for longest, _ in _ORIGINS.values()):
        return
    name = re.split(r"[/\\]", base.value.text)[-1].lower()
    if re.search(_EXTENDED, name):
        return
    for title, (longest, pattern) in _ORIGINS.items():
        if re.search(rf"(?<![a-z\d]){pattern}", name) and size > longest:
            message = (
                f"`num_ctx {node.value.text}` is more than {title} was trained on ({longest}), of which this base is"
            )
            yield Finding(node.value.span, message, f"write `{longest}` or less", severity=Severity.INFO)
            return
