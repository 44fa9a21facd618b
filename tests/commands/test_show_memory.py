"""`mf show --memory`: the memory that a model needs, and what fits."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.fakes.ollama import FakeOllama
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import Ran, mf
from tests.support.made_gguf import write_gguf
from tests.support.paths import ROOT

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode
from modelfile.stores.memory import MemoryStore

METADATA = {
    "general.file_type": 1,
    "block_count": 4,
    "context_length": 8192,
    "embedding_length": 256,
    "attention.head_count": 8,
    "attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "b"],
}
SHAPES = {"token_embd.weight": (4096, 256), "output_norm.weight": (256,)}
SHOWN = """\
tiny.gguf
  model      llama, 1.05M, F16
  server     Ollama 0.10.0, 1 request at a time, without flash attention
  num_ctx    4,096 tokens: default of Ollama 0.10.0 with 600.0 MiB of GPU memory

NEEDED FOR       SIZE                                   FORMULA
weights       2.0 MiB  exact      ▏                     sum of 2 tensors
KV cache      4.0 MiB  exact      ▏                     4 layers x 128 x 4,096 cells x 2 bytes (f16)
compute      74.0 MiB  exact      ███▎                  4 bytes x 512 tokens x (1 + 2 x (256 + 256) + 4,096 cells x 9)
output            8 B  exact      ▏                     4 bytes x 2 tokens x 1 slot
overhead    457.0 MiB  estimated  ████████████████████  what Ollama leaves to the driver of one GPU
total       537.0 MiB  estimated

CONTEXT           F16         Q8_0         Q4_0
     2,048  499.0 MiB    468.1 MiB    467.6 MiB
*    4,096  537.0 MiB    475.1 MiB    474.1 MiB
     8,192  613.0 MiB !  489.3 MiB    487.3 MiB
*: num_ctx; !: does not fit; Q8_0 and Q4_0 are set by OLLAMA_KV_CACHE_TYPE of the server, with flash attention

fits into 600.0 MiB (--memory 600M): it needs 537.0 MiB at 4,096 tokens
longest context that fits: 7,424 tokens
best quantization that fits at 4,096 tokens: F16 (this one)
"""
SOURCES = {
    "weights": "the file's header",
    "KV cache": "llama.cpp src/llama-kv-cache.cpp",
    "compute": "`GraphSize` in fs/ggml/ggml.go",
    "output": "llama.cpp src/llama-context.cpp",
    "overhead": "discover/gpu.go",
}
MIB = 1 << 20


@pytest.fixture(autouse=True)
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "mf.toml").write_text('ollama = "0.10.0"\n')
    monkeypatch.chdir(tmp_path)
    return write_gguf(tmp_path / "tiny.gguf", "llama", METADATA, SHAPES)


def shown(*arguments: str, **environ: str) -> str:
    ran = mf("show", *arguments, environ=environ)
    assert (ran.code, ran.err) == (ExitCode.CLEAN, "")
    return ran.out


def document(*arguments: str, **environ: str) -> dict[str, Any]:
    (found,) = json.loads(shown(*arguments, "--json", **environ))["models"]
    assert isinstance(found, dict)
    return found


def verdict(*arguments: str, **environ: str) -> list[str]:
    return shown(*arguments, **environ).rpartition("\n\n")[2].splitlines()


def test_memory_of_a_file() -> None:
    assert shown("tiny.gguf", "--memory", "600M", COLUMNS="120") == SHOWN
    assert shown("tiny.gguf", "--memory=600M", COLUMNS="120") == SHOWN
    assert shown("--memory", "600M", "tiny.gguf", COLUMNS="120") == SHOWN
    piped = shown("tiny.gguf", "--memory", "600M")
    assert all(
        any(line.startswith(name) and line.endswith(SOURCES[name]) for line in piped.splitlines()) for name in SOURCES
    )


def test_narrow_terminal_has_no_formulas() -> None:
    lines = shown("tiny.gguf", "--memory", "600M", COLUMNS="60").splitlines()

    assert lines[5:8] == [
        "NEEDED FOR       SIZE",
        "weights       2.0 MiB  exact      ▏",
        "KV cache      4.0 MiB  exact      ▏",
    ]


def test_memory_as_json() -> None:
    schema = json.loads((ROOT / "docs/schema/memory.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    found = document("tiny.gguf", "--memory", "600M")

    jsonschema.validate({"models": [found]}, schema)
    assert {*schema["properties"]["models"]["items"]["properties"]} == found.keys()
    assert {term["name"]: term["bytes"] for term in found["terms"]} == {
        "weights": 4096 * 256 * 2 + 256 * 4,
        "KV cache": 4 * MIB,
        "compute": 4 * 512 * (1 + 1024 + 4096 * 9),
        "output": 8,
        "overhead": 457 * MIB,
    }
    assert found["total"] == sum(term["bytes"] for term in found["terms"])
    assert {term["name"]: term["source"] for term in found["terms"]} == SOURCES
    assert [each["num_ctx"] for each in found["contexts"]] == [2048, 4096, 8192]
    assert found["contexts"][1]["f16"] == found["total"]
    assert (found["memory"], found["fits"], found["largest_context"]) == (600 * MIB, True, 7424)
    assert found["best_quantization"] == {
        "name": "F16",
        "bits_per_weight": 16,
        "size": 4096 * 256 * 2 + 256 * 4,
        "exactness": "exact",
    }


def test_model_that_does_not_fit() -> None:
    assert verdict("tiny.gguf", "--memory", "500M") == [
        "does not fit into 500.0 MiB (--memory 500M): it needs 537.0 MiB at 4,096 tokens",
        "longest context that fits: 2,048 tokens",
        "best quantization that fits at 4,096 tokens: none; use a smaller model",
    ]
    assert verdict("tiny.gguf", "--memory", "100M")[1] == "longest context that fits: none"
    assert (
        verdict("tiny.gguf", "--memory", "1G")[1]
        == "longest context that fits: 8,192 tokens, the longest that it was trained on"
    )


def test_best_quantization_is_the_largest_that_fits(tmp_path: Path) -> None:
    write_gguf(tmp_path / "wide.gguf", "llama", METADATA, {"blk.0.ffn_up.weight": (65536, 256)})  # 32 MiB in F16
    rest = document("wide.gguf", "--memory", "1G")["total"] - 32 * MIB

    for room, expected, bits in (
        (32, "F16", 16),
        (31, "Q8_0", 8.5),
        (16, "Q6_K", 6.56),
        (10, "Q4_K_M", 4.5),
        (6, "Q2_K", 2.62),
    ):
        found = document("wide.gguf", "--memory", str(rest + room * MIB))["best_quantization"]
        assert (found["name"], found["bits_per_weight"], found["exactness"]) == (expected, bits, "exact")
        assert found["size"] <= room * MIB


def test_size_of_a_quantization_is_that_of_its_tensors(tmp_path: Path) -> None:
    write_gguf(tmp_path / "wide.gguf", "llama", METADATA, {"token_embd.weight": (65536, 256)})  # 32 MiB in F16
    rest = document("wide.gguf", "--memory", "1G")["total"] - 32 * MIB

    found = document("wide.gguf", "--memory", str(rest + 17 * MIB))["best_quantization"]
    assert (found["name"], found["size"]) == ("Q8_0", 17 * MIB)
    last = verdict("wide.gguf", "--memory", str(rest + 14 * MIB))[-1]
    assert last.endswith("tokens: Q6_K (13.1 MiB of weights, as llama-quantize makes it)")
    last = verdict("wide.gguf", "--memory", str(rest + 10 * MIB))[-1]  # its output has at least 5.5 bits
    assert last.endswith("tokens: none; use a smaller model")


def test_num_ctx_of_a_modelfile(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_ctx 2048\n")
    found = document("Modelfile", "--memory", "1G")

    assert (found["num_ctx"], found["origin"]) == (2048, "PARAMETER num_ctx of the model")
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nPARAMETER num_ctx 65536\n")
    lowered = document("Modelfile", "--memory", "1G")
    assert (lowered["num_ctx"], lowered["origin"]) == (
        8192,
        "PARAMETER num_ctx of the model, lowered from 65,536 to what it was trained on",
    )


@pytest.mark.parametrize(("size", "expected"), [("8G", 4096), ("24G", 8192)])
def test_default_of_num_ctx_is_by_memory_since_0_15_5(tmp_path: Path, size: str, expected: int) -> None:
    (tmp_path / "mf.toml").write_text("")

    assert document("tiny.gguf", "--memory", size)["num_ctx"] == expected


def test_projector_is_loaded_with_its_model(tmp_path: Path) -> None:
    (tmp_path / "vision").mkdir()
    write_gguf(tmp_path / "vision/model.gguf", "llama", METADATA, SHAPES)
    write_gguf(tmp_path / "vision/mmproj.gguf", "clip", {"general.type": "mmproj"}, {"v.patch.weight": (1024, 512)})
    found = document("vision", "--memory", "1G")

    assert {term["name"]: term["bytes"] for term in found["terms"]}["projector"] == MIB
    assert found["total"] == document("tiny.gguf", "--memory", "1G")["total"] + MIB


def test_adapter_is_loaded_with_its_model(tmp_path: Path) -> None:
    shapes = {"token_embd.weight.lora_a": (1024, 512)}
    write_gguf(tmp_path / "lora.gguf", "llama", {"general.type": "adapter"}, shapes)
    total = document("tiny.gguf", "--memory", "1G")["total"]
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\nADAPTER ./lora.gguf\n")

    assert document("Modelfile", "--memory", "1G")["total"] == total + MIB
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\n")
    assert mf("build", "bot:v1", "--store", "models", "--ollama", "0.10.0").code == ExitCode.CLEAN
    (tmp_path / "Model").write_text("FROM bot:v1\nADAPTER ./lora.gguf\n")
    assert document("Model", "--store", "models", "--memory", "1G")["total"] == total + MIB
    assert mf("build", "bot:v2", "-f", "Model", "--store", "models", "--ollama", "0.10.0").code == ExitCode.CLEAN
    assert document("bot:v2", "--store", "models", "--memory", "1G")["total"] == total + MIB
    names = [term["name"] for term in document("lora.gguf", "--memory", "1G")["terms"]]
    assert names == ["weights", "KV cache", "compute", "output", "overhead"]


def test_memory_is_not_known_without_a_part(tmp_path: Path) -> None:
    part = {**METADATA, "split.no": 0, "split.count": 2}
    write_gguf(tmp_path / "m-00001-of-00002.gguf", "llama", part, SHAPES)
    ran = mf("show", "m-00001-of-00002.gguf", "--memory", "1G")

    assert (ran.code, ran.out) == (ExitCode.FAILED, "")
    assert ran.err.splitlines() == [
        "error: cannot tell the memory of `m-00001-of-00002.gguf` without `m-00002-of-00002.gguf`",
        "help: download all parts into one folder",
    ]


def test_type_that_ollama_does_not_name(tmp_path: Path) -> None:
    write_gguf(tmp_path / "full.gguf", "llama", {"block_count": 1}, {"token_embd.weight": (64, 256)})
    assert "  model      llama, 16K, F16 (Ollama shows unknown)\n" in shown("full.gguf", "--memory", "1G")


def test_unknown_architecture(tmp_path: Path) -> None:
    write_gguf(tmp_path / "new.gguf", "brand-new", METADATA, SHAPES)
    found = document("new.gguf", "--memory", "1G")

    assert (found["total"], found["exactness"], found["fits"], found["largest_context"]) == (
        None,
        "unknown",
        None,
        None,
    )
    assert verdict("new.gguf", "--memory", "1G") == [
        "unknown whether it fits into 1.0 GiB (--memory 1G): it needs more than 459.0 MiB"
    ]
    assert "KV cache unknown unknown" in " ".join(shown("new.gguf", "--memory", "1G").split())
    assert "not known for the architecture `brand-new` in Ollama 0.10.0" in shown("new.gguf", "--memory", "1G")


def test_model_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\nPARAMETER num_ctx 3072\n")
    assert mf("build", "bot:v1", "--store", "models", "--ollama", "0.10.0").code == ExitCode.CLEAN
    found = document("bot:v1", "--store", "models", "--memory", "1G")
    (tmp_path / "Model").write_text("FROM bot:v1\nSYSTEM Be brief.\n")

    assert (found["num_ctx"], found["origin"]) == (3072, "PARAMETER num_ctx of the model")
    assert found["total"] == document("Modelfile", "--memory", "1G")["total"]
    assert found == document("Model", "--store", "models", "--memory", "1G")


def test_model_of_a_registry(weights: Path) -> None:
    with FakeRegistry() as registry:
        registry.push("team/bot", "v1", published(weights.read_bytes(), parameters={"num_ctx": 2048}))
        ran = mf(
            *("show", f"registry:{registry.host}/team/bot:v1", "--memory", "1G", "--json"),
            open_registry=_open_registries,
        )
    (found,) = json.loads(ran.out)["models"]

    assert (ran.code, found["num_ctx"]) == (ExitCode.CLEAN, 2048)
    assert found["terms"] == at_2048(weights)


def at_2048(weights: Path) -> Any:
    modelfile = weights.parent / "At2048"
    modelfile.write_text(f"FROM {weights}\nPARAMETER num_ctx 2048\n")
    return document(str(modelfile), "--memory", "1G")["terms"]


def machine(folder: Path, monkeypatch: pytest.MonkeyPatch, memory: int | None, gpus: str = "") -> dict[str, str]:
    monkeypatch.setattr("modelfile.machine._system_memory", lambda: memory)
    if gpus:
        (folder / "nvidia-smi").write_text(f"#!{sys.executable}\nprint({gpus!r})\n")
        (folder / "nvidia-smi").chmod(0o755)
    return {"PATH": str(folder)}


def test_machine_without_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = machine(tmp_path, monkeypatch, 8 << 30)
    found = document("tiny.gguf", "--memory", **environ)

    assert found["terms"][-1]["bytes"] == 0
    assert found["origin"] == "default of Ollama 0.10.0 without a GPU"
    assert verdict("tiny.gguf", "--memory", **environ)[0] == (
        "fits into 8.0 GiB (RAM of this machine; no GPU found): it needs 80.0 MiB at 4,096 tokens"
    )


def test_machine_with_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = machine(tmp_path, monkeypatch, 64 << 30, "NVIDIA A10, 24564\nNVIDIA T4, 15360")
    lines = verdict("--memory", "tiny.gguf", **environ)

    assert lines[0].startswith("fits into 39.0 GiB (NVIDIA A10, NVIDIA T4): it needs 537.0 MiB")
    assert lines[-1] == "layers that do not fit into the GPU run on the CPU, slowly: 64.0 GiB of RAM"


def test_machine_that_does_not_tell_its_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = mf("show", "tiny.gguf", "--memory", environ=machine(tmp_path, monkeypatch, None))

    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert ran.err.splitlines() == [
        "error: cannot tell the memory of this machine",
        "help: pass an amount, as in `--memory 24G`",
    ]


def test_tag_is_read_where_no_server_answers() -> None:
    dead = {"OLLAMA_HOST": "127.0.0.1:9"}
    ran = mf("show", "llama3:8b-q4_K_M", "--memory", "4G", environ=dead)

    assert ran.code == ExitCode.CLEAN
    assert ran.err.splitlines() == [
        "warning: only the name is read: no Ollama server answers at http://127.0.0.1:9",
        "help: `mf show registry:llama3:8b-q4_K_M --memory` reads more",
    ]
    assert "  model      llama, 8B, Q4_K_M\n" in ran.out
    assert "8,000,000,000 parameters x 4.89 bits" in ran.out
    assert (
        ran.out.splitlines()[-1]
        == "does not fit into 4.0 GiB (--memory 4G): it needs more than 5.0 GiB at 4,096 tokens"
    )
    plain = mf("show", "llama3:8b-q4_K_M", environ=dead)
    assert (plain.code, "  quantization   Q4_K_M\n" in plain.out) == (ExitCode.CLEAN, True)
    for arguments in (("llama3:8b", "--memory"), ("llama3:8b",), ("llama3:8b-q4_K_M", "--json")):
        assert mf("show", *arguments, environ=dead).code == ExitCode.FAILED


@pytest.mark.parametrize("options", [(), ("--memory", "4G")])
def test_tag_is_read_where_the_server_lacks_the_model(options: tuple[str, ...]) -> None:
    store = MemoryStore.with_models("llama3:8b")

    def run(*arguments: str) -> Ran:
        return mf("show", *arguments, open_store=lambda _: nullcontext(store))

    for name in ("llama3:8b-q4_K_M", "model:llama3:8b-q4_K_M"):
        ran = run(name, *options)
        warning, hint = ran.err.splitlines()
        assert warning.startswith("warning: only the name is read: llama3:8b-q4_K_M not found")
        assert (ran.code, hint) == (ExitCode.CLEAN, "help: did you mean `llama3:8b`?")
        assert "Q4_K_M\n" in ran.out
    missing = run("llama3:70b", *options)
    assert (missing.code, missing.err.splitlines()[1]) == (ExitCode.FAILED, "help: did you mean `llama3:8b`?")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--memory", "24Z"), "invalid amount of memory: `24Z`"),
        (("--memory", "--tensors"), "--memory cannot be used with another form of output"),
        (("--memory", "--modelfile"), "--memory cannot be used with another form of output"),
        (("--memory", "--layers"), "--memory cannot be used with another form of output"),
        (("--memory", "--prompt", "x"), "--memory cannot be used with another form of output"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], message: str) -> None:
    ran = mf("show", "tiny.gguf", *arguments)

    assert (ran.code, ran.out, ran.err.splitlines()[0]) == (ExitCode.USAGE, "", f"error: {message}")


def test_name_that_begins_with_a_digit_is_no_amount(tmp_path: Path) -> None:
    (tmp_path / "8B.gguf").write_bytes((tmp_path / "tiny.gguf").read_bytes())
    assert mf("show", "--memory", "8B.gguf", "--json").code == ExitCode.CLEAN
    assert mf("show", "--memory", "24X", "tiny.gguf").err.startswith("error: invalid amount of memory: `24X`")


def test_adapter_that_a_server_does_not_tell_of(tmp_path: Path, fake: FakeOllama) -> None:
    write_gguf(tmp_path / "lora.gguf", "llama", {"general.type": "adapter"}, {"token_embd.weight.lora_a": (1024, 512)})
    (tmp_path / "Modelfile").write_text("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\nADAPTER ./lora.gguf\n")
    assert mf("build", "bot:v1", "--host", fake.url).code == ExitCode.CLEAN
    assert mf("show", "bot:v1", "--memory", "1G", "--host", fake.url).err == (
        "warning: the adapter of bot:v1 is not counted, as a server does not tell its size\n"
        "help: pass the Modelfile, or name the server's folder with --store\n"
    )
