"""First Modelfiles, on bases and on weights."""

from pathlib import Path

import pytest
from tests.support.tiny_gguf import bare_gguf, typed_gguf
from tests.support.tiny_safetensors import write_model

import modelfile
from modelfile.catalog.families import library_models
from modelfile.errors import InputError
from modelfile.formatter import format_modelfile
from modelfile.importer.first import is_known_base, modelfile_of_weights, modelfile_on, pinnable
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.source import Source
from modelfile.stores.protocol import StoredModel
from modelfile.syntax.modelfile import Modelfile

HEAD = "# A first Modelfile on {}: add PARAMETER, SYSTEM and MESSAGE as you need them."
LLAMA = "Llama-3.2-3B-Instruct"
NO_TEMPLATE = "# They have no chat template: write the TEMPLATE that they were trained on."
STOPS = ["PARAMETER stop <|start_header_id|>", "PARAMETER stop <|end_header_id|>", "PARAMETER stop <|eot_id|>"]
NO_SIZES = {"glm-4.7-flash", "glm-ocr", "qwen3-coder-next"}
"""Models of which the library names no size."""
NAMES = [
    *library_models(),
    *(f"hf.co/bartowski/{LLAMA}-GGUF", "hf.co/team/unknown-GGUF:Q8_0", "huggingface.co/Qwen/Qwen3-8B-GGUF:latest"),
]


@pytest.mark.parametrize("name", NAMES)
def test_first_modelfile_is_formatted_and_has_no_finding(name: str, tmp_path: Path) -> None:
    text = modelfile_on(ModelName.parse(name))
    found = [each.code for each in modelfile.lint(text, tmp_path / "Modelfile")]
    assert found == (["MF201"] if name in NO_SIZES else [])
    assert format_modelfile(Modelfile.parse(Source(text=text))) == text


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        ("llama3.2", "llama3.2:3b"),
        ("llama3.2:latest", "llama3.2:3b"),
        ("llama3.2:1b", "llama3.2:1b"),
        ("me/bot", "me/bot:latest"),
        ("athene-v2", "athene-v2:72b"),
        ("medgemma", "medgemma:4b"),
        ("glm-ocr", "glm-ocr:latest"),
        ("hf.co/a/b", "hf.co/a/b:Q4_K_M"),
        ("hf.co/a/b:Q8_0", "hf.co/a/b:Q8_0"),
    ],
)
def test_tag_that_says_more_than_latest(name: str, pinned: str) -> None:
    assert str(pinnable(ModelName.parse(name))) == pinned


def test_bases_that_ollama_can_pull() -> None:
    known = ("llama3.2", "hf.co/a/b", "huggingface.co/a/b:Q4_0")
    assert all(is_known_base(ModelName.parse(name)) for name in known)
    assert not any(is_known_base(ModelName.parse(name)) for name in ("bot:v1", "me/bot", "registry.example/a/b"))


def test_base_on_a_server_tells_its_own_license_and_stops() -> None:
    model = Model(weights=(f"sha256:{'0' * 64}",), license="MIT License\n\n…", parameters={"stop": ("<e>", "a\nb\x1b")})
    name = ModelName.parse("llama3.2:3b")
    assert modelfile_on(name, StoredModel(name=name, digest="", model=model)).splitlines() == [
        HEAD.format("llama3.2:3b"),
        "# License: MIT. Context: up to 131,072 tokens. Capabilities: tools.",
        "# Inherited: its template and the stops <e>, a b.",
        "FROM llama3.2:3b",
    ]


def test_file_of_a_known_family(tmp_path: Path) -> None:
    path = tmp_path / f"{LLAMA}-Q4_K_M.gguf"
    path.write_bytes(bare_gguf("x", file_type=15, architecture="llama"))
    assert modelfile_of_weights(path, tmp_path).splitlines() == [
        HEAD.format(f"./{path.name}"),
        "# Weights: llama, Q4_K_M.",
        NO_TEMPLATE,
        "# License: Llama 3.2 Community License. Context: up to 131,072 tokens. Capabilities: tools.",
        f"FROM ./{path.name}",
        "",
        *STOPS,
        "",
        "LICENSE Llama 3.2 Community License",
    ]
    (tmp_path / "bot").mkdir()
    assert f"\nFROM ../{path.name}\n" in modelfile_of_weights(path, tmp_path / "bot")
    path.write_bytes(bare_gguf("x", architecture="qwen2"))
    assert "PARAMETER stop" not in modelfile_of_weights(path, tmp_path)


def test_file_that_describes_itself(tmp_path: Path) -> None:
    path = tmp_path / "my model.gguf"
    described: dict[str, str | int] = {
        "general.architecture": "llama",
        "general.license": "apache-2.0\nFROM evil\x1b[31m",
        "llama.context_length": 4096,
    }
    path.write_bytes(typed_gguf(described, {"x": (0, 1000)}))
    text = modelfile_of_weights(path, tmp_path)
    assert text.splitlines() == [
        HEAD.format("./my model.gguf"),
        "# Weights: llama.",
        NO_TEMPLATE,
        "# License: apache-2.0 FROM evil [31m. Context: up to 4,096 tokens.",
        "FROM ./my model.gguf",
        "",
        "LICENSE apache-2.0 FROM evil [31m",
    ]
    assert format_modelfile(Modelfile.parse(Source(text=text))) == text


def test_files_that_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(bare_gguf("x", kind="adapter"))
    with pytest.raises(InputError, match=r"is no model, but its adapter$") as raised:
        modelfile_of_weights(path, tmp_path)
    assert raised.value.hint == "name it in the Modelfile of its model, with ADAPTER"
    shards = tmp_path / "model.safetensors"
    shards.write_bytes(b"x")
    with pytest.raises(InputError, match=r"is not a GGUF file$") as raised:
        modelfile_of_weights(shards, tmp_path)
    assert raised.value.hint == "name its folder"
    shards.unlink()
    path.write_text("FROM x")
    with pytest.raises(InputError, match=r"is not a GGUF file$"):
        modelfile_of_weights(path, tmp_path)
    with pytest.raises(InputError, match="weights"):
        modelfile_of_weights(tmp_path, tmp_path)


def test_folder_of_safetensors(tmp_path: Path) -> None:
    write_model(tmp_path / "st")
    assert modelfile_of_weights(tmp_path / "st", tmp_path).splitlines()[-1] == "FROM ./st"
    assert modelfile_of_weights(tmp_path / "st", tmp_path).splitlines()[1].startswith("# Weights: ")


@pytest.mark.parametrize(
    ("written", "lines"),
    [("apache-2.0", ["LICENSE Apache-2.0"]), ("other", []), ("", []), ("llama3.2", ["LICENSE llama3.2"])],
)
def test_license_in_a_header(tmp_path: Path, written: str, lines: list[str]) -> None:
    described: dict[str, str | int] = {"general.architecture": "llama", "general.license": written}
    (tmp_path / "a.gguf").write_bytes(typed_gguf(described, {}))
    text = modelfile_of_weights(tmp_path / "a.gguf", tmp_path)
    assert [line for line in text.splitlines() if line.startswith("LICENSE")] == lines
