"""`mf show` of weights: files, folders, models of stores and registries, and Modelfiles."""

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import gguf
import jsonschema
import numpy as np
import pytest
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import Ran, mf
from tests.support.made_gguf import write_gguf
from tests.support.operations import count_operations
from tests.support.paths import ROOT

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode
from modelfile.weights.reading import read_weights

METADATA = {
    "general.name": "Tiny",
    "general.license": "mit",
    "general.file_type": 1,
    "general.base_model.count": 1,
    "general.base_model.0.repo_url": "https://huggingface.co/team/base",
    "block_count": 3,
    "context_length": 4096,
    "embedding_length": 32,
    "attention.head_count": 4,
    "attention.head_count_kv": [1, 2, 2],
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.tokens": ["a", "b"],
    "tokenizer.chat_template": "{% for message in messages %}{{ message.content }}\n{% endfor %}",
}
SHAPES = {"token_embd.weight": (64, 32), "blk.0.attn_norm.weight": (32,)}
SHOWN = """\
tiny.gguf
  format         gguf
  architecture   llama
  name           Tiny
  parameters     2K
  quantization   F16, 16.25 bits per weight
                 F16 ███████████████████████▎  97.0%  1 tensor
                 F32 ▊                          3.0%  1 tensor
  context        4,096 tokens
  layers         3, 32 wide
  heads          4, 1 to 2 by layer for keys and values
  vocabulary     2 tokens, gpt2
  chat template  Jinja, 63 characters; Ollama 0.30.0 and later use it, older releases need a TEMPLATE
  license        mit
  base model     team/base
  size           5.1 kB
"""


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return write_gguf(tmp_path / "tiny.gguf", "llama", METADATA, SHAPES)


def shown(*arguments: str) -> str:
    ran = mf("show", *arguments)
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    return ran.out


def test_facts_of_a_file(weights: Path) -> None:
    assert shown("tiny.gguf") == SHOWN
    assert shown("file:tiny.gguf") == SHOWN.replace("tiny.gguf", "tiny.gguf", 1)
    assert shown(".").partition("\n")[2] == SHOWN.partition("\n")[2]
    digest = f"sha256:{sha256(weights.read_bytes()).hexdigest()}"
    assert shown("tiny.gguf", "--sha256") == f"{SHOWN}  sha256         {digest}\n"


def test_facts_as_json(weights: Path) -> None:
    schema = json.loads((ROOT / "docs/schema/weights.schema.json").read_text(encoding="utf-8"))
    for options in ((), ("--tensors", "--sha256"), ("--tensors", "--values")):
        jsonschema.validate(json.loads(shown("tiny.gguf", "--json", *options)), schema)
    (document,) = json.loads(shown("tiny.gguf", "--json", "--tensors", "--sha256"))["weights"]
    assert {*schema["properties"]["weights"]["items"]["properties"]} == document.keys()
    assert document["kv_heads"] == [1, 2, 2]
    assert (document["parameters"], document["recognized"], document["undecided"]) == (2080, None, False)
    assert document["sha256"] == [f"sha256:{sha256(weights.read_bytes()).hexdigest()}"]
    assert document["tensors"] == [
        {"name": "token_embd.weight", "shape": [32, 64], "type": "F16", "size": 4096},
        {"name": "blk.0.attn_norm.weight", "shape": [32], "type": "F32", "size": 128},
    ]


@pytest.mark.usefixtures("weights")
def test_tensors() -> None:
    assert shown("tiny.gguf", "--tensors") == (
        "NAME                    SHAPE    TYPE       SIZE\n"
        "token_embd.weight       32 x 64  F16      4.1 kB\n"
        "blk.0.attn_norm.weight  32       F32   128 bytes\n"
    )
    assert shown("tiny.gguf", "--tensors", "--values") == (
        "NAME                    SHAPE    TYPE  NAN  INF  DEAD BLOCKS\n"
        "token_embd.weight       32 x 64  F16   0    0    0 of 64\n"
        "blk.0.attn_norm.weight  32       F32   0    0    0 of 1\n"
    )


def test_values_that_are_not_finite_are_findings(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "llama")
    writer.add_tensor("a", np.array([np.nan, np.inf], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    ran = mf("show", "x.gguf", "--tensors", "--values", cwd=tmp_path)
    assert (ran.code, ran.out.splitlines()[1]) == (ExitCode.FINDINGS, "a     2      F32   1    1    0 of 1")
    assert ran.err == "warning: some values are no finite numbers: the model would answer nonsense\n"
    ran = mf("show", "x.gguf", "--tensors", "--values", "--json", cwd=tmp_path)
    (tensor,) = json.loads(ran.out)["weights"][0]["tensors"]
    assert (ran.code, tensor["values"]) == (
        ExitCode.FINDINGS,
        {"nan": 1, "infinite": 1, "dead_blocks": 0, "blocks": 1},
    )


def test_chat_template(weights: Path) -> None:
    ran = mf("show", "tiny.gguf", "--template")
    assert (ran.code, ran.out) == (ExitCode.CLEAN, METADATA["tokenizer.chat_template"])
    assert ran.err == "Jinja, 63 characters; Ollama 0.30.0 and later use it, older releases need a TEMPLATE\n"
    answer = json.loads(shown("tiny.gguf", "--template", "--json"))
    assert answer == {"chat_template": ran.out, "turns": None, "recognized": None, "undecided": False}
    chatml = "<|im_start|>{{ messages }}<|im_end|>" + "x" * 200
    write_gguf(weights, "llama", {"tokenizer.chat_template": chatml}, SHAPES)
    used = "Ollama 0.30.0 and later use it, older releases need a TEMPLATE"
    assert f"  chat template  Jinja for ChatML, 236 characters; {used}\n" in shown(str(weights))
    write_gguf(weights.with_name("other.gguf"), "llama", {}, SHAPES)
    ran = mf("show", "other.gguf", "--template")
    assert (ran.code, ran.err.splitlines()[0]) == (
        ExitCode.FAILED,
        "error: `other.gguf` has no chat template",
    )
    ran = mf("show", ".", "--template")
    assert ran.err.startswith("error: --template needs one model, not 2: `other.gguf`, `tiny.gguf`\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--values",), "--values needs --tensors"),
        (("--template", "--tensors"), "--template cannot be used with --tensors or --sha256"),
    ],
)
def test_options_that_do_not_go_together(arguments: tuple[str, ...], message: str, weights: Path) -> None:
    ran = mf("show", weights.name, *arguments)
    assert (ran.code, ran.err.splitlines()[0]) == (ExitCode.USAGE, f"error: {message}")


def test_weights_of_a_modelfile(weights: Path) -> None:
    weights.with_name("Modelfile").write_text("FROM ./tiny.gguf\n")
    assert shown("Modelfile", "--sha256").startswith(SHOWN)


def test_weights_of_a_model_in_a_folder(weights: Path) -> None:
    weights.with_name("Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\nPARAMETER stop a\n")
    assert mf("build", "bot:v1", "--store", "models").code == ExitCode.CLEAN
    out = shown("bot:v1", "--store", "models", "--sha256")
    digest = f"sha256:{sha256(weights.read_bytes()).hexdigest()}"
    assert out == f"{SHOWN.replace('tiny.gguf', 'bot:v1', 1)}  sha256         {digest}\n"
    assert "token_embd.weight" in shown("store:bot:v1", "--store", "models", "--tensors", "--values")


@pytest.mark.usefixtures("project")
def test_weights_of_a_model_on_a_server() -> None:
    assert mf("build", "bot:v1").code == ExitCode.CLEAN
    out = shown("bot:v1", "--sha256")
    assert out.startswith("bot:v1\n  format         gguf\n  architecture   ")
    ran = mf("show", "bot:v1", "--tensors", "--values")
    assert (ran.code, ran.err.splitlines()[0]) == (
        ExitCode.USAGE,
        "error: --values needs a GGUF file on this machine",
    )


@pytest.fixture
def registry(weights: Path) -> Iterator[FakeRegistry]:
    with FakeRegistry() as registry:
        registry.push("team/bot", "v1", published(weights.read_bytes() + bytes(1 << 20)))
        yield registry


def run(*arguments: str) -> Ran:
    return mf(*arguments, open_registry=_open_registries)


def test_weights_of_a_registry_by_a_range(registry: FakeRegistry) -> None:
    name = f"registry:{registry.host}/team/bot:v1"
    ran = run("show", name, "--sha256")
    size = "1.1 MB"
    size = f"{size}, of which the tensors need 5.1 kB"
    expected = SHOWN.replace("tiny.gguf", name.partition(":")[2], 1).replace("5.1 kB", size)
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    assert ran.out.startswith(f"{expected}  sha256         sha256:")
    asked = [asked for asked in registry.requests if "/blobs/" in asked.path]
    assert [request.headers["Range"] for request in asked] == ["bytes=0-262143"]
    assert "token_embd.weight" in run("show", name, "--tensors").out


def test_weights_of_a_repository_are_read_from_it(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.cli.show.sources._REPOSITORIES", (f"{registry.host}/",))
    assert "  base model     team/base\n" in run("show", f"{registry.host}/team/bot:v1").out
    ran = run("show", f"{registry.host}/team/bot:v2")
    assert (ran.code, ran.err.splitlines()[0]) == (
        ExitCode.FAILED,
        f"error: {registry.host}/team/bot:v2 not found on http://{registry.host}",
    )


def test_layer_of_a_registry_that_is_no_gguf(registry: FakeRegistry) -> None:
    blobs = registry.blobs["team/bot"]
    digest = next(digest for digest, content in blobs.items() if content.startswith(b"GGUF"))
    blobs[digest] = b"<html>login</html>".ljust(len(blobs[digest]))
    ran = run("show", f"registry:{registry.host}/team/bot:v1", "--tensors")
    assert ran.code == ExitCode.FAILED
    assert ran.err.startswith(f"error: http://{registry.host}: `the model of {registry.host}/team/bot:v1` is ")


def test_files_that_are_not_whole_say_so(weights: Path) -> None:
    whole = weights.read_bytes()
    weights.write_bytes(whole[:4000])
    assert "  size           4.0 kB: truncated, its header requires 5.1 kB\n" in shown("tiny.gguf")
    ran = mf("show", "tiny.gguf", "--tensors", "--values")
    assert (ran.code, ran.err.splitlines()) == (
        ExitCode.FINDINGS,
        ["warning: `tiny.gguf` is truncated: some values are not read", "help: download it again"],
    )
    weights.write_bytes(whole[:100])
    assert mf("show", "tiny.gguf").err.startswith("error: `tiny.gguf` is truncated: it has 100 bytes, ")


def test_tensors_of_parts_that_are_missing_are_not_listed_unsaid(weights: Path) -> None:
    write_gguf(weights.with_name("m-00001-of-00002.gguf"), "llama", {**METADATA, "split.count": 2}, SHAPES)
    ran = mf("show", "m-00001-of-00002.gguf", "--tensors")
    assert ran.code == ExitCode.CLEAN
    assert ran.err.splitlines() == [
        "warning: `m-00001-of-00002.gguf` is listed without `m-00002-of-00002.gguf`",
        "help: download all parts into one folder",
    ]


@pytest.mark.parametrize("options", [(), ("--memory", "8G"), ("--tensors",)])
def test_folder_with_a_modelfile_is_suggested(options: tuple[str, ...], weights: Path) -> None:
    weights.with_name("bot").mkdir()
    (weights.with_name("bot") / "Modelfile").write_text("FROM ../tiny.gguf\n")
    weights.with_name("Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\n")
    assert mf("build", "other:v1", "--store", "models").code == ExitCode.CLEAN
    for place in ({"OLLAMA_HOST": "127.0.0.1:9"}, {"MF_STORE": "models"}):
        ran = mf("show", "bot", *options, environ=place)
        assert (ran.code, ran.err.splitlines()[1]) == (ExitCode.FAILED, "help: write `./bot` for the folder")


def test_type_that_ollama_does_not_name(weights: Path) -> None:
    write_gguf(weights, "llama", {}, {"token_embd.weight": (64,)})
    assert "  quantization   F32 (Ollama shows unknown), 32.00 bits per weight\n" in shown("tiny.gguf")


def test_sparse_file_is_shown_as_fast_as_a_small_one(weights: Path) -> None:
    os.truncate(weights, 100 << 30)
    assert "  size           107.4 GB, of which the tensors need 5.1 kB\n" in shown("tiny.gguf")
    assert count_operations(lambda: read_weights(weights)) < 10_000


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.gguf", "file not found: `missing.gguf`"),
        ("file:missing.safetensors", "file not found: `missing.safetensors`"),
        ("pipe.gguf", "cannot read `pipe.gguf`: it is a pipe, not a file"),
        ("./pipe", "cannot read `pipe`: it is a pipe, not a file"),
        ("/dev/zero", "cannot read `/dev/zero`: it is a device, not a file"),
        ("./empty", "no weights in the folder `empty`"),
    ],
)
@pytest.mark.usefixtures("weights")
def test_what_is_no_file_of_weights(name: str, message: str) -> None:
    os.mkfifo("pipe")
    os.mkfifo("pipe.gguf")
    Path("empty").mkdir()
    ran = mf("show", name)
    assert (ran.code, ran.err.splitlines()[0]) == (ExitCode.FAILED, f"error: {message}")


@pytest.mark.usefixtures("weights")
def test_bars_are_shorter_on_a_narrow_terminal() -> None:
    for columns in ("20", "60", "80", "200"):
        ran = mf("show", "tiny.gguf", environ={"COLUMNS": columns})
        bars = [line for line in ran.out.splitlines() if "%" in line]
        assert len(bars[0]) == 38 + min(24, max(int(columns) - 46, 1))
