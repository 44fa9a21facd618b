"""`mf diff` of Modelfiles with local weights: what the headers say of them."""

from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.made_gguf import write_gguf


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    write_gguf(tmp_path / "a.gguf", "llama", {"general.file_type": 1}, {"token_embd.weight": (64, 32)})
    write_gguf(tmp_path / "b.gguf", "qwen2", {"general.file_type": 15}, {"token_embd.weight": (640, 32)})
    write_gguf(tmp_path / "p.gguf", "clip", {"general.type": "mmproj"}, {"v.patch_embd.weight": (64, 32)})
    for name in "ab":
        (tmp_path / f"{name}.Modelfile").write_text(f"# For tests.\nFROM ./{name}.gguf\n")
    return tmp_path


def weights(a: str, b: str) -> list[str]:
    ran = mf("diff", a, b)
    assert (ran.code, ran.err) == (1, "")
    return ran.out.splitlines()[3:]


@pytest.mark.usefixtures("folder")
def test_headers_of_two_modelfiles_are_compared() -> None:
    base, *facts = weights("a.Modelfile", "b.Modelfile")
    assert base.startswith("  base          sha256:")
    assert facts == [
        "  architecture  llama -> qwen2",
        "  quantization  F16 -> Q4_K_M",
        "  size          2K -> 20K",
        "  tensors       1 F16 of 32 x 64 -> 1 F16 of 32 x 640",
    ]


def test_same_facts_are_not_printed(folder: Path) -> None:
    content = (folder / "a.gguf").read_bytes()
    (folder / "b.gguf").write_bytes(content + bytes(32))
    assert len(weights("a.Modelfile", "b.Modelfile")) == 1


def test_projector_and_unreadable_weights_have_no_facts(folder: Path) -> None:
    with (folder / "b.Modelfile").open("a") as file:
        file.write("FROM ./p.gguf\n")
    assert "  architecture  llama -> qwen2" in weights("a.Modelfile", "b.Modelfile")


def test_headers_are_compared_with_a_model(folder: Path) -> None:
    with (folder / "a.Modelfile").open("a") as file:
        file.write("TEMPLATE {{ .Prompt }}\nPARAMETER stop User:\n")
    assert mf("build", "bot:v1", "-f", "a.Modelfile", "--store", "models").code == 0
    (folder / "a.gguf").write_bytes((folder / "b.gguf").read_bytes())
    ran = mf("diff", "store:bot:v1", "a.Modelfile", "--store", "models")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.splitlines()[4:] == [
        "  architecture  llama -> qwen2",
        "  quantization  F16 -> Q4_K_M",
        "  size          2K -> 20K",
        "  tensors       1 F16 of 32 x 64 -> 1 F16 of 32 x 640",
    ]
