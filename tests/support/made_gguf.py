"""GGUF files as the gguf package writes them: of random keys and tensors, or with given facts."""

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import gguf
import numpy as np

NUMBERS: Final = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
DISPUTED: Final = 9
"""Q8_1, on which gguf-py and ggml disagree; it does not occur in files."""
TYPES: Final = tuple(kind for kind in gguf.GGML_QUANT_SIZES if kind != DISPUTED)
ALPHABET: Final = 'aZ 0\n\x7fж語😀"'


def write_random_gguf(path: Path, chance: random.Random) -> Path:
    """Write a file with up to 12 keys of every type and up to 30 tensors, in either byte order, and return its path."""
    order = chance.choice((gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.LITTLE, gguf.GGUFEndian.BIG))
    writer = gguf.GGUFWriter(path, chance.choice(("llama", "gemma3", "", "жы")), endianess=order)
    if chance.random() < 0.3:
        writer.add_custom_alignment(chance.choice((8, 16, 64, 128, 4096)))
    for number in range(chance.randrange(13)):
        _add_pair(writer, f"{_text(chance)}.{number}", chance)
    for number in range(chance.choice((0, 1, 2, 5, 30))):
        kind = chance.choice(TYPES)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        shape = [chance.randrange(1, 5) for _ in range(chance.randrange(4))]
        width = size * chance.randrange(1, 3)
        del block
        content = np.zeros((*shape, width), np.uint8)
        name = chance.choice((f"blk.{number}.attn_q.weight", f"token_embd.{number}", f"v.blk.{number}.x", f"ж{number}"))
        writer.add_tensor(name, content, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _text(chance: random.Random) -> str:
    return "".join(chance.choice(ALPHABET) for _ in range(chance.choice((0, 1, 7, 40, 1024, 1100))))


def _number(kind: str, chance: random.Random) -> int:
    bits = int(kind.strip("uint"))
    lowest = 0 if kind[0] == "u" else -(1 << (bits - 1))
    return chance.choice((lowest, lowest + (1 << bits) - 1, lowest + chance.randrange(1 << bits)))


def _add_pair(writer: gguf.GGUFWriter, key: str, chance: random.Random) -> None:
    match chance.randrange(8):
        case 0:
            writer.add_string(key, _text(chance))
        case 1:
            writer.add_bool(key, chance.random() < 0.5)
        case 2:
            writer.add_float32(key, chance.choice((0.0, -1.5, 1e30, float("inf"))))
        case 3:
            writer.add_float64(key, chance.uniform(-1e300, 1e300))
        case 4 | 5:
            kind = chance.choice(NUMBERS)
            getattr(writer, f"add_{kind}")(key, _number(kind, chance))
        case _:
            length = chance.choice((1, 2, 5, 4096, 4097))
            items: list[Any] = chance.choice(
                (
                    [chance.randrange(-9, 9) for _ in range(length)],
                    [chance.random() for _ in range(length)],
                    [chance.random() < 0.5 for _ in range(length)],
                    [_text(chance) for _ in range(min(length, 20))],
                    [[1, 2], [3]],
                )
            )
            writer.add_array(key, items)


def write_gguf(
    path: Path, architecture: str, metadata: Mapping[str, Any], tensors: Mapping[str, tuple[int, ...]]
) -> Path:
    """Write a file in F16 and return its path.

    Args:
        path: The file.
        architecture: Its architecture.
        metadata: Values by their keys, which get the architecture before them unless they have a known start.
        tensors: The shapes of tensors by their names, the dimension whose elements are adjacent last.
    """
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in metadata.items():
        full = key if key.startswith(("general.", "tokenizer.")) else f"{architecture}.{key}"
        match value:
            case bool():
                writer.add_bool(full, value)
            case int():
                writer.add_uint32(full, value)
            case float():
                writer.add_float32(full, value)
            case str():
                writer.add_string(full, value)
            case _:
                writer.add_array(full, value)
    chance = np.random.default_rng(0)
    for name, shape in tensors.items():
        weight = chance.standard_normal(shape, dtype=np.float32)
        writer.add_tensor(name, weight if len(shape) == 1 else weight.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
