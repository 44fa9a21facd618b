"""The formats of weights that Ollama takes from local files, as `mf explain` prints them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.behaviors import CONVERTS_NO_SAFETENSORS, MERGES_SHARDS
from modelfile.immutable import record


@record(kw_only=True)
class WeightsFormat:
    """A format of weights."""

    name: str
    summary: str
    facts: Mapping[str, tuple[str, ...]]
    """Facts by their headings, each a line."""
    source: str


WEIGHTS_FORMATS: Final[Mapping[str, WeightsFormat]] = MappingProxyType(
    {
        "gguf": WeightsFormat(
            name="GGUF",
            summary="The format of weights that Ollama runs: a file with metadata and tensors, mostly quantized.",
            facts={
                "Written": ("FROM ./weights.gguf, or the folder that has it",),
                "Header": (
                    "the letters GGUF, the version (1, 2 or 3), and the numbers of tensors and keys",
                    "keys with values: general.architecture, llama.context_length, tokenizer.chat_template …",
                    "name, shape, type and offset of each tensor; the data follow",
                ),
                "Types": (
                    "a file mixes types: Q4_K_M names what most tensors have, others are Q6_K or F32",
                    "`mf show FILE` prints the true bits per weight, `mf explain Q4_K_M` explains a type",
                ),
                "Files": (
                    "a model; or a projector (mmproj), which a second FROM adds for images",
                    "an adapter (general.type is adapter), which ADAPTER applies to the model of FROM",
                    f"parts such as x-00001-of-00003.gguf: name all in FROM; merged since Ollama {MERGES_SHARDS}",
                ),
                "Template": (
                    "a chat template in Jinja may be in it; Ollama replaces it if it recognizes it",
                    "`mf show FILE --template` prints it",
                ),
                "Made": ("by llama.cpp: convert_hf_to_gguf.py for a folder of safetensors, then llama-quantize",),
                "Inspect": ("`mf show FILE`, with --tensors, --values, --template, --sha256, --memory or --json",),
            },
            source="ggml docs/gguf.md; v0.33.0-rc2 fs/ggml/gguf.go, server/create.go",
        ),
        "safetensors": WeightsFormat(
            name="safetensors",
            summary="The format of weights on Hugging Face; Ollama converts a folder of them to GGUF.",
            facts={
                "Written": ("FROM ./folder, with config.json and the tokenizer's files beside the weights",),
                "Header": ("its length in 8 bytes, then JSON: dtype, shape and offsets of each tensor",),
                "Files": (
                    "model.safetensors, or parts such as model-00001-of-00002.safetensors",
                    "an adapter with adapter_config.json, which ADAPTER applies to the model of FROM",
                ),
                "Converts": (
                    f"every release before {CONVERTS_NO_SAFETENSORS}, for the architectures that it knows",
                    "otherwise llama.cpp's convert_hf_to_gguf.py writes a GGUF file",
                ),
                "Inspect": ("`mf show FOLDER`, with --tensors, --sha256 or --json",),
            },
            source="huggingface/safetensors README; v0.33.0-rc2 server/create.go, convert/",
        ),
    }
)
"""The formats by their names in lower case."""
