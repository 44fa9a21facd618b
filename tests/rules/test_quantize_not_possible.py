"""Types in mf.toml that the weights cannot be quantized to."""

from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.weights_files import FILES

TABLE = '[models.bot]\nmodelfile = "{file}"\ntag = "v1"\nquantize = "{kind}"\n'
SETTING = "`mf.toml`: `models.bot.quantize`: "


def write(line: str, kind: str, ollama: str = "0.9.3") -> None:
    Path(".git").mkdir()
    Path("Modelfile").write_text(f"# Answers questions on billing.\n{line}\n")
    Path("mf.toml").write_text(f'ollama = "{ollama}"\n' + TABLE.format(file="Modelfile", kind=kind))
    for name in ("f16.gguf", "quantized.gguf", "truncated.gguf"):
        Path(name).write_bytes(FILES[name])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "kind", "ollama", "finding"),
    [
        ("FROM ./f16.gguf", "q4_K_M", "0.9.3", ""),
        ("FROM ./f16.gguf", "q4_K_M", "0.6.5", ""),
        ("FROM ./f16.gguf", "q9", "0.9.3", "error Ollama 0.9.3 cannot quantize to `q9`"),
        ("FROM ./f16.gguf", "q5_K_M", "0.6.5", ""),
        ("FROM ./f16.gguf", "q5_K_M", "0.9.3", "warning Ollama 0.9.3 cannot quantize to `q5_K_M`"),
        ("FROM ./f16.gguf", "nvfp4", "0.9.3", "error Ollama 0.9.3 cannot quantize to `nvfp4`"),
        ("FROM ./f16.gguf", "q4_K_M", "0.34.1", "warning Ollama 0.34.1 cannot quantize"),
        ("FROM ./quantized.gguf", "q8_0", "0.9.3", "error cannot quantize `quantized.gguf`: its weights are Q4_K_M"),
        ("FROM ./quantized.gguf", "q8_0", "0.34.1", "error cannot quantize `quantized.gguf`: its weights are Q4_K_M"),
        ("FROM llama3.2:3b-instruct-fp16", "q4_K_M", "0.9.3", ""),
        ("FROM llama3.2:3b-instruct-fp16", "q4_K_M", "0.34.1", "error Ollama 0.34.1 cannot quantize"),
        ("FROM llama3.2:3b-instruct-fp16", "q5_K_M", "0.9.3", "error Ollama 0.9.3 cannot quantize to `q5_K_M`"),
    ],
)
def test_impossible_types_are_found_at_from(line: str, kind: str, ollama: str, finding: str) -> None:
    write(line, kind, ollama)
    for command in ("lint", "check"):
        ran = mf(command, "--format", "concise")
        found = [text for text in ran.out.splitlines() if "MF617" in text]
        severity, _, message = finding.partition(" ")
        assert found == ([f"Modelfile:2:6: {severity} MF617 {SETTING}{message}"] if finding else []), ran


def test_a_file_that_cannot_be_used_is_one_finding() -> None:
    write("FROM ./truncated.gguf", "q9")
    assert [line.split()[2] for line in mf("lint", "--format", "concise").out.splitlines()] == ["MF609"]


def test_a_comment_or_the_configuration_allows_it() -> None:
    write("# mf: ignore[quantize-not-possible] built with llama-quantize\nFROM ./f16.gguf", "q5_K_M")
    assert mf("lint").code == 0
    Path("Modelfile").write_text("# Answers questions on billing.\nFROM ./f16.gguf\n")
    assert mf("lint").code == 1
    assert mf("lint", "--ignore", "quantize-not-possible").code == 0
    assert mf("lint", "--isolated").code == 0


def test_another_modelfile_is_not_quantized() -> None:
    write("FROM ./quantized.gguf", "q8_0")
    Path("mf.toml").write_text(TABLE.format(file="other.Modelfile", kind="q8_0"))
    assert mf("lint", "Modelfile").code == 0


@pytest.mark.parametrize(("line", "kind"), [("FROM ./f16.gguf", "q9"), ("FROM ./quantized.gguf", "q8_0")])
def test_build_and_pin_reject_it_in_the_same_words(line: str, kind: str) -> None:
    write(line, kind)
    (found,) = [text for text in mf("lint", "--format", "concise").out.splitlines() if "MF617" in text]
    message = found.partition("MF617 ")[2]
    for command in (["pin"], ["build", "bot:v1"]):
        ran = mf(*command, "--store", "models", "--ollama", "0.9.3")
        assert (ran.code != 0, ran.err.splitlines()[0]) == (True, f"error: {message}"), ran
    assert not Path("mf.lock").exists()


def test_pin_accepts_what_llama_quantize_can_make() -> None:
    write("FROM ./f16.gguf", "q5_K_M", "0.34.1")
    assert mf("pin", "--store", "models", "--ollama", "0.34.1").code == 0
