"""`mf show` of models: revisions of git, and contents that are hard to show."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.folder import add_model, empty_store
from tests.support.repository import git
from tests.support.tiny_gguf import typed_gguf

from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryStore

STORE = ("--store", "store")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add(model: bytes = b"GGUF weights", **layers: bytes) -> None:
    add_model(empty_store(Path("store")), "bot:v1", model=model, age=0, **layers)


def test_a_modelfile_at_a_revision(here: Path) -> None:
    git(here, "init", "-q", "-b", "main")
    (here / "Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Old.\nTEMPLATE {{ .System }} {{ .Prompt }}\n")
    git(here, "add", "-A")
    git(here, "commit", "-q", "-m", "x")
    (here / "Modelfile").write_text("FROM llama3.2:3b\nSYSTEM New.\n")
    store = MemoryStore.with_models("llama3.2:3b")
    store.create(ModelName.parse("bot:v1"), Recipe(base="llama3.2:3b"), {}, ignore)
    old = mf("show", "git:HEAD:Modelfile", open_store=lambda _: nullcontext(store))
    assert (old.code, old.out.split("\n")[0]) == (0, "git:HEAD:Modelfile")
    assert "\nsystem (git:HEAD:Modelfile:2)\n  Old.\n" in old.out
    assert "\nsystem (Modelfile:2)\n  New.\n" in mf("show", "Modelfile", open_store=lambda _: nullcontext(store)).out
    assert mf("show", "git:HEAD:Modelfile", "--prompt", "Hi", open_store=lambda _: nullcontext(store)).out == "Old. Hi"
    missing = mf("show", "git:HEAD:none", open_store=lambda _: nullcontext(store))
    assert (missing.code, missing.out) == (3, "")
    assert missing.err == "error: no Modelfile `none` at `HEAD`\nhelp: write `git:HEAD:Modelfile`\n"


def test_weights_of_a_modelfile_at_a_revision(here: Path) -> None:
    add(typed_gguf({"general.architecture": "llama"}))
    git(here, "init", "-q", "-b", "main")
    (here / "Modelfile").write_text("FROM bot:v1\n")
    git(here, "add", "Modelfile")
    git(here, "commit", "-q", "-m", "x")
    (here / "Modelfile").unlink()
    for option in ("--sha256", "--tensors"):
        printed = mf("show", "git:HEAD:Modelfile", option, *STORE)
        assert (printed.code, printed.err) == (0, "")
        assert printed.out == mf("show", "bot:v1", option, *STORE).out
    for arguments in (("show", "--modelfile"), ("init",)):
        assert mf(*arguments, "git:HEAD:Modelfile", *STORE).err == (
            "error: `git:HEAD:Modelfile` is no model: `git:` is for Modelfiles\nhelp: name a model\n"
        )


def test_a_model_whose_layers_are_missing() -> None:
    add(system=b"You are terse.")
    for blob in Path("store/blobs").iterdir():
        if blob.read_bytes() == b"You are terse.":
            blob.unlink()
    ran = mf("show", "bot:v1", *STORE)
    assert ran.code == 3
    assert "error: bot:v1 is listed in " in ran.err
    assert "help: restore it with `mf store check --repair" in ran.err


@pytest.mark.parametrize("layer", ["system", "template", "license"])
def test_binary_junk_in_a_text_layer_reaches_no_terminal(layer: str) -> None:
    add(**{layer: bytes(range(256)) * 4})
    ran = mf("show", "bot:v1", *STORE)
    assert "\x1b" not in ran.out + ran.err
    assert "Traceback" not in ran.err
    assert ran.code in (0, 3)
    assert mf("show", "bot:v1", "--json", *STORE).code == ran.code


def test_escapes_of_terminals_are_shown_as_codes() -> None:
    add(system=b"Red: \x1b[31m\x07", params=b'{"stop": ["\\u001b[0m"]}', license=b"\x1b]0;title\x07")
    ran = mf("show", "bot:v1", *STORE)
    assert ran.code == 0
    assert "  Red: <U+001B>[31m<U+0007>\n" in ran.out
    assert "\x1b" not in ran.out


def test_a_huge_text_is_shortened() -> None:
    add(system=b"line of a prompt\n" * 1_000_000)  # 17 MB
    ran = mf("show", "bot:v1", *STORE)
    assert ran.code == 0
    assert len(ran.out) < 3_000
    assert "more lines: `mf show bot:v1 --all --store store`" in ran.out
    add(system=b"x" * (50 << 20))
    assert "32 MiB" in mf("show", "bot:v1", *STORE).err


def test_the_context_of_weights_in_a_folder() -> None:
    add(model=typed_gguf({"general.architecture": "llama", "llama.context_length": 128}))
    assert "; the weights were trained for 128\n" in mf("show", "bot:v1", *STORE).out
    facts = json.loads(mf("show", "bot:v1", "--json", *STORE).out)["facts"]
    assert (facts["architecture"], facts["context_length"]) == ("llama", 128)
