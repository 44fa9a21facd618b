"""Modelfiles for tests of `mf build`, and the requests and models on its server."""

from pathlib import Path

from tests.fakes.ollama import FakeOllama

MUTABLE = "immutable = []\n"
LOCAL = "# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.5\n"
BASE = "# The base.\nFROM ./weights.gguf\n"
UPON = "# The bot.\nFROM base:v1\nSYSTEM hello\n"


def digests(fake: FakeOllama) -> dict[str, str]:
    return {name: model.digest for name, model in fake.models.items()}


def asked(fake: FakeOllama, since: int = 0) -> set[tuple[str, str]]:
    return {(logged.method, "/".join(logged.path.split("/")[:3])) for logged in fake.requests[since:]}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
