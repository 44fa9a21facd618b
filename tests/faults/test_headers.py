"""Damaged and malicious headers of weights, by the thousand: an error about the file or nothing, in bounded time."""

import json
import random
import resource
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.operations import count_operations
from tests.support.tiny_safetensors import SHAPES

from modelfile.errors import InputError
from modelfile.weights.checks import check_weights
from modelfile.weights.gguf import read_header
from modelfile.weights.safetensors import check_shards, read_tensor_names

HEADERS = 2_000
"""Number of headers in a round, of each format."""
MOST_LINES = 20 << 18
"""Lines of our code that may run for one header: 20 for each tensor of the most that a file may have."""
MOST_MEMORY = 200 << 20
"""In bytes."""
NUMBERS = (0, 1, 2, 8, 9, 255, 1 << 31, (1 << 32) - 1, 1 << 32, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def mutate(body: bytes, chance: random.Random) -> bytes:
    """Return a header with one to four defects: other numbers, flipped bits, and parts cut, doubled or moved."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.choice((1, 4, 8, chance.randrange(1, 200)))
        match chance.randrange(7):
            case 0:
                data[at : at + 8] = struct.pack(chance.choice("<>") + "Q", chance.choice(NUMBERS))
            case 1:
                data[at : at + 4] = struct.pack(chance.choice("<>") + "I", chance.choice(NUMBERS) & 0xFFFFFFFF)
            case 2:
                data[at : at + 1] = bytes((chance.randrange(256),))
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[chance.randrange(len(data) + 1) :][:length]
            case 5:
                data[at : at + length] = chance.randbytes(length)
            case _:
                del data[chance.choice((at, len(data))) :]
    return bytes(data)


def mutate_json(header: bytes, chance: random.Random) -> bytes:
    """Return a safetensors header with an odd value in the place of one that it has, or with defects in its bytes."""
    content = json.loads(header[8:])
    odd = chance.choice(
        (None, [], {}, -1, 1 << 80, "\ud800", "x" * 500, [0, 10**4000], [True, 1e400], {"data_offsets": 1})
    )
    tensor = chance.choice([*content])
    if chance.random() < 0.5:
        content[tensor] = odd
    else:
        content[tensor][chance.choice(("dtype", "shape", "data_offsets", "other"))] = odd
    text = json.dumps(content).encode()
    text = mutate(text, chance) if chance.random() < 0.3 else text
    length = chance.choice(NUMBERS) if chance.random() < 0.2 else len(text)
    return struct.pack("<Q", length) + text


def campaign(
    path: Path, headers: int, make: Callable[[random.Random], tuple[bytes, int]], check: Callable[[], object]
) -> None:
    """Check one malicious header after another, each made from its own seed; each may end in an InputError alone."""

    def allowed() -> None:
        with suppress(InputError):
            check()

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for seed in range(headers):
        body, size = make(random.Random(seed))  # noqa: S311  # reproducible
        with path.open("wb") as file:
            file.write(body)
            file.truncate(max(size, 0))
        try:
            lines = count_operations(allowed)
        except BaseException as error:
            raise AssertionError(f"seed {seed}") from error
        assert lines <= MOST_LINES, seed
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < MOST_MEMORY


def test_no_gguf_header_raises_another_error(tiny: Path, tmp_path: Path, rounds: int) -> None:
    whole = tiny.read_bytes()
    header = whole[: len(whole) - 57_000]
    assert read_header(tiny).needed == len(whole) > len(header)
    path = tmp_path / "x-00001-of-00002.gguf"

    def make(chance: random.Random) -> tuple[bytes, int]:
        body = mutate(header, chance)
        return body, chance.choice((len(body), len(whole), 1 << 40))

    campaign(path, HEADERS * rounds, make, lambda: check_weights((path,)))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("version", [1, 2, 3])
def test_no_small_gguf_header_raises_another_error(version: int, order: str, tmp_path: Path, rounds: int) -> None:
    size = order + ("I" if version == 1 else "Q")

    def text(value: bytes) -> bytes:
        return struct.pack(size, len(value)) + value

    pairs = [
        text(b"general.architecture") + struct.pack(f"{order}I", 8) + text(b"llama"),
        text(b"split.count") + struct.pack(f"{order}IH", 2, 2),
        text(b"t") + struct.pack(f"{order}II", 9, 8) + struct.pack(size, 3) + text(b"a") + text(b"") + text(b"bc"),
        text(b"n") + struct.pack(f"{order}II", 9, 9) + struct.pack(size, 1) + struct.pack(f"{order}I", 4) + bytes(8),
    ]
    tensor = (
        text(b"blk.0.w") + struct.pack(f"{order}I", 2) + struct.pack(size, 32) * 2 + struct.pack(f"{order}IQ", 0, 0)
    )
    head = (b"GGUF" if order == "<" else b"FUGG") + struct.pack(f"{order}I", version)
    header = head + struct.pack(size, 1) + struct.pack(size, len(pairs)) + b"".join(pairs) + tensor
    path = tmp_path / "x-00001-of-00002.gguf"
    path.write_bytes(header + bytes(5000))
    assert read_header(path).number("split.count") == 2

    def make(chance: random.Random) -> tuple[bytes, int]:
        body = mutate(header, chance)
        return body, chance.choice((len(body), len(body) + 5000, 1 << 40))

    campaign(path, HEADERS * rounds // 6, make, lambda: check_weights((path,)))


def test_no_safetensors_header_raises_another_error(tmp_path: Path, rounds: int) -> None:
    tensors = {name: {"dtype": "F16", "shape": shape, "data_offsets": [0, 64]} for name, shape in SHAPES.items()}
    text = json.dumps(tensors).encode()
    header = struct.pack("<Q", len(text)) + text
    path, index = tmp_path / "model-00001-of-00001.safetensors", tmp_path / "model.safetensors.index.json"
    index_text = json.dumps({"weight_map": dict.fromkeys(SHAPES, path.name)}).encode()

    def make(chance: random.Random) -> tuple[bytes, int]:
        index.write_bytes(mutate(index_text, chance))
        body = mutate_json(header, chance) if chance.random() < 0.7 else mutate(header, chance)
        return body, chance.choice((len(body), len(body) + 64, 1 << 40))

    campaign(path, HEADERS * rounds, make, lambda: check_shards({path: read_tensor_names(path)}, [index]))
