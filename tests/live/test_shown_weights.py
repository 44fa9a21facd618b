"""Weights as `mf show` prints them, compared with the real server's own answers; and headers of a real registry."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.made_gguf import write_gguf
from tests.support.real_ollama import Unavailable, gemma
from tests.support.registry import available, registry

from modelfile.catalog.versions import Version
from modelfile.cli.options import _open_registries
from modelfile.weights.facts import facts_of
from modelfile.weights.gguf import read_header

pytestmark = pytest.mark.live

V093 = Version(0, 9, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A file to be made: its architecture, type, and what is special."""

    architecture: str
    file_type: int = 1
    width: int = 32
    more: tuple[tuple[str, Any], ...] = ()


MADE = (
    Made(architecture="llama"),
    Made(architecture="gemma3", file_type=7, more=(("attention.sliding_window", 512),)),
    Made(architecture="gemma2", file_type=15, width=256),
    Made(architecture="qwen2", file_type=32, width=1000),
    Made(architecture="qwen3moe", file_type=18, more=(("expert_count", 8), ("expert_used_count", 2))),
    Made(architecture="phi3", file_type=0),
    Made(architecture="deepseek2", file_type=30, more=(("attention.kv_lora_rank", 16),)),
    Made(architecture="mamba", file_type=14, more=(("ssm.inner_size", 64), ("ssm.state_size", 16))),
    Made(architecture="deci", more=(("attention.head_count_kv", [1, 0, 2]),)),
    Made(architecture="bert", file_type=2, more=(("pooling_type", 1),)),
)


def write(path: Path, made: Made) -> Path:
    metadata: dict[str, Any] = {
        "general.name": "Made",
        "general.file_type": made.file_type,
        "general.license": "mit",
        "block_count": 3,
        "context_length": 4096,
        "embedding_length": made.width,
        "attention.head_count": 4,
        "attention.head_count_kv": 2,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.tokens": [f"t{number}" for number in range(64)],
        **dict(made.more),
    }
    shapes = {"token_embd.weight": (64, made.width), "output_norm.weight": (made.width,)}
    shapes |= {f"blk.{number}.attn_q.weight": (made.width, made.width) for number in range(3)}
    return write_gguf(path, made.architecture, metadata, shapes)


def details(url: str, name: str) -> dict[str, Any]:
    """Return what the server says of the weights of a model."""
    body = json.dumps({"model": name}).encode()
    with urlopen(Request(f"{url}/api/show", body), timeout=60) as answer:  # noqa: S310  # a server of the test
        found: dict[str, Any] = json.load(answer)["details"]
    return found


def build(path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", url)
    (path.parent / ".git").mkdir(exist_ok=True)
    (path.parent / "Modelfile").write_text(f"# For tests.\nFROM ./{path.name}\n")
    assert mf("build", "bot:v1", cwd=path.parent).code == 0


def weights(*arguments: str) -> dict[str, Any]:
    ran = mf("show", *arguments, "--json", "--tensors", open_registry=_open_registries)
    assert ran.code == 0, ran.err
    (document,) = json.loads(ran.out)["weights"]
    found: dict[str, Any] = document
    return found


def compare(path: Path, url: str) -> None:
    """Compare a file with what the server says of it."""
    theirs, facts = details(url, "bot:v1"), facts_of(read_header(path), V093)
    assert (facts.parameter_size, facts.file_type, facts.architecture) == (
        theirs["parameter_size"],
        theirs["quantization_level"],
        theirs["family"],
    )
    ours, shown = weights(str(path)), weights("model:bot:v1")
    untold = {
        "name",
        "model",
        "size",
        "needed",
        "chat_template",
        "turns",
        "recognized",
        "quantization",
    }  # the server does not tell these
    assert {key: value for key, value in shown.items() if key not in untold} == {
        key: value for key, value in ours.items() if key not in untold
    }


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.architecture)
def test_facts_are_those_of_the_server(made: Made, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "made.gguf", made)
    build(path, real, monkeypatch)
    compare(path, real)


def test_facts_of_gemma_are_those_of_the_server(real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        path = gemma()
    except Unavailable as error:
        pytest.skip(str(error))
    link = tmp_path / "gemma.gguf"
    link.hardlink_to(path) if path.stat().st_dev == tmp_path.stat().st_dev else link.symlink_to(path)
    build(link, real, monkeypatch)
    compare(path, real)


@pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)")
@pytest.mark.parametrize("redirects", [True, False])
def test_header_in_a_registry(*, redirects: bool, real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "made.gguf", MADE[3])
    with path.open("ab") as file:
        file.write(bytes(1 << 20))
    build(path, real, monkeypatch)
    with registry(redirects=redirects) as host:
        name = f"{host}/team/bot:v1"
        monkeypatch.chdir(tmp_path)
        assert mf("cp", "bot:v1", name).code == 0
        assert mf("push", name, open_registry=_open_registries).code == 0
        there = weights(f"registry:{name}")
    ours = weights(str(path))
    assert there | {"name": ""} == ours | {"name": ""}
