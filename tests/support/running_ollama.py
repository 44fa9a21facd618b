"""The real Ollama server of `real_ollama` with a backend that runs prompts on the CPU, and its log of prompts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.real_ollama import Unavailable, clean_environment, install, listening

_SHIM = """\
#include <stddef.h>
void *ggml_backend_init_by_type(int type, const char *params);
void *ggml_backend_cpu_buffer_type(void);
int ggml_backend_sycl_get_device_count(void) { return 1; }
void *ggml_backend_sycl_init(int device) { (void)device; return ggml_backend_init_by_type(0, NULL); }
void *ggml_backend_sycl_buffer_type(int device) { (void)device; return ggml_backend_cpu_buffer_type(); }
"""
"""A library in the place of the one for Intel GPUs that hands out the backend for the CPU."""
_PROMPT = re.compile(r'level=TRACE [^\n]*msg="completion request" prompt=("(?:[^"\\]|\\.)*"|\S*)')
_BYTE = re.compile(r"\\x([0-9a-f]{2})")


@dataclass(frozen=True)
class RunningOllama:
    """A server that answers prompts."""

    url: str
    log: Path

    def last_prompt(self) -> str:
        """Return the prompt of the last request, as the server passed it to the weights."""
        quoted = _PROMPT.findall(self.log.read_text(encoding="utf-8", errors="replace"))[-1]
        if not quoted.startswith('"'):
            return str(quoted)
        return str(json.loads(_BYTE.sub(r"\\u00\1", quoted).replace("\\a", "\\u0007").replace("\\v", "\\u000b")))


def write_bytes_gguf(path: Path) -> Path:
    """Write a llama of one block whose tokens are bytes, so that it takes any prompt (300 kB), and return its path."""
    import numpy as np
    from gguf import GGUFWriter, TokenType

    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    types = [TokenType.UNKNOWN, TokenType.CONTROL, TokenType.CONTROL, *[TokenType.BYTE] * 256]
    count, width, hidden = len(tokens), 32, 32
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(16384)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width)
    writer.add_vocab_size(count)
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * count)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {
        "token_embd": (count, width),
        "output": (count, width),
        **{f"blk.0.attn_{part}": (width, width) for part in ("q", "k", "v", "output")},
        **{f"blk.0.ffn_{part}": (hidden, width) for part in ("gate", "up", "down")},
    }
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", np.zeros(shape, np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_talking_gguf(path: Path, answers: Mapping[str, Sequence[Sequence[str]]]) -> Path:
    """Write a llama that answers by the last character of the prompt alone (2 MB), and return its path.

    Attention and feed-forward are zero, and the output matrix is a table of pairs: each token has one that follows.

    Args:
        path: The file.
        answers: The answers by the last character of the prompt, each as its tokens; of several, a seed chooses one.
    """
    import numpy as np
    from gguf import GGUFWriter, TokenType

    walks = [(character, answer) for character, several in answers.items() for answer in several]
    words = [*dict.fromkeys(token for _, answer in walks for token in answer)]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    ids = {word: len(tokens) + number for number, word in enumerate(words)}
    tokens += [word.replace(" ", "\u2581") for word in words]
    count = len(tokens)
    width = (count + 31) // 32 * 32
    table = np.zeros((count, width), np.float32)
    table[2, :] = 0.5  # whatever has no other follower ends the answer
    for character, answer in walks:
        previous = 3 + ord(character)
        for token in answer:
            table[ids[token], previous] = 1
            previous = ids[token]
        table[2, previous] = 1
    writer = GGUFWriter(path, "llama")
    writer.add_context_length(512)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(32)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width)
    writer.add_vocab_size(count)
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * 259 + [-1e6] * len(words))
    control, normal = [TokenType.CONTROL] * 2, [TokenType.NORMAL] * len(words)
    writer.add_token_types([TokenType.UNKNOWN, *control, *[TokenType.BYTE] * 256, *normal])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    shapes = {f"attn_{part}": (width, width) for part in ("q", "k", "v", "output")}
    shapes |= {"ffn_gate": (32, width), "ffn_up": (32, width), "ffn_down": (width, 32)}
    for name, shape in shapes.items():
        writer.add_tensor(f"blk.0.{name}.weight", np.zeros(shape, np.float32))
    for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm"):
        writer.add_tensor(f"{name}.weight", np.ones(width, np.float32))
    writer.add_tensor("token_embd.weight", np.eye(count, width, dtype=np.float32))
    writer.add_tensor("output.weight", table)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@contextmanager
def run(home: Path) -> Iterator[RunningOllama]:
    """Yield a fresh server that runs small llama models on the CPU, with its files in `home`."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or os.environ.get("MF_TEST_OLLAMA"):
        raise Unavailable("running prompts needs a C compiler and the server from PyPI")
    library = install().parent / "venv" / "lib"
    (original,) = library.glob("python*/site-packages/bigdl/cpp/libs/ollama")
    binaries = home / "ollama"
    binaries.mkdir(parents=True)
    for file in original.iterdir():
        if file.name not in {"ollama-lib", "libggml-sycl.so"}:
            (binaries / file.name).symlink_to(file)
    shutil.copy2(original / "ollama-lib", binaries)  # it looks for its libraries beside itself
    (home / "shim.c").write_text(_SHIM, encoding="utf-8")
    shim = binaries / "libggml-sycl.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(shim), str(home / "shim.c")], check=True)
    environment = clean_environment() | {
        "HOME": str(home),
        "OLLAMA_HOST": "127.0.0.1:0",
        "OLLAMA_MODELS": str(home / "models"),
        "OLLAMA_NUM_GPU": "0",
        "OLLAMA_DEBUG": "2",
        "LD_LIBRARY_PATH": f"{binaries}:{library}",
    }
    log = home / "log"
    argv = [str(binaries / "ollama-lib"), "serve"]
    with listening(argv, environment, log, r"Listening on (\S+)", "/api/version") as address:
        yield RunningOllama(f"http://{address}", log)
