"""`mf build --quantize TYPE --with PROGRAM`: the weights are quantized here, not by the server."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.paths import ROOT

from modelfile.events import Events
from modelfile.weights import digests
from modelfile.weights.digests import digests_of

PAIR = ROOT / "modelfiles" / "quantized-pair"
Q8 = digests_of([PAIR / "tiny-q8_0.gguf"])[PAIR / "tiny-q8_0.gguf"]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a quantizer, in a project with weights in F16 whose model is quantized to Q8_0."""
    path = tmp_path / "llama-quantize"
    path.write_text(f'#!/bin/sh\necho "$3" >> {tmp_path}/calls\ncp {PAIR}/tiny-q8_0.gguf "$2"\n')
    path.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / ".git").mkdir()
    shutil.copy(PAIR / "tiny-f16.gguf", folder)
    (folder / "Modelfile").write_text("FROM ./tiny-f16.gguf\nTEMPLATE {{ .System }} {{ .Prompt }}\nSYSTEM Be brief.\n")
    (folder / "mf.toml").write_text('[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\nquantize = "q8_0"\n')
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return path


def weights(store: str = "models") -> list[str]:
    shown = mf("show", "bot:v1", "--store", store, "--json")
    assert shown.code == 0, shown.err
    return list(json.loads(shown.out)["weights"])


def calls(program: Path) -> int:
    return len(program.with_name("calls").read_text().splitlines())


def test_a_folder_gets_the_quantized_weights(program: Path) -> None:
    refused = mf("build", "bot:v1", "--store", "models")
    assert (refused.code, refused.err.splitlines()[0]) == (2, "error: a folder does not quantize weights")
    built = mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize")
    assert built.code == 0, built.err
    assert weights() == [Q8]
    again = mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize")
    assert again.out.startswith("bot:v1 is up to date")
    assert calls(program) == 1


def test_a_server_gets_them_whole(program: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    assert mf("build", "bot:v1", "--with", str(program)).code == 0
    created = next(request for request in fake.requests if request.path == "/api/create")
    assert "quantize" not in created.json
    assert [*created.json["files"].values()] == [Q8]


def test_the_lock_has_both_digests(program: Path) -> None:
    assert mf("pin", "--store", "models").code == 0
    unrecorded = mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize", "--locked")
    assert (unrecorded.code, unrecorded.err.splitlines()) == (
        3,
        [
            "error: mf.lock does not record `tiny-f16.gguf` quantized to Q8_0",
            "help: build it once without --locked, and commit mf.lock",
        ],
    )
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 0
    before = Path("mf.lock").read_text()
    pin = json.loads(before)["modelfiles"]["Modelfile"]
    assert (pin["files"].keys(), pin["quantized"]) == ({"tiny-f16.gguf"}, {"Q8_0": Q8})
    assert mf("build", "bot:v1", "--store", "other", "--with", "llama-quantize", "--locked").code == 0
    assert weights("other") == [Q8]
    assert mf("pin", "--store", "models").code == 0
    assert Path("mf.lock").read_text() == before
    assert calls(program) == 1


@pytest.mark.usefixtures("program")
def test_verify_compares_the_weights_with_the_digest_in_the_lock() -> None:
    assert mf("pin", "--store", "models").code == 0
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 0
    same = mf("verify", "--store", "models")
    note = "  its weights are those that mf.lock records for Q8_0; its prompts and parameters were not compared"
    assert (same.code, same.out.splitlines()) == (0, ["bot:v1: not compared", note])
    assert mf("verify", "bot:v1", "--store", "models").out == same.out
    Path("mf.lock").write_text(Path("mf.lock").read_text().replace(Q8, f"sha256:{'0' * 64}"))
    other = mf("verify", "--store", "models")
    assert other.out.splitlines()[1].startswith("  its weights are not those that mf.lock records for Q8_0: ")


@pytest.mark.usefixtures("program")
def test_other_quantized_weights_than_those_in_the_lock_are_rejected() -> None:
    assert mf("pin", "--store", "models").code == 0
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 0
    lock = Path("mf.lock").read_text()
    Path("mf.lock").write_text(lock.replace(Q8, f"sha256:{'0' * 64}"))
    other = mf("build", "bot:v1", "--store", "other", "--with", "llama-quantize")
    assert other.code == 3
    digests = f"(sha256:{'0' * 12}… -> {Q8[:19]}…)"
    assert other.err.splitlines() == [
        f"error: `tiny-f16.gguf` quantized to Q8_0 by llama-quantize has changed since `mf pin` {digests}",
        "help: use the llama-quantize that made them, or delete `quantized` of `Modelfile` in mf.lock and build again",
    ]


def test_changed_weights_are_rejected_before_they_are_quantized(program: Path) -> None:
    assert mf("pin", "--store", "models").code == 0
    shutil.copy(PAIR.parent / "lora-adapter" / "adapter.gguf", "x.gguf")
    with Path("tiny-f16.gguf").open("ab") as file:
        file.write(b"\0" * 32)
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 3
    assert not program.with_name("calls").exists()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("FROM llama3.2:3b", "--with needs local weights: `Modelfile` is FROM llama3.2:3b", "leave out --with"),
        (
            "FROM ./hf",
            "--with needs a GGUF file: `hf` has safetensors",
            "convert them with llama.cpp, `python convert_hf",
        ),
    ],
)
def test_what_cannot_be_quantized_here(text: str, message: str, hint: str, program: Path) -> None:
    Path("hf").mkdir()
    Path("hf/config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    Path("hf/model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    Path("Modelfile").write_text(f"{text}\n")
    ran = mf("build", "bot:v1", "--store", "models", "--with", str(program))
    first, second = ran.err.splitlines()[-2:]
    assert (ran.code, first) == (2, f"error: {message}")
    assert second.startswith(f"help: {hint}")


def test_quantized_weights_are_rejected_before_the_program_runs(program: Path) -> None:
    shutil.copy(PAIR / "tiny-q8_0.gguf", "small.gguf")
    Path("Modelfile").write_text("FROM ./small.gguf\n")
    ran = mf("build", "bot:v1", "--store", "models", "--with", str(program))
    assert ran.err.splitlines()[-2:] == [
        "error: `mf.toml`: `models.bot.quantize`: cannot quantize `small.gguf`: its weights are Q8_0",
        "help: name weights in BF16, F16, F32 in FROM",
    ]
    assert not program.with_name("calls").exists()


@pytest.mark.usefixtures("program")
def test_safetensors_that_ollama_no_longer_converts_are_the_first_error() -> None:
    Path("hf").mkdir()
    Path("hf/config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    Path("hf/model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    Path("Modelfile").write_text("FROM ./hf\n")
    ran = mf("build", "bot:v1", "--store", "models", "--ollama", "0.34.1")
    assert "Ollama 0.34.1 cannot convert safetensors" in ran.err
    assert "convert them with llama.cpp, `python convert_hf_to_gguf.py " in ran.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--plan-out", "plan.json"), "--plan-out cannot be used with --with: a plan has no weights of its own"),
        (("--plan", "plan.json"), "--plan cannot be used with --file, --quantize, --with,"),
    ],
)
def test_plans_cannot_have_it(options: tuple[str, str], message: str, program: Path) -> None:
    ran = mf("build", "bot:v1", "--with", str(program), *options)
    assert ran.code == 2
    assert ran.err.startswith(f"error: {message}")


def test_it_needs_a_type(program: Path) -> None:
    Path("mf.toml").unlink()
    ran = mf("build", "bot:v1", "--with", str(program))
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --with needs a type")


@pytest.mark.usefixtures("program")
def test_a_build_that_fails_records_nothing(fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mf("pin", "--store", "models").code == 0
    before = Path("mf.lock").read_text()
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    fake.fault("/api/create", Status(500, '{"error": "boom"}'))
    assert mf("build", "bot:v1", "--with", "llama-quantize").code == 3
    assert Path("mf.lock").read_text() == before


def test_the_weights_are_quantized_and_hashed_once(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mf("pin", "--store", "models").code == 0
    hashed = []
    digest = digests._digest  # noqa: SLF001  # counts its calls

    def count(path: Path, events: Events) -> tuple[str, os.stat_result]:
        hashed.append(path.name)
        return digest(path, events)

    monkeypatch.setattr(digests, "_digest", count)
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 0
    assert (calls(program), len([name for name in hashed if "Q8_0" in name])) == (1, 1)


@pytest.mark.usefixtures("program")
def test_a_modelfile_that_is_added_to_the_lock_has_both_digests() -> None:
    Path("other").mkdir()
    Path("other/Modelfile").write_text("FROM ../tiny-f16.gguf\nTEMPLATE {{ .Prompt }}\n")
    assert mf("pin", "other", "--store", "models").code == 0
    assert mf("build", "bot:v1", "--store", "models", "--with", "llama-quantize").code == 0
    assert json.loads(Path("mf.lock").read_text())["modelfiles"]["Modelfile"]["quantized"] == {"Q8_0": Q8}
