"""Names that other programs give to parameters, and settings that Ollama has elsewhere or not at all.

The names are those of llama.cpp, transformers, vLLM, LM Studio, text-generation-webui and OpenAI's API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from modelfile.catalog.parameters import PARAMETERS

_Words = Mapping[str, str]


def _table(rows: Iterable[tuple[str, str]]) -> _Words:
    """Return each of the words before a value, separated by spaces, with that value."""
    return MappingProxyType({word: value for words, value in rows for word in words.split()})


ALIASES: Final = _table(
    (
        (
            (
                "max_tokens max_new_tokens max_length max_output_tokens max_completion_tokens max_tokens_to_sample "
                "max_gen_len max_gen_length max_response_tokens max_predict n_predict num_tokens n_tokens "
                "token_limit response_length"
                " num_predictions predict_tokens"
            ),
            "num_predict",
        ),
        (
            (
                "context context_length context_len context_size context_window ctx ctx_size ctx_len ctx_length n_ctx"
                " num_context max_context max_context_length max_ctx max_seq_len max_seq_length max_sequence_length"
                " max_position_embeddings max_model_len window_size num_ctx_tokens"
            ),
            "num_ctx",
        ),
        ("temp", "temperature"),
        ("n_gpu_layers gpu_layers num_gpu_layers ngl n_gpu gpu gpus num_gpus gpu_count gpu_offload", "num_gpu"),
        ("batch_size n_batch batch n_ubatch", "num_batch"),
        ("threads thread n_threads num_threads n_thread thread_count cpu_threads num_cpu", "num_thread"),
        (
            (
                "stop_sequence stop_sequences stop_word stop_words stopwords stop_token stop_tokens stop_string "
                "stop_strings stops eos_token end_token reverse_prompt anti_prompt antiprompt"
            ),
            "stop",
        ),
        ("repetition_penalty repeat_pen rep_pen rep_penalty penalty_repeat", "repeat_penalty"),
        ("repetition_penalty_range rep_pen_range penalty_last_n repeat_last last_n_tokens", "repeat_last_n"),
        ("topk", "top_k"),
        ("topp nucleus nucleus_sampling", "top_p"),
        ("minp", "min_p"),
        ("typical typ_p", "typical_p"),
        ("random_seed rng_seed", "seed"),
        ("n_keep keep_tokens", "num_keep"),
        ("mmap", "use_mmap"),
        ("freq_penalty freq_pen penalty_freq", "frequency_penalty"),
        ("pres_penalty presence_pen penalty_present", "presence_penalty"),
        ("gpu_id gpu_index", "main_gpu"),
        ("draft_max n_draft num_draft", "draft_num_predict"),
    )
)
INSTRUCTIONS: Final = _table(
    (
        (
            "system system_prompt system_message sys_prompt prompt pre_prompt preprompt instruction instructions",
            "SYSTEM",
        ),
        ("template chat_template prompt_template", "TEMPLATE"),
        ("adapter lora lora_path lora_adapter", "ADAPTER"),
        ("from model base_model model_path model_name", "FROM"),
        ("license", "LICENSE"),
        ("message messages", "MESSAGE"),
    )
)
_REQUEST: Final = "is a field of each request, not a parameter: delete the line"
_SERVER: Final = "is a setting of the server, not of a model: delete the line, and start the server with"
_NONE: Final = "delete the line: Ollama has no such setting"
ELSEWHERE: Final = _table(
    (
        (
            "think thinking enable_thinking reasoning reasoning_effort thinking_budget",
            f"thinking {_REQUEST}, and send `think`, or run `ollama run --think`",
        ),
        ("keep_alive", f"`keep_alive` {_REQUEST}, and send it, or start the server with OLLAMA_KEEP_ALIVE"),
        ("format response_format json json_mode", f'the format {_REQUEST}, and send `"format": "json"` or a schema'),
        (
            "stream tools tool_choice images raw suffix logprobs top_logprobs truncate n",
            f"this {_REQUEST}, and send it with the request",
        ),
        ("flash_attention flash_attn fa", f"this {_SERVER} OLLAMA_FLASH_ATTENTION=1"),
        (
            "cache_type_k cache_type_v cache_type kv_cache_type kv_cache_quantization type_k type_v",
            f"this {_SERVER} OLLAMA_KV_CACHE_TYPE=q8_0",
        ),
        ("num_parallel n_parallel parallel", f"this {_SERVER} OLLAMA_NUM_PARALLEL"),
        ("max_loaded_models", f"this {_SERVER} OLLAMA_MAX_LOADED_MODELS"),
        ("max_queue", f"this {_SERVER} OLLAMA_MAX_QUEUE"),
        ("tensor_split device gpu_device cuda_device", f"this {_SERVER} CUDA_VISIBLE_DEVICES"),
        ("do_sample", "delete the line; `temperature 0` turns sampling off"),
        (
            (
                "num_epoch num_epochs epochs learning_rate train_batch_size weight_decay warmup_steps lora_r lora_alpha"
                " lora_rank lora_dropout gradient_accumulation_steps max_steps"
            ),
            "delete the line: it is for training, and Ollama does not train",
        ),
        (
            (
                "rope_scale rope_scaling rope_freq_base rope_freq_scale rope_theta yarn_ext_factor yarn_orig_ctx"
                " num_experts n_experts head_dim vocab_size num_layers hidden_size quantization quantize"
                " dtype torch_dtype"
            ),
            "delete the line: Ollama reads it from the weights",
        ),
        (
            "name description author version tags title category language",
            "delete the line, or make it a comment: a model has no such field",
        ),
        (
            (
                "top_a tfs top_n_sigma xtc_probability xtc_threshold dry_multiplier dry_base dry_allowed_length"
                " dry_penalty_last_n dynatemp_range dynatemp_exponent dynamic_temperature"
                " smoothing_factor length_penalty"
                " num_beams beam_size logit_bias best_of no_repeat_ngram_size epsilon_cutoff eta_cutoff grammar "
                "mirostat_mode encoder_repetition_penalty early_stopping samplers timeout max_retries"
            ),
            _NONE,
        ),
    )
)


@lru_cache(maxsize=1 << 10)
def normalize(name: str) -> str:
    """Return a parameter's name in lower case with underscores, without quotes and leading hyphens.

    >>> normalize("--top-k"), normalize('"maxTokens"')
    ('top_k', 'max_tokens')
    """
    name = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])|(?<=(?:top|min))(?=[PK]\b)", "_", name.strip("\"'`- ").replace("-", "_"))
    return re.sub(r"[.\s]", "_", name).lower()


def find_parameter(name: str) -> str | None:
    """Return the parameter that is meant by another program's name for it, or by another spelling; None if none is.

    >>> find_parameter("max_tokens"), find_parameter("top-k"), find_parameter("temperatur")
    ('num_predict', 'top_k', None)
    """
    normalized = normalize(name)
    if normalized in PARAMETERS:
        return normalized
    return ALIASES.get(normalized)


def find_instruction(name: str) -> str | None:
    """Return the instruction that does what a name suggests; None if there is none."""
    return INSTRUCTIONS.get(normalize(name))


def explain_absence(name: str) -> str | None:
    """Return where Ollama has a setting that is no parameter, or that it has none; None for an unknown name."""
    return ELSEWHERE.get(normalize(name))
