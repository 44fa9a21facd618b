"""Files of weights beside the examples on the pages of rules."""

import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from tests.support.tiny_gguf import typed_gguf

_LLAMA: Final[Mapping[str, str | int]] = {
    "general.architecture": "llama",
    "llama.block_count": 1,
    "llama.context_length": 8192,
}
_TENSORS: Final = {"token_embd.weight": (32, 64), "blk.0.attn_q.weight": (32, 32)}


_INFO: Final = (
    b"attn_q.weight"
    + (2).to_bytes(4, "little")
    + (32).to_bytes(8, "little") * 2
    + bytes(4)
    + (8192).to_bytes(8, "little")
)
"""The end of the entry of a tensor: its name, dimensions, type and offset."""


def _model(**metadata: str | int) -> bytes:
    named = {key.replace("__", "."): value for key, value in metadata.items()}
    return typed_gguf({**_LLAMA, "tokenizer.chat_template": "{{ messages }}", **named}, _TENSORS, size=16384)


FILES: Final[Mapping[str, bytes]] = {
    "weights.gguf": _model(),
    "other.gguf": _model(general__name="other"),
    "whole-model.gguf": _model(general__name="whole"),
    "llama-3.2-3b.gguf": _model(general__name="llama"),
    "tools.gguf": _model(tokenizer__chat_template="{% if tools %}{{ tools }}{% endif %}"),
    "billing-lora.gguf": _model(general__type="adapter"),
    "mistral-7b-billing-lora.gguf": _model(general__type="adapter", general__name="mistral"),
    "mmproj-f16.gguf": typed_gguf(
        {"general.architecture": "clip", "general.type": "mmproj", "clip.has_vision_encoder": True}
    ),
    "f16.gguf": _model(general__file_type=1),
    "quantized.gguf": _model(general__file_type=15),
    "bare.gguf": typed_gguf(_LLAMA, _TENSORS, size=16384),
    "attack.gguf": _model(tokenizer__chat_template="{{ ''.__class__.__mro__ }}"),
    "novel.gguf": _model(general__architecture="novel"),
    "repacked.gguf": _model().replace(_INFO, _INFO[:-12] + (31).to_bytes(4, "little") + _INFO[-8:]),
    "gemma-lora.gguf": typed_gguf({"general.architecture": "gemma2", "general.type": "adapter"}),
    "adapter_model.bin": b"PK\x03\x04" + bytes(60),
    "vision.gguf": _model(general__architecture="qwen2vl"),
    "long.gguf": _model(
        llama__block_count=64,
        llama__context_length=131072,
        llama__embedding_length=1024,
        llama__attention__head_count=8,
        llama__attention__head_count_kv=8,
        llama__vocab_size=64,
    ),
    "archive.gguf": b"PK\x03\x04" + bytes(60),
    "pointer.gguf": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "login.gguf": b"<!DOCTYPE html>\n<html><title>Log in</title></html>\n",
    "truncated.gguf": _model()[:4096],
    "corrupt.gguf": typed_gguf({"general.architecture": (99, b"")}),
    "large-00001-of-00002.gguf": _model(split__no=0, split__count=2),
    "large-00002-of-00002.gguf": typed_gguf({"split.no": 1, "split.count": 2}),
}
"""The files by their names."""


@cache
def weights_folder() -> Path:
    """Return a folder with the files, made once."""
    folder = Path(tempfile.mkdtemp(prefix="modelfile-pages-"))
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder
