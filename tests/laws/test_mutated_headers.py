"""Mutated GGUF headers: an InputError or facts, in less than a second and 100 MB, whatever the bytes."""

import gc
import io
import random
import re
import struct
import time
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from tests.faults.test_headers import mutate
from tests.support.made_gguf import write_random_gguf
from tests.support.real_ollama import FOLDER, GEMMA

from modelfile.errors import InputError
from modelfile.report.weights import weights_as_json, weights_rows
from modelfile.weights.facts import facts_of
from modelfile.weights.gguf import read_array, read_header, read_tensors

MADE, REAL = 500, 10
"""Headers in a round; the full figures are a million and 10,000."""
SOURCES = 50
"""Made files that are mutated in turn."""
MOST_ARRAYS: Final = 100
"""Arrays of a header that are read: a command reads one or two."""
MOST_SECONDS: Final = 1.0
"""CPU time of one header; only `make fuzz` measures time."""
MOST_MEMORY: Final = 100 << 20
"""In bytes, above that before."""


pytestmark = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="the memory of a process is read as Linux tells it"
)
WEIGHTS: Final = FOLDER / "gemma" / GEMMA


class Sized(io.BytesIO):
    """A file that says that it is longer, as one with its tensors is."""

    length = 0

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move; the end is beyond the bytes."""
        return super().seek(self.length if whence else offset)


def read_all(body: bytes | bytearray, length: int) -> None:
    """Read all that a header tells, as `mf show` does."""
    file = Sized(body)
    file.length = length
    with suppress(InputError):
        header = read_header(file, "x")
        facts = facts_of(header)
        assert [*weights_rows(facts)]
        assert weights_as_json("x", facts)
        for key in islice(header.arrays, MOST_ARRAYS):
            with suppress(InputError):
                read_array(file, header, key, "x")
        read_tensors(file, header, "x")


def check(body: bytes | bytearray, length: int, what: object, rounds: int) -> None:
    before = time.process_time()
    try:
        read_all(body, length)
    except Exception as error:
        raise AssertionError(what) from error
    spent = time.process_time() - before
    assert rounds == 1 or spent < MOST_SECONDS, (what, spent)


def forget_peak() -> int:
    """Return the memory that this process uses, in bytes, and let `memory` forget what it used before."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return memory()


def memory() -> int:
    """Return the most memory that this process has used, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_made_headers(tmp_path: Path, rounds: int) -> None:
    made = random.Random(0)  # noqa: S311  # reproducible
    bodies = [write_random_gguf(tmp_path / "x.gguf", made).read_bytes()[: 1 << 16] for _ in range(SOURCES)]
    before = forget_peak()
    for seed in range(MADE * rounds):
        chance = random.Random(seed)  # noqa: S311  # reproducible
        body = mutate(bodies[seed % SOURCES], chance)
        check(body, chance.choice((len(body), len(body) + 5000, 1 << 40)), f"seed {seed}", rounds)
    assert memory() - before < MOST_MEMORY


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="Gemma is not installed (`make live`)")
def test_real_headers(rounds: int) -> None:
    with WEIGHTS.open("rb") as file:
        head = bytearray(file.read(read_header(WEIGHTS).data_at))
    before = forget_peak()
    for seed in range(REAL * rounds):
        chance = random.Random(seed)  # noqa: S311  # reproducible
        changed: list[tuple[int, bytes]] = []
        for _ in range(chance.randint(1, 4)):
            at = chance.choice(
                (chance.randrange(4000), chance.randrange(len(head)), len(head) - chance.randrange(1, 20_000))
            )
            new = chance.choice(
                (chance.randbytes(chance.randint(1, 8)), struct.pack("<Q", chance.choice((0, 1 << 40, (1 << 64) - 1))))
            )
            changed.append((at, bytes(head[at : at + len(new)])))
            head[at : at + len(new)] = new[: len(head) - at]
        check(head, 1 << 28, f"seed {seed}", rounds)
        for at, old in reversed(changed):
            head[at : at + len(old)] = old
    assert memory() - before < MOST_MEMORY


def text(content: bytes) -> bytes:
    return struct.pack("<Q", len(content)) + content


def pair(number: int, kind: int, value: bytes) -> bytes:
    return text(str(number).encode()) + struct.pack("<I", kind) + value


def file(pairs: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    head = struct.pack("<4sIQQ", b"GGUF", version, len(tensors), len(pairs))
    return b"".join((head, *pairs, *tensors))


SHORT = struct.pack("<IQ", 8, 1 << 22) + bytes(8 << 22)
DEEP = text(b"blk.0.x") + struct.pack("<I8Q", 8, *[(1 << 64) - 1] * 8) + struct.pack("<IQ", 12, 0)
WIDE = "\U0001f600".encode() * 256
WORST = {
    "texts": lambda: file([pair(0, 9, SHORT)], []),
    "texts of texts": lambda: file(
        [pair(0, 9, struct.pack("<IQ", 9, 1 << 15) + (struct.pack("<IQ", 8, 100) + bytes(800)) * (1 << 15))], []
    ),
    "keys": lambda: file([pair(number, 0, b"1") for number in range(1 << 16)], []),
    "arrays": lambda: file([pair(number, 9, struct.pack("<IQ", 0, 900) + bytes(900)) for number in range(1 << 16)], []),
    "wide texts": lambda: file([pair(number, 8, text(WIDE)) for number in range(8_190)], []),
    "tensors": lambda: file([], [DEEP] * (1 << 16)),
    "types": lambda: file([], [text(b"") + struct.pack("<IIQ", 0, number + 1000, 0) for number in range(1 << 16)]),
    "names": lambda: file([], [text(WIDE * 64) + struct.pack("<IIQ", 0, 0, 0)] * 900),
    "numbers": lambda: file([pair(0, 9, struct.pack("<IQ", 0, 60 << 20) + bytes(60 << 20))], []),
    "elements": lambda: file([pair(0, 9, struct.pack("<IQ", 0, 1 << 20) + bytes(1 << 20))], []),
}


@pytest.mark.parametrize("name", WORST)
def test_worst_headers(name: str, rounds: int) -> None:
    body = WORST[name]()
    before = forget_peak()
    check(body, len(body), name, rounds)
    assert memory() - before < MOST_MEMORY
