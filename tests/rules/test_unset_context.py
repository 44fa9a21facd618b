"""`num_ctx` that is left to Ollama, where Ollama chooses it by the memory of the machine."""

from pathlib import Path

import pytest
from tests.support.cli import mf

MESSAGE = "`num_ctx` is not set: Ollama 0.15.5 and later choose it by the machine's memory"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text: str, *options: str) -> bool:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    return MESSAGE in mf("lint", "--format", "concise", "--select", "unset-context", *options).out


@pytest.mark.parametrize("base", ["llama3.2:3b", "./weights.gguf", "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:Q4_K_M"])
def test_reported_where_the_version_is_given_and_chooses(base: str) -> None:
    text = f"FROM {base}\nPARAMETER temperature 0.2"
    assert found(text, "--ollama", "0.15.5")
    assert not found(text, "--ollama", "0.15.4")
    assert not found(text)
    assert found(f"{text}\nREQUIRES 0.15.5")
    assert not found(f"{text}\nREQUIRES 0.14.0")
    assert not found(f"{text}\nREQUIRES 0.15.5", "--ollama", "0.15.4")
    Path("mf.toml").write_text('ollama = "0.20.0"\n')
    assert found(text)


@pytest.mark.parametrize(
    "text",
    [
        "FROM llama3.2:3b\nPARAMETER num_ctx 4096",
        "FROM nomic-embed-text:v1.5",
        "FROM ./my-embedder.gguf",
        "FROM team-base:v1",
        "FROM anna/llama3.2:3b",
        "FROM registry.example.com/library/llama3.2:3b",
        "",
    ],
)
def test_not_reported_where_it_is_set_or_does_not_matter(text: str) -> None:
    assert not found(text, "--ollama", "0.32.0")
