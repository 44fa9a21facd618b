"""Tests of `mf find` on the versions of a lock in git, and on servers."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Ran
from tests.support.repository import commit, git
from tests.support.scene import BASE, MOVED, NAME, Scene

from modelfile import revisions
from modelfile.errors import ServerError
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.stores.backups import alias_of, pin_alias
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, StoredModel

WEIGHTS = BASE.weights[0]
OFFLINE = "not searched: no Ollama server answers at http://127.0.0.1:9\n"


@pytest.fixture
def tracked(scene: Scene) -> Scene:
    """Return a scene in a repository, whose lock is committed as pinned, moved, and pinned again."""
    (scene.folder / ".git").rmdir()
    git(scene.folder, "init", "-q")
    return scene


def digests(ran: Ran) -> Any:
    return json.loads(ran.out)["digests"]


def test_the_history_says_from_when_to_when(tracked: Scene) -> None:
    assert tracked.mf("pin", "-q").code == 0
    first = commit(tracked.folder, 1)
    tracked.registry.push(NAME, MOVED)
    assert tracked.mf("update", "-q").code == 0
    second = commit(tracked.folder, 5)
    assert tracked.mf("find", WEIGHTS) == Ran(
        0,
        f"{WEIGHTS}\n  history: weights of llama3.2:3b, the base of Modelfile, "
        f"from 2026-11-01 ({first[:10]}) until 2026-11-05 ({second[:10]})\n",
        OFFLINE,
    )
    assert tracked.mf("find", MOVED.weights[0][:20]).out == (
        f"{MOVED.weights[0]}\n  lock: weights of llama3.2:3b, the base of Modelfile\n"
        f"  history: weights of llama3.2:3b, the base of Modelfile, since 2026-11-05 ({second[:10]})\n"
    )
    (found,) = digests(tracked.mf("find", fingerprint(BASE), "--json"))
    (one,) = found["occurrences"]
    assert (one["location"], one["kind"], one["until"]) == (
        "history",
        "base",
        {"commit": second, "time": "2026-11-05T12:00:00+00:00"},
    )


def test_a_removed_lock_and_one_with_conflicts_are_skipped(tracked: Scene) -> None:
    lock = tracked.folder / "mf.lock"
    assert tracked.mf("pin", "-q").code == 0
    text = lock.read_text()
    commit(tracked.folder, 1)
    lock.write_text(f"<<<<<<< ours\n{text}=======\n>>>>>>> theirs\n")
    commit(tracked.folder, 2)
    lock.unlink()
    commit(tracked.folder, 3)
    lock.write_text(text)
    commit(tracked.folder, 4)
    (found,) = digests(tracked.mf("find", WEIGHTS, "--json"))
    periods = [(one["location"], one["since"], one["until"]) for one in found["occurrences"]]
    assert periods[0] == ("lock", None, None)
    assert (periods[1][1]["time"][:10], periods[1][2]) == ("2026-11-01", None)


def test_a_repository_without_commits_has_no_history(tracked: Scene) -> None:
    assert tracked.mf("pin", "-q").code == 0
    assert tracked.mf("find", WEIGHTS).err == OFFLINE
    ran = tracked.mf("find", "0" * 12)
    assert (ran.code, ran.err.splitlines()[1]) == (
        3,
        f"help: searched: mf.lock, its git history; {OFFLINE.rstrip()}",
    )


def test_the_history_is_bounded_and_says_so(tracked: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(1, 5):
        tracked.registry.push(NAME, MOVED if day % 2 else BASE)
        assert tracked.mf("pin" if day == 1 else "update", "-q").code == 0
        commit(tracked.folder, day)
    monkeypatch.setattr(revisions, "_MOST_REVISIONS", 2)
    ran = tracked.mf("find", MOVED.weights[0])
    assert "from 2026-11-03" in ran.out
    assert ran.err == f"not searched: the older versions of mf.lock in git, of which there are too many\n{OFFLINE}"
    size = len((tracked.folder / "mf.lock").read_bytes())
    monkeypatch.setattr(revisions, "_MOST_READ", size + 1)
    assert tracked.mf("find", MOVED.weights[0]).code == 3


def test_names_layers_and_aliases_on_a_server(scene: Scene) -> None:
    name = ModelName.parse("team-a:v1")
    scene.store = store = MemoryStore.with_models("team-a:v1")
    found = store.find(name)
    assert found
    pinned = f"sha256:{'a' * 64}"
    store.copy(name, pin_alias(name, pinned))
    store.copy(name, alias_of(name, found.digest))
    assert scene.mf("find", "aaaaaa").out == f"{pinned}\n  server: pin alias team-a:sha256-aaaaaaaaaaaa…\n"
    of_digest = scene.mf("find", found.digest).out.splitlines()
    short = found.digest.removeprefix("sha256:")[:12]
    assert of_digest == [
        found.digest,
        f"  server: backup team-a:sha256-{short}…-v1",
        "  server: model team-a:v1",
        "  server: pin alias team-a:sha256-aaaaaaaaaaaa…",
    ]
    (weights,) = found.model.weights
    assert [one["kind"] for one in digests(scene.mf("find", weights, "--json"))[0]["occurrences"]] == ["weights"] * 3
    kinds = digests(scene.mf("find", found.fingerprint, "--json"))[0]["occurrences"]
    assert [one["kind"] for one in kinds] == ["backup", "model", "pin alias"]


def test_ambiguous_digits_list_all(scene: Scene) -> None:
    name = ModelName.parse("team-a:v1")
    scene.store = store = MemoryStore.with_models("team-a:v1")
    for last in "01":
        store.copy(name, pin_alias(name, f"sha256:{'b' * 63}{last}"))
    ran = scene.mf("find", "bbbbbb")
    assert [line for line in ran.out.splitlines() if line.startswith("sha256")] == [
        f"sha256:{'b' * 63}{last}" for last in "01"
    ]
    assert ran.err == "2 digests begin so\n"


def test_a_blob_that_no_model_needs(scene: Scene, tmp_path: Path) -> None:
    from hashlib import sha256

    scene.store = store = MemoryStore()
    (tmp_path / "blob").write_bytes(b"x")
    digest = f"sha256:{sha256(b'x').hexdigest()}"
    store.put_blob(digest, tmp_path / "blob", lambda _: None)
    assert scene.mf("find", digest).out == f"{digest}\n  server: blob of no listed model\n"
    assert scene.mf("find", digest[:20]).code == 3


def test_a_model_that_a_server_cannot_show_is_skipped(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.store = store = MemoryStore.with_models("a:v1", "b:v1")
    read = store.read

    def broken(listed: ListedModel) -> StoredModel | None:
        if listed.name.model == "a":
            raise ServerError("it cannot be shown")
        return read(listed)

    monkeypatch.setattr(store, "read", broken)
    found = store.find(ModelName.parse("b:v1"))
    assert found
    assert scene.mf("find", found.model.weights[0]).out.endswith("  server: weights of b:v1\n")
