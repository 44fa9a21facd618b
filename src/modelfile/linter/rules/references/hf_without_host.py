"""Rule MF214."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from modelfile.diagnostics import Edit, Finding, Fix, Severity
from modelfile.immutable import replace
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_HOST, ModelName
from modelfile.source import Span
from modelfile.syntax.nodes import From

_PUBLISHERS: Final = frozenset(
    {
        "bartowski",
        "ggml-org",
        "lmstudio-community",
        "maziyarpanahi",
        "mradermacher",
        "quantfactory",
        "thebloke",
        "unsloth",
    }
)
"""Publishers of GGUF weights on Hugging Face, in repositories whose names end in `-GGUF`."""
_MAKERS: Final = frozenset(
    {
        *("01-ai", "allenai", "arcee-ai", "baai", "bigcode", "bigscience", "codellama", "cohereforai"),
        *("coherelabs", "databricks", "deepseek-ai", "eleutherai", "facebook", "google", "huggingfaceh4"),
        *("huggingfacetb", "ibm-granite", "internlm", "intfloat", "lgai-exaone", "lmsys", "meta-llama"),
        *("microsoft", "minimaxai", "mistralai", "moonshotai", "mosaicml", "nousresearch", "nvidia", "openai"),
        *("qwen", "sentence-transformers", "stabilityai", "thudm", "tiiuae", "tinyllama", "unsloth"),
        *("upstage", "xai-org", "zai-org"),
    }
)
"""Makers of models, whose repositories on Hugging Face hold safetensors unless their names say otherwise."""
_FORMAT: Final = (
    r"(?:.*[-_.])?(GPTQ|AWQ|EXL[23]|MLX|AQLM|HQQ|ONNX|CT2|FP8|NVFP4|[Bb][Nn][Bb]-4bit|W[48]A(?:8|16))(?:[-_.].*)?"
)
"""Names of repositories whose weights are in another format than GGUF."""
_HOSTS: Final = frozenset({"hf.co", "huggingface.co"})
_MADE: Final = r".*(?:\d[bBmM]?\b|[A-Z]|-it\b|-instruct\b|-chat\b|-base\b).*"
"""Names as makers give them, with a size, a version, or the purpose."""


@rule("MF214", "hf-without-host", on=From, severity=Severity.WARNING)
def hf_without_host(base: From, context: Context) -> Iterator[Finding]:
    r"""A repository on Hugging Face is named without `hf.co/`.

    Ollama looks up a name without a host on ollama.com. It does not find the repository there, and fails with "pull
    model manifest: file does not exist". The rule reports repositories of publishers that are known for GGUF files on
    Hugging Face.

    Repositories whose names end in `-GPTQ`, `-AWQ`, `-EXL2`, `-MLX` or the like have weights that Ollama cannot load.
    The repositories of the makers themselves, such as `meta-llama/Llama-3.1-8B-Instruct`, hold safetensors, which
    Ollama does not run by name, with `hf.co/` or without. Write the name in Ollama's library, or a repository of GGUF
    files.

    ## Bad

    ```
    # Answers questions on billing.
    FROM bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M
    ```
    """
    written = base.value.text
    repository = find_repository(written) if base.value.closed else None
    if not repository or (context.exists and context.exists(written)):
        return
    if repository not in ("gguf", "safetensors"):
        message = f"`{written}` has weights in {repository}, which Ollama cannot load"
        yield Finding(base.value.span, message, "write a repository of GGUF files, whose name ends in `-GGUF`")
    elif repository == "safetensors":
        message = f"`{written}` is a repository of safetensors on Hugging Face, not an Ollama model"
        yield Finding(base.value.span, message, _advice(ModelName.parse(written)))
    else:
        start = context.modelfile.locate(base.value, 0)
        fix = Fix(edits=(Edit(Span(start, start), "hf.co/"),))
        message = f"`{written}` looks like a Hugging Face repository, but Ollama looks for it on ollama.com"
        yield Finding(base.value.span, message, f"write `hf.co/{written}`", fix)


@lru_cache(maxsize=1 << 10)
def find_repository(written: str) -> str | None:
    """Return the format of the weights if a FROM names a repository on Hugging Face in vain; None for all others.

    It is `gguf`, `safetensors`, or the name of another format.
    """
    name = name_or_none(written)
    if name is None or looks_like_path(written):
        return None
    owner, model, on_hub = name.namespace.lower(), name.model.lower(), name.host.lower() in _HOSTS
    if "gguf" not in model and (on_hub or owner in _PUBLISHERS):
        if owner == "mlx-community":
            return "MLX"
        if found := re.fullmatch(_FORMAT, name.model, re.IGNORECASE):
            return found[1].upper()
    if "gguf" in model:
        return "gguf" if name.host == DEFAULT_HOST and owner in _PUBLISHERS and model.endswith("-gguf") else None
    if owner in _MAKERS and (on_hub or (name.host == DEFAULT_HOST and not name.tagged)):
        return "safetensors" if re.fullmatch(_MADE, name.model) else None
    return None


def _advice(name: ModelName) -> str:
    from modelfile.catalog.families import family_of  # few Modelfiles need it

    family = family_of(replace(name, host="hf.co"))
    library = family.name if family else ""
    size = re.search(r"(?<![\d.])\d+(?:\.\d+)?[bB]\b", name.model)
    if library and size:
        library += f":{size[0].lower()}"
    gguf = f"a repository of GGUF files, such as `hf.co/bartowski/{name.model}-GGUF:Q4_K_M`"
    return f"write `{library}` for the model in Ollama's library, or {gguf}" if library else f"write {gguf}"
