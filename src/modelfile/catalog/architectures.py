"""The architectures and types of tensors that releases of Ollama can load.

Ollama makes a model of weights of any architecture, and fails when it loads the model ("unknown model architecture", or
the same for a type of tensors; measured on 0.9.3).

Source: `LLM_ARCH_NAMES` in llama/llama.cpp/src/llama-arch.cpp, `model.Register` in model/models, and `ggml_type` in
ml/backend/ggml/ggml/include/ggml.h, at each release from v0.5.5 to v0.24.0. From 0.30.0 on, Ollama runs a llama.cpp of
its own choice (b9452 in v0.30.0, b10488 in v0.32.15): what only its src/llama-arch.cpp has counts as new in 0.30.0, so
that what is missing is certain before, and a guess after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from modelfile.catalog.versions import Version

OLDEST: Final = Version(0, 5, 5)
"""The oldest release that was read; what it knows may be older."""
LISTS_END: Final = Version(0, 30, 0)
"""The first release whose list of architectures and types is not certain to be complete here."""

_NAMES: Final = {
    OLDEST: (
        "arctic baichuan bert bitnet bloom chameleon chatglm codeshell cohere2 command-r dbrx deci deepseek "
        "deepseek2 exaone falcon gemma gemma2 gpt2 gptj gptneox granite granitemoe grok internlm2 jais "
        "jina-bert-v2 llama mamba minicpm minicpm3 mllama mpt nemotron nomic-bert olmo olmo2 olmoe openelm orion "
        "phi2 phi3 plamo qwen qwen2 qwen2moe qwen2vl refact rwkv6 solar stablelm starcoder starcoder2 t5 "
        "t5encoder wavtokenizer-dec xverse"
    ),
    Version(0, 5, 13): "phimoe rwkv6qwen2",
    Version(0, 6, 0): "gemma3",
    Version(0, 6, 5): "mistral3",
    Version(0, 6, 6): "arwkv7 bailingmoe glm4 llama4 plm qwen3 qwen3moe rwkv7",
    Version(0, 6, 8): "nomic-bert-moe",
    Version(0, 7, 0): "qwen25vl",
    Version(0, 9, 3): "gemma3n",
    Version(0, 11, 0): "gptoss",
    Version(0, 11, 5): (
        "arcee dots1 dream ernie4_5 ernie4_5-moe exaone4 falcon-h1 glm4moe gpt-oss granitehybrid hunyuan-dense "
        "hunyuan-moe jamba lfm2 llada mamba2 neo-bert plamo2 smallthinker smollm3"
    ),
    Version(0, 12, 4): "gemma-embedding grovemoe jina-bert-v3 llada-moe nemotron_h seed_oss",
    Version(0, 12, 6): "apertus lfm2moe",
    Version(0, 12, 7): "qwen3vl qwen3vlmoe",
    Version(0, 12, 11): "bailingmoe2",
    Version(0, 13, 0): "deepseekocr",
    Version(0, 13, 2): "afmoe cogvlm minimax-m2 pangu-embedded qwen3next rnd1",
    Version(0, 13, 4): "nemotron_h_moe olmo3",
    Version(0, 14, 3): "glm4moelite",
    Version(0, 15, 5): "glmocr",
    Version(0, 17, 1): "qwen35 qwen35moe",
    Version(0, 20, 0): "gemma4",
    Version(0, 22, 0): "laguna nemotron_h_omni",
    Version(0, 30, 0): (
        "cohere2moe deepseek2-ocr deepseek32 deepseek4 dflash eagle3 eurobert exaone-moe gemma4-assistant glm-dsa "
        "hunyuan_vl hy_v3 jais2 kimi-linear llama-embed maincoder mellum mimo2 mistral4 modern-bert paddleocr "
        "plamo3 step35 talkie"
    ),
}
ARCHITECTURES: Final[Mapping[str, Version]] = MappingProxyType(
    {name: since for since, names in _NAMES.items() for name in names.split()}
)
"""The first release that can load an architecture, by the value of `general.architecture`."""

CONVERTED: Final[Mapping[str, Version]] = MappingProxyType(
    {
        name: since
        for since, names in {
            OLDEST: (
                "GemmaForCausalLM LlamaForCausalLM MistralForCausalLM MixtralForCausalLM Phi3ForCausalLM "
                "BertModel Gemma2ForCausalLM"
            ),
            Version(0, 5, 6): "Qwen2ForCausalLM",
            Version(0, 5, 7): "CohereForCausalLM",
            Version(0, 6, 0): "Gemma3ForCausalLM Gemma3ForConditionalGeneration",
            Version(0, 6, 5): "Mistral3ForConditionalGeneration",
            Version(0, 6, 7): "Llama4ForConditionalGeneration",
            Version(0, 7, 0): "MllamaForConditionalGeneration Qwen2_5_VLForConditionalGeneration",
            Version(0, 9, 3): "Gemma3nForConditionalGeneration",
            Version(0, 11, 0): "GptOssForCausalLM",
            Version(0, 12, 7): "Qwen3VLForConditionalGeneration Qwen3VLMoeForConditionalGeneration",
            Version(0, 13, 0): "DeepseekOCRForCausalLM",
            Version(0, 13, 2): "DeepseekV3ForCausalLM",
            Version(0, 13, 3): "Ministral3ForCausalLM NomicBertMoEModel NomicBertModel",
            Version(0, 13, 4): "Olmo3ForCausalLM",
            Version(0, 14, 3): "Glm4MoeLiteForCausalLM Lfm2ForCausalLM",
            Version(0, 15, 5): "GlmOcrForConditionalGeneration Qwen3NextForCausalLM",
            Version(0, 17, 1): (
                "Lfm2MoeForCausalLM Lfm2VlForConditionalGeneration NemotronHForCausalLM "
                "Qwen3_5ForConditionalGeneration Qwen3_5MoeForConditionalGeneration"
            ),
            Version(0, 20, 0): "Gemma4ForCausalLM Gemma4ForConditionalGeneration",
            Version(0, 22, 0): "LagunaForCausalLM NemotronH_Nano_Omni_Reasoning_V3 NemotronH_Nano_VL_V2",
            Version(0, 30, 0): "Gemma3TextModel",
        }.items()
        for name in names.split()
    }
)
"""The first release that converts safetensors of an architecture, by its name in config.json.

Source: `LoadModelMetadata` in convert/convert.go, v0.5.5 to v0.32.15.
"""
CONVERTED_UNTIL: Final[Mapping[str, Version]] = MappingProxyType({"MistralForCausalLM": Version(0, 6, 5)})
"""The first release that no longer converts an architecture."""
ADAPTED: Final = frozenset({"llama", "gemma2"})
"""Architectures of bases for which Ollama converts an adapter in safetensors.

Source: `ConvertAdapter` in convert/convert.go, v0.9.3 to v0.33.0-rc2.
"""

TENSOR_TYPES_SINCE: Final[Mapping[int, Version]] = MappingProxyType(
    {
        4: Version(0, 11, 0),  # Ollama's own number of MXFP4
        39: Version(0, 11, 5),  # MXFP4
        **dict.fromkeys((40, 41), LISTS_END),  # NVFP4 and Q1_0
    }
)
"""The first release that can load a type of tensors, by its number, if it is not as old as `OLDEST`."""
TENSOR_TYPES_REMOVED: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        31: ("Q4_0_4_4", "Q4_0"),
        32: ("Q4_0_4_8", "Q4_0"),
        33: ("Q4_0_8_8", "Q4_0"),
        36: ("IQ4_NL_4_4", "IQ4_NL"),
        37: ("IQ4_NL_4_8", "IQ4_NL"),
        38: ("IQ4_NL_8_8", "IQ4_NL"),
    }
)
"""Types of tensors that no release since 0.5.3 loads, each with the type that replaces it."""
