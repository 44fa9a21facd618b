"""Vision models and projectors, and models that need more memory than is configured."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import typed_gguf

Numbers = Mapping[str, str | int]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: str, metadata: Numbers, tensors: Mapping[str, tuple[int, ...]] | None = None) -> None:
    Path(path).write_bytes(
        typed_gguf({"general.architecture": "llama", **metadata}, tensors or {"x": (32,)}, size=1 << 17)
    )


def write_projector(path: str, kind: str = "gemma3", tensors: Mapping[str, tuple[int, ...]] | None = None) -> None:
    metadata = {"general.architecture": "clip", "general.type": "mmproj", "clip.projector_type": kind}
    write(path, {**metadata, "clip.has_vision_encoder": 1, "clip.vision.block_count": 1}, tensors)


def found(text: str, rules: str = "MF6", *options: str) -> list[str]:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    ran = mf("lint", "--format", "json", "--select", rules, *options)
    findings = json.loads(ran.out)["findings"]
    return [f"{one['severity']} {one['name']}: {one['message']} = {one['help']}" for one in findings]


VISION = {"general.architecture": "qwen2vl"}


def test_vision_model_without_a_projector_is_reported() -> None:
    write("m.gguf", VISION)
    message = "`qwen2vl` is a model that sees images, but no FROM names its projector"
    hint = "add a FROM with its projector, which is often named `mmproj-….gguf`"
    assert found("FROM ./m.gguf") == [f"warning projector-missing: {message} = {hint}"]


def test_projector_beside_the_model_is_named() -> None:
    write("m.gguf", {"general.architecture": "gemma3"})
    write_projector("mmproj-F16.gguf")
    message = "no FROM names the projector `./mmproj-F16.gguf` beside the model, which sees no images without it"
    hint = "write `FROM ./mmproj-F16.gguf` below, if it belongs to this model"
    assert found("FROM ./m.gguf") == [f"warning projector-missing: {message} = {hint}"]
    assert found("FROM ./m.gguf\nFROM ./mmproj-F16.gguf") == []
    assert found("FROM ./m.gguf\nFROM ./mmproj-F16.gguf", "MF6", "--ollama", "0.9.3") == []
    write("m.gguf", {"general.architecture": "llama"})
    assert found("FROM ./m.gguf") == []
    write("m.gguf", {"general.architecture": "gemma3"})
    write("other.gguf", {})  # the projector may be that of the other model
    assert found("FROM ./m.gguf") == []


@pytest.mark.parametrize(
    ("metadata", "tensors"),
    [
        ({"general.architecture": "gemma3"}, {"x": (32,)}),  # may only read
        (VISION, {"x": (32,), "v.blk.0.attn_q.weight": (32, 32)}),  # in one file
        ({**VISION, "qwen2vl.block_count": 2, "qwen2vl.vision.block_count": 2}, {"x": (32,)}),
    ],
)
def test_model_that_needs_no_projector_is_not_reported(metadata: Numbers, tensors: dict[str, tuple[int, ...]]) -> None:
    write("m.gguf", metadata, tensors)
    assert found("FROM ./m.gguf") == []


@pytest.mark.parametrize(
    ("kind", "tensors", "width"),
    [
        ("gemma3", {"mm.input_projection.weight": (2560, 3)}, 2560),
        ("mlp", {"mm.0.weight": (3, 9), "mm.2.weight": (9, 2560)}, 2560),
        ("qwen2vl_merger", {"mm.2.bias": (2560,)}, 2560),
        ("qwen3vl_merger", {"mm.2.bias": (640,)}, None),  # with vectors of several layers
        ("mlp", {"mm.0.weight": (3, 9)}, None),
        ("novel", {"mm.2.weight": (9, 3)}, None),
    ],
)
def test_projector_of_another_model_is_reported(
    kind: str, tensors: dict[str, tuple[int, ...]], width: int | None
) -> None:
    write_projector("p.gguf", kind, tensors)
    write("m.gguf", {"llama.embedding_length": 4096})
    expected = (
        "warning projector-missing: the projector `p.gguf` is of another model: its vectors have 2,560 numbers,"
        " those of the model 4,096 = name the projector that was published with this model"
    )
    assert found("FROM ./m.gguf\nFROM ./p.gguf") == ([expected] if width else [])
    write("m.gguf", {"llama.embedding_length": 2560})
    assert found("FROM ./m.gguf\nFROM ./p.gguf") == []


@pytest.mark.parametrize(
    ("architecture", "kind", "is_foreign"),
    [
        ("gemma3", "qwen2.5vl_merger", True),
        ("gemma3", "pixtral", True),
        ("gemma3", "idefics3", True),
        ("gemma3", "gemma3nv", True),
        ("qwen2vl", "gemma3", True),
        ("qwen2vl", "qwen3vl_merger", True),
        ("qwen3vl", "qwen2.5vl_merger", True),
        ("mistral3", "llama4", True),
        ("llama4", "internvl", True),
        ("gemma3", "gemma3", False),
        ("gemma4", "gemma4uv", False),
        ("gemma3", "mlp", False),
        ("gemma3", "resampler", False),
        ("gemma3", "novel", False),
        ("gemma3", "ultravox", False),  # for sound, and made for many models
        ("llama", "pixtral", False),
        ("llama", "idefics3", False),
        ("llama", "gemma3", False),
        ("qwen2", "qwen2.5vl_merger", False),
        ("qwen2vl", "qwen2.5vl_merger", False),
        ("qwen2vl", "qwen2vl_merger", False),
        ("qwen25vl", "qwen2.5vl_merger", False),
        ("qwen35moe", "qwen3vl_merger", False),
        ("mistral3", "pixtral", False),
    ],
)
@pytest.mark.parametrize("key", ["clip.projector_type", "clip.vision.projector_type"])
def test_projector_of_another_family_is_reported(architecture: str, kind: str, key: str, *, is_foreign: bool) -> None:
    write("m.gguf", {"general.architecture": architecture, f"{architecture}.embedding_length": 2560})
    write("p.gguf", {"general.architecture": "clip", "general.type": "mmproj", key: kind, "clip.vision.block_count": 1})
    expected = (
        f"warning projector-missing: the projector `p.gguf` is of another model: its type is `{kind}`,"
        f" which no `{architecture}` uses = name the projector that was published with this model"
    )
    for text in ("FROM ./m.gguf\nFROM ./p.gguf", "FROM ./p.gguf\nFROM ./m.gguf"):
        assert found(text, "MF616") == [expected] * is_foreign


HEADS: Numbers = {
    "llama.block_count": 32,
    "llama.context_length": 131072,
    "llama.embedding_length": 4096,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
    "llama.vocab_size": 1000,
}


def test_only_a_configured_memory_is_compared() -> None:
    write("m.gguf", HEADS)
    text = "FROM ./m.gguf\nPARAMETER num_ctx 131072"
    assert found(text) == []
    Path("mf.toml").write_text('memory = "8G"\n')
    (finding,) = found(text)
    needs = "with a context of 131,072 tokens, the model needs 18.1 GiB, but `memory` is 8.0 GiB"
    assert finding.startswith(f"warning does-not-fit: {needs} = write `PARAMETER num_ctx ")
    longest = int(finding.rpartition("num_ctx ")[2].partition("`")[0])
    assert found(f"FROM ./m.gguf\nPARAMETER num_ctx {longest}") == []
    assert len(found(f"FROM ./m.gguf\nPARAMETER num_ctx {longest + 512}")) == 1
    Path("mf.toml").write_text('memory = "24G"\n')
    assert found(text) == []


def test_default_context_counts_without_num_ctx() -> None:
    write("m.gguf", HEADS)
    Path("mf.toml").write_text('memory = "900M"\n')
    (finding,) = found("FROM ./m.gguf")
    assert "with a context of 4,096 tokens, the model needs" in finding
    Path("mf.toml").write_text('memory = "4G"\n')
    assert found("FROM ./m.gguf") == []


def test_model_that_does_not_fit_at_all_needs_another_one() -> None:
    write("m.gguf", HEADS)
    Path("mf.toml").write_text('memory = "300M"\n')
    (finding,) = found("FROM ./m.gguf\nPARAMETER num_ctx 512")
    assert finding.endswith("= use a smaller quantization, or a smaller model")


def test_unknown_architecture_is_judged_by_its_weights() -> None:
    write("m.gguf", {"general.architecture": "deepseek4"})
    Path("mf.toml").write_text('memory = "24G"\n')
    assert found("FROM ./m.gguf\nPARAMETER num_ctx 131072") == []
