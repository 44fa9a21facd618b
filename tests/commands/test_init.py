"""`mf init`, where cases cannot show it: files, folders, full disks, interruptions."""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf
from tests.support.tiny_gguf import typed_gguf

import modelfile
from modelfile.errors import ServerUnreachable
from modelfile.importer import stored as importing
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, Store

LLAMA: dict[str, str | int] = {"general.architecture": "llama", "llama.block_count": 1}
USER = hasattr(os, "geteuid") and os.geteuid() != 0


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("MF_STORE", raising=False)
    return folder


@pytest.fixture
def store() -> MemoryStore:
    """Return a store with a base and bot:v1."""
    made = MemoryStore.with_models("llama3.2:3b")
    Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    assert run(made, "build", "bot:v1").code == 0
    Path("Modelfile").unlink()
    return made


def run(store: Store, *arguments: str) -> Ran:
    def opened(_: object) -> AbstractContextManager[Store]:
        return nullcontext(store)

    return mf(*arguments, open_store=opened)


class Unreachable(MemoryStore):
    """A server that does not answer."""

    def list(self) -> tuple[ListedModel, ...]:
        """Fail."""
        raise ServerUnreachable("no Ollama server answers at http://gpu", hint="start one with `ollama serve`")


def test_modelfile_is_written_once(store: MemoryStore) -> None:
    ran = run(store, "init", "bot:v1")
    assert (ran.code, ran.out) == (0, "wrote Modelfile; build with `mf build bot:v1`\n")
    assert Path("Modelfile").read_text().splitlines()[1:] == ["FROM llama3.2:3b", "", "SYSTEM Be brief."]
    assert Path("Modelfile").stat().st_mode & 0o777 == 0o666 & ~umask()
    Path("Modelfile").write_text("mine")
    ran = run(store, "init", "bot:v1")
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: `Modelfile` exists already")
    assert Path("Modelfile").read_text() == "mine"
    assert [*Path().iterdir()] == [Path("Modelfile")]


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_damaged_lock_decides_nothing(store: MemoryStore) -> None:
    Path("mf.lock").write_text("{")
    assert run(store, "init", "bot:v1", "-o", "-").out.splitlines()[1] == "FROM llama3.2:3b"


def test_output_without_a_name(store: MemoryStore) -> None:
    ran = run(store, "init", "bot:v1", "-o", "")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: --output needs the path of a file")
    assert [*Path().iterdir()] == []


def test_symlink_is_not_followed(store: MemoryStore, tmp_path: Path) -> None:
    Path("Modelfile").symlink_to(tmp_path / "elsewhere")
    assert run(store, "init", "bot:v1").code == 3
    assert not (tmp_path / "elsewhere").exists()


def test_file_that_appears_meanwhile_is_not_overwritten(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def write(*_: object) -> str:
        Path("Modelfile").write_text("mine")
        return "FROM llama3.2:3b\n"

    monkeypatch.setattr(importing, "_write", write)
    ran = run(store, "init", "bot:v1")
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: `Modelfile` exists already")
    assert Path("Modelfile").read_text() == "mine"
    assert [*Path().iterdir()] == [Path("Modelfile")]


@pytest.mark.parametrize("failing", ["write", "fsync"])
def test_interruption_leaves_nothing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if failing == "write":
        monkeypatch.setattr(Path, "hardlink_to", interrupt)
    else:
        monkeypatch.setattr(os, "fsync", interrupt)
    assert run(store, "init", "bot:v1").code == 130
    assert [*Path().iterdir()] == []


def test_full_disk_leaves_nothing(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    ran = run(store, "init", "bot:v1")
    assert ran.code == 3
    assert ran.err == (
        "error: cannot write `Modelfile`: no space left on device\n"
        "help: nothing was written; free some disk space, then run the command again\n"
    )
    assert [*Path().iterdir()] == []


@pytest.mark.skipif(not USER, reason="root may write everywhere")
def test_folder_that_is_read_only(store: MemoryStore) -> None:
    Path("out").mkdir(mode=0o555)
    ran = run(store, "init", "bot:v1", "-o", "out/Modelfile")
    assert (ran.code, ran.err) == (3, "error: cannot write `out/Modelfile`: permission denied\n")


def test_file_system_without_hard_links(store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert run(store, "init", "bot:v1").code == 0
    assert [*Path().iterdir()] == [Path("Modelfile")]


def test_server_that_does_not_answer() -> None:
    store = Unreachable(url="http://gpu")
    assert run(store, "init", "llama3.2", "-o", "-").out.endswith("\nFROM llama3.2:3b\n")
    ran = run(store, "init", "bot:v1")
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: no Ollama server answers at http://gpu")
    assert not Path("Modelfile").exists()


def test_json(store: MemoryStore) -> None:
    stored = modelfile.show("bot:v1", store)
    ran = run(store, "init", "bot:v1", "--json")
    assert json.loads(ran.out) == {"file": "Modelfile", "name": "bot:v1", "fingerprint": stored.fingerprint}
    assert json.loads(run(store, "init", "--json").out) == {"file": "mf.toml", "name": None, "fingerprint": None}
    ran = run(store, "init", "llama3.2:3b", "-o", "-", "--json")
    assert (ran.code, json.loads(ran.out)["error"]["code"]) == (2, "usage-error")


def test_weights_of_a_folder(tmp_path: Path) -> None:
    Path("tiny.gguf").write_bytes(typed_gguf(LLAMA, {}))
    Path("Modelfile").write_text("FROM ./tiny.gguf\nSYSTEM a\n")
    models = str(tmp_path / "models")
    assert mf("build", "bot:v1", "--store", models, "--quiet").code == 0
    ran = mf("init", "bot:v1", "--store", models, "-o", "-")
    assert ran.out.splitlines()[1].startswith("# The weights have no name")
    assert ran.out.splitlines()[2].startswith(f"FROM {models}/blobs/sha256-")
    ran = mf("init", "bot:v1", "--store", models, "-o", "out/Modelfile", "--weights", "out/w")
    assert (ran.code, ran.err.splitlines()[0]) == (3, "error: cannot write `out/Modelfile`: no folder `out`")
    Path("out").mkdir()
    ran = mf("init", "bot:v1", "--store", models, "-o", "out/Modelfile", "--weights", "out/w")
    assert (ran.code, ran.out) == (0, "wrote out/Modelfile; build with `mf build bot:v1 -f out/Modelfile`\n")
    assert Path("out/w/bot-v1.gguf").read_bytes() == Path("tiny.gguf").read_bytes()
    assert Path("out/Modelfile").read_text().splitlines()[1:] == ["FROM ./w/bot-v1.gguf", "", "SYSTEM a"]
    assert mf("build", "bot:v2", "-f", "out", "--store", models, "--quiet").code == 0
    assert mf("diff", "bot:v1", "bot:v2", "--store", models).code == 0


def test_weights_that_the_folder_lacks(tmp_path: Path) -> None:
    Path("tiny.gguf").write_bytes(typed_gguf(LLAMA, {}))
    Path("Modelfile").write_text("FROM ./tiny.gguf\nSYSTEM a\n")
    models = tmp_path / "models"
    assert mf("build", "bot:v1", "--store", str(models), "--quiet").code == 0
    with modelfile.open_folder(models) as store:
        store.blobs.path(modelfile.show("bot:v1", store).model.weights[0]).unlink()
    ran = mf("init", "bot:v1", "--store", str(models), "-o", "-")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines()[1:] == [
        f"error: bot:v1 is listed in {models}, but cannot be read",
        f"help: restore it with `mf store check --repair --store {models}`",
    ]


def test_folders_as_names(store: MemoryStore) -> None:
    Path("bot").mkdir()
    assert run(store, "init", "bot", "-o", "-").err.startswith("error: bot:latest not found")
    assert run(store, "init", "./bot", "-o", "-").err.startswith("error: ")
    Path("bot/tiny.gguf").write_bytes(typed_gguf(LLAMA, {}))
    assert run(store, "init", "bot", "-o", "-").out.endswith("\nFROM ./bot\n")
    assert mf("init", ".", "-o", "-", cwd=Path("bot")).out.endswith("\nFROM .\n")
    assert run(store, "init", "", "-o", "-").err.startswith("error: invalid model name ``")
    Path("bot/Modelfile").write_text("FROM ./tiny.gguf\n")
    assert run(store, "init", "bot/", "-o", "-").err.startswith("error: `bot/Modelfile` is a Modelfile already")


def test_configuration_above_is_not_hidden(project: Path) -> None:
    (project / "mf.toml").write_text("")
    Path("bot").mkdir()
    Path("bot/Modelfile").write_text("FROM llama3.2:3b\n")
    (project / ".git").mkdir()
    ran = mf("init", cwd=project / "bot")
    assert (ran.code, ran.err.splitlines()[1]) == (3, "help: add `[models.NAME]` to it")
