"""Rule MF605."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, existing_path, last_from, model_header, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter

# Compiled on use: few Modelfiles have an ADAPTER.
_MAKERS: Final = {
    "Llama": r"(?:meta-?|code-?|tiny-?)?llama|vicuna|alpaca",
    "Mistral": r"(?:mi[sx]tral|zephyr|ministral|codestral|nemo)",
    "Qwen": r"(?:code)?qwen|qwq",
    "Gemma": r"(?:code|med|shield)?gemma",
    "Phi": r"phi(?=[-_.]?\d)",
    "Granite": r"granite",
    "Falcon": r"falcon",
}
"""The architectures that names of adapters and bases tell."""
_GENERATION: Final = r"(?<![a-z])(llama|qwen|gemma|phi)[-_ ]?([1-9])(?![\db])"
_SIZE: Final = r"(?<![\w.])(\d{1,3}(?:\.\d)?)b(?![a-z\d])"
_ROUNDED: Final = 1.25
"""Quotient of two sizes that may be one, such as 6.7b and 7b."""


@rule("MF605", "foreign-adapter", on=Modelfile, severity=Severity.WARNING)
def foreign_adapter(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""By its name or its header, the ADAPTER was trained on another model than the base.

    An adapter is a set of changes to the weights that it was trained on. On weights of another architecture, Ollama
    fails when it loads the model, or the answers are garbage. So it is with another size, or another generation, whose
    tensors have other shapes. The rule compares the names of makers, their numbers and the sizes in the path of the
    adapter and in FROM, and is silent if either has none or several. A converter writes the name of the base into the
    header of a GGUF file (`general.base_model.0.name`): where the file is there, that name decides.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.1:8b
    ADAPTER ./mistral-7b-billing-lora.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM mistral:7b
    ADAPTER ./mistral-7b-billing-lora.gguf
    ```
    """
    adapter, base = modelfile.last(Adapter), last_from(modelfile)
    if adapter is None or base is None or not adapter.value.closed:
        return
    trained_on, how = _base_in_header(adapter, context), "header"
    if not trained_on:
        trained_on, how = re.split(r"[/\\]", adapter.value.text.rstrip("/\\"))[-1], "name"
        if not re.search(r"lora|adapter|peft|finetune", trained_on, re.IGNORECASE):  # otherwise model-as-adapter
            return
    family, header = base_family(modelfile, context), model_header(modelfile, context)
    written = f"{base.value.text} {family.name if family else ''}"
    if header and (named := f"{header.text('general.name')} {header.text('general.size_label')}").strip():
        written = named
    for read in (makers, _generations, _sizes):
        of_adapter, of_base = read(trained_on), read(written)
        if len(of_adapter) == len(of_base) == 1 and not _agree(*of_adapter, *of_base):
            if header and any(rejected(context, "adapter-mismatch")):
                return  # the architecture or the tensors say so, too
            trained, other = of_adapter.pop(), of_base.pop()
            message = f"by its {how}, `{adapter.value.text}` was trained on {trained}, but the base is {other}"
            yield Finding(adapter.value.span, message, "write the base that it was trained on in FROM")
            return


def _base_in_header(adapter: Adapter, context: Context) -> str:
    """Return the name of the base in the header of an adapter; an empty text if there is none."""
    path = existing_path(adapter, context)
    headers = context.headers(path) if path and context.headers else {}
    keys = ("general.base_model.0.name", "general.base_model.0.repo_url")
    return " ".join(header.text(key).rpartition("/")[2] for header in headers.values() for key in keys).strip()


def _agree(one: str, other: str) -> bool:
    """Return whether two words name the same, or sizes that may be one."""
    if not one[0].isdigit():
        return one == other
    smaller, larger = sorted(float(size.removesuffix("B")) for size in (one, other))
    return larger <= smaller * _ROUNDED


def makers(name: str) -> set[str]:
    """Return the makers of models that a text names."""
    return {
        maker
        for maker, pattern in _MAKERS.items()
        if re.search(rf"(?<![a-z])(?:{pattern})(?![a-z])", name, re.IGNORECASE)
    }


def _generations(name: str) -> set[str]:
    return {f"{maker.capitalize()} {number}" for maker, number in re.findall(_GENERATION, name.lower())}


def _sizes(name: str) -> set[str]:
    return {f"{size}B" for size in re.findall(_SIZE, re.sub(r"[-_: ]", " ", name.lower()))}
