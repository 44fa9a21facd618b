"""Requests to an Ollama server as they come, without a client in between."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published

WEIGHTS = b"GGUF".ljust(60448, b"\0")  # as long as the file in the traces
DIGEST = f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"
SUCCESS = {"status": "success"}


def give_base(fake: FakeOllama) -> FakeOllama:
    """Let a server have `base:v1`."""
    fake.registry["base:v1"] = published(
        WEIGHTS,
        system="old",
        license="MIT",
        parameters={"temperature": 0.5, "stop": ["a", "b"]},
        messages=[{"role": "user", "content": "hi"}],
    )
    assert lines(fake, "/api/pull", model="base:v1")[-1] == SUCCESS
    return fake


def post(fake: FakeOllama, path: str, **request: Any) -> httpx.Response:
    return httpx.post(f"{fake.url}{path}", json=request)


def lines(fake: FakeOllama, path: str, **request: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in post(fake, path, **request).text.splitlines()]


def upload(fake: FakeOllama, content: bytes | Iterator[bytes] = WEIGHTS, digest: str = DIGEST) -> httpx.Response:
    return httpx.post(f"{fake.url}/api/blobs/{digest}", content=content)
