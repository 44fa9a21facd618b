"""Models, adapters and projectors that FROM or ADAPTER names and that the other instruction is for."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.unit.weights.test_checks import write_gguf

from modelfile import parse, resolve
from modelfile.differ.models import compare_recipes
from modelfile.weights.digests import digests_of

PROJECTOR: Mapping[str, str | int] = {"general.type": "projector", "clip.vision.block_count": 2}
IS_PROJECTOR = "warning MF602 `./p.gguf` is a projector, not an adapter = write `FROM ./p.gguf`"
IN_FOLDER = "`ADAPTER ./both/lora.gguf`"
NAME_BOTH = "name the model that it was trained for in FROM, and the adapter in ADAPTER"
NAME_ONE = "keep the model's file in FROM, and name one adapter in ADAPTER"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    write_gguf(tmp_path / "m.gguf")
    write_gguf(tmp_path / "n.gguf", {"general.name": "n"})
    write_gguf(tmp_path / "lora.gguf", {"general.type": "adapter"})
    write_gguf(tmp_path / "lora2.gguf", {"general.type": "adapter", "general.name": "2"})
    write_gguf(tmp_path / "p.gguf", PROJECTOR, arch="clip")
    (tmp_path / "both").mkdir()
    write_gguf(tmp_path / "both/m.gguf")
    write_gguf(tmp_path / "both/lora.gguf", {"general.type": "adapter"})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(text: str) -> list[str]:
    Path("Modelfile").write_text(f"# Answers questions.\n{text}\n")
    ran = mf("lint", "--format", "json", "--ignore", "missing-purpose")
    findings = json.loads(ran.out)["findings"]
    return [f"{one['severity']} {one['code']} {one['message']} = {one['help']}" for one in findings]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM ./m.gguf\nADAPTER ./lora.gguf", []),
        ("FROM ./m.gguf\nFROM ./p.gguf", []),
        (
            "FROM ./m.gguf\nADAPTER ./p.gguf",
            [IS_PROJECTOR],
        ),
        (
            "FROM llama3.2:3b\nADAPTER ./p.gguf",
            [f"{IS_PROJECTOR} beside the model's file: beside a name it would be ignored"],
        ),
        (
            "FROM ./m.gguf\nADAPTER ./n.gguf",
            ["error MF603 `n.gguf` is a model, not an adapter = name it in FROM"],
        ),
        (
            "FROM ./m.gguf\nFROM ./lora.gguf",
            ["warning MF604 `./lora.gguf` is an adapter, not a model = write `ADAPTER ./lora.gguf`"],
        ),
        (
            "FROM ./both",
            ["warning MF604 `./both/lora.gguf` is an adapter, not a model = name each file: " + IN_FOLDER],
        ),
        (
            "FROM ./lora.gguf",
            [f"error MF601 FROM names no model, only the adapter `lora.gguf` = {NAME_BOTH}"],
        ),
        (
            "FROM ./m.gguf\nFROM ./lora.gguf\nFROM ./lora2.gguf",
            [f"error MF601 FROM names 2 adapters (`lora.gguf`, `lora2.gguf`), but Ollama uses only one = {NAME_ONE}"],
        ),
    ],
)
def test_file_is_judged_by_its_header(text: str, expected: list[str]) -> None:
    assert found(text) == expected


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FROM ./x/m.gguf\nADAPTER ./x/mmproj-F16.gguf",
            "error MF602 by its name, `./x/mmproj-F16.gguf` is a projector",
        ),
        ("FROM ./x/m.gguf\nADAPTER x/qwen.mmproj-q8_0.gguf", "error MF602 by its name, `x/qwen.mmproj-q8_0.gguf` is a"),
        (
            "FROM llama3.2:3b\nADAPTER x/mistral.Q4_K_M.gguf",
            "error MF603 by its name, `x/mistral.Q4_K_M.gguf` is a",
        ),
        ("FROM llama3.2:3b\nADAPTER x/m-IQ3_XXS.gguf", "error MF603 by its name, `x/m-IQ3_XXS.gguf` is a model"),
        ("FROM llama3.2:3b\nFROM ./x/my-lora.gguf", "error MF604 by its name, `./x/my-lora.gguf` is an adapter"),
        (
            "FROM llama3.2:3b\nFROM x/adapter.gguf",
            "error MF604 by its name, `x/adapter.gguf` is an ada",
        ),
        (
            "FROM ./x/adapter_model.safetensors",
            "error MF604 by its name, `./x/adapter_model.safetensors` is an",
        ),
    ],
)
def test_missing_file_is_judged_by_its_name(text: str, expected: str) -> None:
    (only,) = [line for line in found(text) if "`./x/m.gguf`" not in line]
    assert only.startswith(expected)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    "text",
    [
        "FROM llama3.2:3b\nADAPTER ./x/my-lora-q4_k_m.gguf",
        "FROM llama3.2:3b\nADAPTER ./x/my-lora-f16.gguf",
        "FROM llama3.2:3b\nADAPTER ./x/q8_0.gguf",
        "FROM llama3.2:3b\nADAPTER ./x/adapter_model.safetensors",
        "FROM ./x/my-lora-f16.gguf",
        "FROM ./x/exploration.gguf\nFROM ./m.gguf",
        "FROM ./x/my-lora-merged.gguf\nFROM ./m.gguf",
        "FROM ./x/my-lora.Q4_K_M.gguf\nFROM ./m.gguf",
    ],
)
def test_other_names_are_not_judged(text: str) -> None:
    assert not [line for line in found(text) if "by its name" in line]


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("FROM ./m.gguf\nFROM ./lora.gguf", "ADAPTER ./lora.gguf"),
        ("FROM ./m.gguf\nADAPTER ./p.gguf", "FROM ./p.gguf"),
    ],
)
def test_fix_writes_the_other_instruction(text: str, fixed: str, folder: Path) -> None:
    assert found(text)
    mf("lint", "--fix", "--unsafe-fixes", "--select", "MF602,MF604")
    assert (folder / "Modelfile").read_text() == f"# Answers questions.\nFROM ./m.gguf\n{fixed}\n"


@pytest.mark.parametrize(
    ("as_written", "as_meant"),
    [
        ("FROM ./m.gguf\nFROM ./lora.gguf", "FROM ./m.gguf\nADAPTER ./lora.gguf"),
        ("FROM ./both", "FROM ./m.gguf\nADAPTER ./lora.gguf"),
        ("FROM ./m.gguf\nADAPTER ./p.gguf", "FROM ./m.gguf\nFROM ./p.gguf"),
    ],
)
def test_diff_compares_files_by_their_content(as_written: str, as_meant: str, folder: Path) -> None:
    old, new = (resolve(parse(text), folder) for text in (as_written, as_meant))
    digests: Mapping[Path, str] = digests_of((*old.local_files, *new.local_files))
    assert compare_recipes(old, new, digests) == ()
