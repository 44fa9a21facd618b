"""Projects that `mf build` rejects before it asks the server anything: `mf lint` has to report each of them."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf
from tests.support.tiny_gguf import write_tiny_gguf
from tests.support.tiny_safetensors import write_model
from tests.unit.weights.test_checks import write_gguf, write_shard

from modelfile.stores.memory import MemoryStore

BASE = "# For tests.\nFROM llama3.2:3b\n"
LOCAL = "# For tests.\nFROM ./m.gguf\n"
FOLDER = "# For tests.\nFROM ./m\n"
Make = Callable[[Path], object]


def run(command: str, folder: Path) -> Ran:
    store = MemoryStore.with_models("llama3.2:3b")
    return mf(*command.split(), cwd=folder, open_store=lambda _: nullcontext(store))


def write(name: str, data: bytes) -> Make:
    return lambda folder: (folder / name).write_bytes(data)


def tiny(folder: Path, end: int | None = None) -> None:
    path = write_tiny_gguf(folder / "m.gguf")
    path.write_bytes(path.read_bytes()[:end])


def weights(folder: Path, name: str = "m", shards: int = 1) -> Path:
    return write_model(folder / name, shards)


def symlink(name: str, target: str) -> Make:
    return lambda folder: (folder / name).symlink_to(target)


def both(*makes: Make) -> Make:
    return lambda folder: [make(folder) for make in makes]


WEIGHTS: Mapping[str, tuple[str, Make, str]] = {
    "empty": (LOCAL, write("m.gguf", b""), "`m.gguf` is empty"),
    "junk": (LOCAL, write("m.gguf", b"junk" * 99), "`m.gguf` is not a GGUF file"),
    "cut in the header": (LOCAL, lambda folder: tiny(folder, 100), "its header alone is longer"),
    "cut in the tensors": (LOCAL, lambda folder: tiny(folder, -1), "its header requires"),
    "git-lfs pointer": (LOCAL, write("m.gguf", b"version https://git-lfs.github.com/spec/v1\n"), "a git-lfs pointer"),
    "pointer without a suffix": (
        FOLDER,
        write("m", b"version https://git-lfs.github.com/spec/v1\n"),
        "`m` is a git-lfs",
    ),
    "PyTorch": ("# x\nFROM ./m.bin\n", write("m.bin", b"PK\3\4" * 9), "`m.bin` is neither GGUF nor safetensors"),
    "empty without a suffix": (FOLDER, write("m", b""), "`m` is neither GGUF nor safetensors"),
    "safetensors alone": ("# x\nFROM ./m/model.safetensors\n", weights, "without config.json"),
    "safetensors cut": (
        FOLDER,
        both(weights, lambda at: os.truncate(at / "m/model.safetensors", 3000)),
        "is truncated",
    ),
    "missing shard": (
        FOLDER,
        both(lambda at: weights(at, shards=2), lambda at: (at / "m/model-00001-of-00002.safetensors").unlink()),
        "missing 1 of 2 weights files",
    ),
    "binary JSON": (FOLDER, both(weights, write("m/x.json", b"\0\1")), "is application/octet-stream, not text/plain"),
    "no weights": (FOLDER, lambda folder: (folder / "m").mkdir(), "no weights in `./m`"),
    "symlink out of the folder": (
        FOLDER,
        both(weights, write("x", b"{}"), symlink("m/x.json", "../x")),
        "points outside it",
    ),
    "pipe in the folder": (FOLDER, both(weights, lambda at: os.mkfifo(at / "m/x.json")), "is a pipe"),
    "pipe": (LOCAL, lambda folder: os.mkfifo(folder / "m.gguf"), "neither a file nor a folder"),
    "device": ("# x\nFROM /dev/zero\n", lambda _: None, "neither a file nor a folder"),
    "looped symlink": (LOCAL, symlink("m.gguf", "m.gguf"), "too many levels of symbolic links"),
    "looped symlink like a name": ("# x\nFROM m:1\n", symlink("m:1", "m:1"), "too many levels of symbolic links"),
    "path through a file": ("# x\nFROM x/m:1\n", write("x", b""), "not a directory"),
    "path like a name": ("# x\nFROM m\n", write("m", b"text"), "`m` is neither GGUF nor safetensors"),
    "two models": (
        f"{LOCAL}FROM ./n.gguf\n",
        both(lambda at: write_gguf(at / "m.gguf"), lambda at: write_gguf(at / "n.gguf")),
        "FROM names 2 models",
    ),
    "projector alone": (
        LOCAL,
        lambda at: write_gguf(at / "m.gguf", {"general.type": "mmproj", "clip.vision.block_count": 2}, arch="clip"),
        "names no model, only the projector",
    ),
    "one shard": ("# x\nFROM ./m-00001-of-00002.gguf\n", lambda at: write_shard(at, 1, 2), "shard"),
    "weights beside a name": (f"{LOCAL}FROM llama3.2:3b\n", write("m.gguf", b"junk"), "`m.gguf` is not a GGUF file"),
    "model as adapter": (f"{BASE}ADAPTER ./m.gguf\n", tiny, "is a model, not an adapter"),
    "junk as adapter": (f"{BASE}ADAPTER ./m.gguf\n", write("m.gguf", b"junk"), "`m.gguf` is not a GGUF file"),
    "no adapter": (f"{BASE}ADAPTER ./m.gguf\n", lambda _: None, "file not found: `./m.gguf`"),
    "device as adapter": (f"{BASE}ADAPTER /dev/null\n", lambda _: None, "neither a file nor a folder"),
    "junk as draft": (f"{BASE}DRAFT ./m.gguf\n", write("m.gguf", b"junk"), "`m.gguf` is not a GGUF file"),
    "draft as model": (f"{LOCAL}DRAFT ./m.gguf\n", tiny, "must not be the same file as FROM"),
}


@pytest.mark.parametrize(("text", "make", "message"), [pytest.param(*case, id=name) for name, case in WEIGHTS.items()])
def test_weights_that_a_build_rejects_are_reported(text: str, make: Make, message: str, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(text)
    make(tmp_path)
    assert run("build bot:v1", tmp_path).code != 0
    linted = run("lint --format concise --fail-level error", tmp_path)
    assert linted.code == 1, linted
    assert message in linted.out
    assert linted.out.count(" error ") == 1


@pytest.mark.parametrize(
    ("text", "make"),
    [(BASE, lambda _: None), (LOCAL, tiny), (FOLDER, weights), (f"{LOCAL}FROM llama3.2:3b\n", tiny)],
    ids=["name", "file", "folder", "file beside a name"],
)
def test_weights_that_a_build_accepts_are_not_reported(text: str, make: Make, tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(text)
    make(tmp_path)
    assert run("build bot:v1", tmp_path).code == 0
    assert "MF6" not in run("lint", tmp_path).out


def test_finding_is_at_the_instruction_that_names_the_file(tmp_path: Path) -> None:
    text = f"{BASE}ADAPTER ./a.gguf\nDRAFT ./b.gguf\nDRAFT ./c.gguf\n"
    (tmp_path / "Modelfile").write_text(text)
    for name in "ac":
        write_gguf(tmp_path / f"{name}.gguf", {"general.type": "adapter"})
    (tmp_path / "b.gguf").write_bytes(b"GGUF")
    ran = run("lint --format concise --select MF6", tmp_path)
    assert ran.out == "Modelfile:4:7: error MF609 `b.gguf` is truncated: it has 4 bytes, its header alone is longer\n"


def test_a_draft_that_ollama_does_not_support_is_one_finding(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text(f"{BASE}DRAFT ./m.gguf\n")
    tiny(tmp_path)
    ran = run("lint --format concise --ollama 0.9.3", tmp_path)
    assert [line.split()[2] for line in ran.out.splitlines()] == ["MF102"]


def test_a_lint_without_local_weights_reads_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.linter.local_files.rejected_files", None)
    (tmp_path / "Modelfile").write_text(BASE)
    assert run("lint", tmp_path).code == 0


def table(name: str, modelfile: str, quantize: str = "") -> str:
    quantized = f'quantize = "{quantize}"\n' if quantize else ""
    return f'[models.{name}]\nmodelfile = "{modelfile}"\ntag = "v1"\n{quantized}'


TWO = table("a", "a.Modelfile") + table("b", "b.Modelfile")
PROJECTS: Mapping[str, tuple[str, Mapping[str, str], Make, str]] = {
    "missing Modelfile": (
        TWO,
        {"a.Modelfile": BASE},
        lambda _: None,
        "error: `mf.toml`: `models.b.modelfile`: cannot read `b.Modelfile`: no such file or directory\n",
    ),
    "circle": (
        TWO,
        {"a.Modelfile": "# For tests.\nFROM b:v1\n", "b.Modelfile": "# For tests.\nFROM a:v1\n"},
        lambda _: None,
        "error: `mf.toml`: the models of the project go in a circle: a:v1 is FROM b:v1, which is FROM a:v1\n",
    ),
    "circle of one among two": (
        TWO,
        {"a.Modelfile": "# For tests.\nFROM a:v1\n", "b.Modelfile": BASE},
        lambda _: None,
        "error: `mf.toml`: the models of the project go in a circle: a:v1 is FROM a:v1\n",
    ),
    "one name twice": (
        table("Bot", "a.Modelfile") + table("bot", "b.Modelfile"),
        {"a.Modelfile": BASE, "b.Modelfile": BASE},
        lambda _: None,
        "error: `mf.toml`: the project lists bot:v1 twice\n",
    ),
    "Modelfile of another name": (
        table("a", "a.Modelfile") + table("b", "b.txt"),
        {"a.Modelfile": BASE, "b.txt": "FORM x\n"},
        lambda _: None,
        "b.txt:1:1: error MF102 ",
    ),
    "Modelfile that git ignores": (
        TWO,
        {"a.Modelfile": BASE, "b.Modelfile": "FORM x\n", ".gitignore": "b.*\n"},
        lambda _: None,
        "b.Modelfile:1:1: error MF102 ",
    ),
    "folder": (
        table("a", "a.Modelfile") + table("b", "b"),
        {"a.Modelfile": BASE, "b/x": ""},
        lambda _: None,
        "`b` is a folder",
    ),
    "dangling symlink": (
        TWO,
        {"a.Modelfile": BASE},
        symlink("b.Modelfile", "gone"),
        "cannot read `b.Modelfile`: no such",
    ),
    "looped symlink": (
        TWO,
        {"a.Modelfile": BASE},
        symlink("b.Modelfile", "b.Modelfile"),
        "too many levels of symbolic",
    ),
    "pipe": (TWO, {"a.Modelfile": BASE}, lambda at: os.mkfifo(at / "b.Modelfile"), "`b.Modelfile`: it is a pipe"),
    "binary Modelfile": (
        TWO,
        {"a.Modelfile": BASE, "b.Modelfile": "GGUF\0"},
        lambda _: None,
        "`b.Modelfile` is binary",
    ),
    "unknown quantization": (
        table("a", "a.Modelfile", "q9"),
        {"a.Modelfile": BASE},
        lambda _: None,
        "a.Modelfile:2:6: error MF617 `mf.toml`: `models.a.quantize`: Ollama 0.32.15 cannot quantize to `q9`\n",
    ),
    "quantization of quantized weights": (
        table("a", "a.Modelfile", "q4_K_M"),
        {"a.Modelfile": LOCAL},
        lambda at: write_gguf(at / "m.gguf", {"general.file_type": 15}),
        "error MF617 `mf.toml`: `models.a.quantize`: cannot quantize `m.gguf`: its weights are Q4_K_M\n",
    ),
}


@pytest.mark.parametrize(
    ("config", "files", "make", "message"), [pytest.param(*case, id=name) for name, case in PROJECTS.items()]
)
def test_projects_that_a_build_rejects_are_reported(
    config: str, files: Mapping[str, str], make: Make, message: str, tmp_path: Path
) -> None:
    (tmp_path / "below").mkdir()
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name, text in {"mf.toml": config, **files, "below/Modelfile": BASE}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    make(tmp_path)
    assert run("build", tmp_path).code not in (0, 1)
    linted = run("lint --format concise", tmp_path)
    assert linted.code == (1 if "error MF" in message else 3), linted
    assert (linted.out + linted.err).count(message) == 1
    if linted.code == 3 and message.startswith("error"):  # found from any folder of the project
        assert "mf.toml`: " in run("lint", tmp_path / "below").err
        assert "mf.toml`: " in run("lint below", tmp_path).err
        assert run("lint below/Modelfile", tmp_path).code == 0
        assert run("lint --isolated", tmp_path).code == 0


@pytest.mark.parametrize("command", ["lint", "check", "fmt --check", "pin --check", "verify", "outdated", "tree"])
def test_a_folder_with_only_a_listed_modelfile_of_an_unusual_name(command: str, tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text(table("a", "bot/a.txt"))
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "a.txt").write_text(BASE)
    (tmp_path / "other").mkdir()
    assert "no Modelfile" not in run(command, tmp_path).err
    assert "no Modelfile in" in run("lint other", tmp_path).err
    (tmp_path / "bot" / "a.txt").unlink()
    assert "cannot read `bot/a.txt`" in run("lint", tmp_path).err + run("lint bot", tmp_path).err


def test_listed_modelfiles_are_linted_once_and_only_below_the_folder(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "mf.toml").write_text(
        table("a", "bot/a.txt") + table("b", "./bot/../b.txt") + table("c", "bot/Modelfile")
    )
    for name in ("bot/a.txt", "b.txt", "bot/Modelfile"):
        (tmp_path / name).write_text(BASE)
    assert json.loads(run("lint --json", tmp_path).out)["files"] == 3
    assert json.loads(run("lint --json bot", tmp_path).out)["files"] == 2
    assert json.loads(run("lint --json bot/Modelfile bot/a.txt", tmp_path).out)["files"] == 2
    (tmp_path / "mf.toml").write_text('exclude = ["*.txt"]\n' + (tmp_path / "mf.toml").read_text())
    assert json.loads(run("lint --json", tmp_path).out)["files"] == 1


def test_listed_symlink_out_of_the_project_is_not_rewritten(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (tmp_path / "outside").write_text("from llama3.2:3b\n")
    (project / "x.txt").symlink_to("../outside")
    (project / "Modelfile").write_text(BASE)
    (project / "mf.toml").write_text(table("a", "x.txt"))
    assert "warning: skipped `x.txt`: it is a symlink to " in run("fmt", project).err
    assert (tmp_path / "outside").read_text() == "from llama3.2:3b\n"
