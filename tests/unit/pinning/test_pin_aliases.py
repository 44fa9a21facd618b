"""Pin aliases: those that no lock of the project names are removed, and nothing else."""

import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf

from modelfile.names import ModelName
from modelfile.pinning.pin_aliases import aliases, locks_of, unused_aliases
from modelfile.project.project import Project
from modelfile.stores.backups import alias_of, is_internal, is_pin_alias, pin_alias
from modelfile.stores.memory import MemoryStore

BASE, OTHER = ModelName.parse("llama3.2:3b"), ModelName.parse("qwen3:8b")
OLD = f"sha256:{'0' * 64}"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryStore:
    """Return a server with two bases, of which the project has pinned one, their aliases, and a backup."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    for folder in ("bot", "nested"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "Modelfile").write_text("# A bot.\nFROM llama3.2:3b\n")
    store = MemoryStore.with_models(str(BASE), str(OTHER))
    assert prune(store, "bot", command="pin").code == 0
    (tmp_path / "nested" / "mf.lock").write_text((tmp_path / "mf.lock").read_text().replace("bot/", ""))
    for name, digest in ((BASE, pinned(tmp_path)), (BASE, OLD), (OTHER, OLD)):
        store.copy(name, pin_alias(name, digest))
    store.copy(OTHER, alias_of(OTHER, OLD))
    return store


def pinned(folder: Path) -> str:
    return str(json.loads((folder / "mf.lock").read_text())["modelfiles"]["bot/Modelfile"]["base"]["digest"])


def prune(store: MemoryStore, *options: str, command: str = "pin --prune", answer: bytes | None = None) -> Ran:
    opened = contextlib.nullcontext(store)
    arguments = [*command.split(), *options]
    return mf(*arguments, open_store=lambda _: opened, stdin=answer or b"", terminal=answer is not None)


def names(store: MemoryStore) -> set[str]:
    return {str(model.name) for model in store.list()}


def test_the_names_of_aliases(tmp_path: Path, store: MemoryStore) -> None:
    name = replace(BASE, tag=f"sha256-{'0' * 64}", tagged=True)
    assert pin_alias(BASE, OLD) == name
    assert is_internal(name)
    assert is_pin_alias(name)
    assert is_internal(alias_of(BASE, OLD))
    assert not is_pin_alias(alias_of(BASE, OLD))
    assert not is_pin_alias(BASE)
    locks = locks_of(Project())
    assert len(locks) == 2
    assert {*aliases(locks)} == {pin_alias(ModelName.parse(BASE.full), pinned(tmp_path))}
    assert {str(model.name) for model in unused_aliases(locks, store)} == {
        str(pin_alias(BASE, OLD)),
        str(pin_alias(OTHER, OLD)),
    }


@pytest.mark.parametrize("where", [".", "bot"])
def test_unused_aliases_are_removed_and_nothing_else(
    store: MemoryStore, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(where)
    before, old = names(store), {str(pin_alias(name, OLD)) for name in (BASE, OTHER)}
    shown = prune(store, "--dry-run")
    assert shown == Ran(0, "".join(f"would remove {name}\n" for name in sorted(old, reverse=True)), "")
    assert names(store) == before
    ran = prune(store, "--yes", "--json")
    assert {*json.loads(ran.out)["removed"]} == old
    assert names(store) == before - old
    assert prune(store) == Ran(0, "", "no pin alias to remove\n")


def test_removal_is_confirmed(store: MemoryStore) -> None:
    before = names(store)
    ran = prune(store)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("cannot ask for confirmation: standard input is not a terminal\nhelp: pass --yes\n")
    ran = prune(store, answer=b"n\n")
    assert (ran.code, names(store)) == (1, before)
    assert "remove these 2 from memory:?" in ran.err
    assert prune(store, answer=b"y\n").code == 0
    assert len(names(store)) == len(before) - 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("bot",), "--prune takes no paths"),
        (("--check",), "--prune and --check cannot be used together"),
        (("--rewrite",), "--prune and --rewrite cannot be used together"),
        (("--from-server",), "--prune and --from-server cannot be used together"),
    ],
)
def test_it_is_used_alone(store: MemoryStore, options: tuple[str, ...], error: str) -> None:
    before = names(store)
    ran = prune(store, "--yes", *options)
    assert (ran.code, ran.err.split("\n")[0]) == (2, f"error: {error}")
    assert names(store) == before
