"""Rule MF615."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, existing_path, facts_of_base, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter


@rule("MF615", "adapter-format", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def adapter_format(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""This version of Ollama does not take the ADAPTER in its format.

    Ollama takes an adapter as one GGUF file. A folder of safetensors needs `adapter_config.json`, and a base of the
    architecture `llama` or `gemma2`; for others, and for `adapter_model.bin`, llama.cpp's convert_lora_to_gguf.py makes
    a GGUF file.

    It is a warning for a base that Ollama runs in an engine of its own, which applies no adapters (0.6 to 0.29), and
    for a base that only has a name.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ADAPTER ./adapter_model.bin
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ADAPTER ./billing-lora.gguf
    ```
    """
    yield from rejected(context, "adapter-format")
    adapter = modelfile.last(Adapter)
    path = existing_path(adapter, context) if adapter else None
    if adapter is None or path is None or context.headers is None:
        return
    from modelfile.catalog.architectures import ADAPTED  # few Modelfiles have an adapter
    from modelfile.catalog.engines import LLAMA_SERVER, runs_in_own_engine

    header, family = facts_of_base(modelfile, context)
    architecture = header.architecture if header else family.architecture if family and family.library else None
    if not architecture:
        return
    version = context.ollama.version
    if runs_in_own_engine(architecture, version):
        message = f"Ollama {version} runs `{architecture}` in an engine of its own, which applies no adapters"
        hint = f"use Ollama {LLAMA_SERVER} or later, or merge the adapter into the base"
        yield Finding(adapter.value.span, message, hint, severity=Severity.WARNING)
    elif header is None and architecture not in ADAPTED and not context.headers(path):
        message = f"Ollama converts adapters in safetensors only for `gemma2` and `llama`, not for `{architecture}`"
        hint = "convert it with llama.cpp's convert_lora_to_gguf.py, and name the GGUF file in ADAPTER"
        yield Finding(adapter.value.span, message, hint, severity=Severity.WARNING)
