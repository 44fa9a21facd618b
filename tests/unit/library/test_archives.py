"""Models that are carried in a file: what is saved is what is loaded, or everything is as before."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from errno import ENOSPC
from pathlib import Path

import pytest
from tests.support.folder import CONFIG, add_blob, add_manifest, add_model, contents, digest_of, empty_store

from modelfile.errors import DiskFull, InputError, NotFound, UsageError, WouldReplace
from modelfile.events import Progress
from modelfile.library.archives import LoadedModel, load_models, save_models
from modelfile.library.lookup import show
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE
from modelfile.names import ModelName
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.store import FolderStore

WEIGHTS = b"GGUF" + bytes(3000)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    layout = empty_store(tmp_path / "store")
    add_model(layout, "base:v1", model=WEIGHTS)
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Be brief.")
    add_model(layout, "hf.co/team/bot:Q8_0", model=WEIGHTS, system=b"Be terse.")
    return FolderStore(layout)


@pytest.fixture
def other(tmp_path: Path) -> FolderStore:
    return FolderStore(empty_store(tmp_path / "other"))


def save(store: FolderStore, *names: str) -> bytes:
    return b"".join(save_models(names, store).pieces)


def load(
    archive: bytes,
    store: FolderStore,
    approve: Callable[[Sequence[WouldReplace]], bool] = lambda _: False,
    *,
    keep: int = 3,
) -> tuple[LoadedModel, ...]:
    return load_models(io.BytesIO(archive), "x.tar", store, approve=approve, keep=keep)


def manifests(layout: Layout) -> dict[str, str]:
    return {str(name): manifest.text for name, manifest in take_inventory(layout).models}


def test_loaded_models_are_those_that_were_saved(store: FolderStore, other: FolderStore) -> None:
    loaded = load(save(store, "base:v1", "bot:v1", "hf.co/team/bot:Q8_0"), other)
    assert [str(model.name) for model in loaded] == ["hf.co/team/bot:Q8_0", "base:v1", "bot:v1"]
    assert contents(other.layout.root) == contents(store.layout.root)
    assert {model.previous for model in loaded} == {None}
    assert [show(str(model.name), other).digest for model in loaded] == [model.digest for model in loaded]


def test_models_are_saved_by_glob_and_by_digest(store: FolderStore) -> None:
    digest = next(model.digest for model in store.list() if str(model.name) == "base:v1")
    saved = save_models(["bot*", digest[:20], "bot:v1"], store)
    assert [str(model.name) for model in saved.models] == ["base:v1", "bot:v1"]
    with pytest.raises(NotFound):
        save_models(["bot:v1", "nothing*"], store)
    with pytest.raises(UsageError):
        save_models(["no name"], store)


def test_paths_of_the_machine_are_not_saved(store: FolderStore, other: FolderStore) -> None:
    digest = add_blob(store.layout, WEIGHTS)
    path = f"/home/somebody/.ollama/models/blobs/{digest.replace(':', '-')}"
    layer = {"mediaType": f"{LAYER_TYPE}model", "digest": digest, "size": len(WEIGHTS), "from": path}
    config = {"mediaType": CONFIG_TYPE, "digest": add_blob(store.layout, CONFIG), "size": len(CONFIG)}
    add_manifest(store.layout, "local:v1", config=config, layers=[layer])
    archive = save(store, "local:v1")
    assert b"somebody" not in archive
    (loaded,) = load(archive, other)
    assert show("local:v1", other).fingerprint == show("local:v1", store).fingerprint
    (again,) = load(archive, store)
    assert again.previous == again.digest  # it is the same model, and keeps its manifest
    assert "somebody" in manifests(store.layout)["local:v1"]
    assert loaded.digest != again.digest


def test_progress_of_both_counts_all_bytes(store: FolderStore, other: FolderStore) -> None:
    seen: list[Progress] = []
    archive = b"".join(save_models(["base:v1"], store, seen.append).pieces)
    total = len(WEIGHTS) + len(CONFIG)
    assert seen[-1] == Progress(status="saving", total=total, completed=total)
    load_models(io.BytesIO(archive), "x.tar", other, seen.append)
    assert seen[-1] == Progress(status="loading", total=total, completed=total)


def test_loading_again_changes_nothing(store: FolderStore, other: FolderStore) -> None:
    archive = save(store, "bot:v1")
    (first,) = load(archive, other)
    before = contents(other.layout.root)
    (second,) = load(archive, other)
    assert second == LoadedModel(name=first.name, digest=first.digest, previous=first.digest, backup=None)
    assert contents(other.layout.root) == before


def test_another_model_of_a_name_is_replaced_only_if_approved_and_backed_up(
    store: FolderStore, other: FolderStore
) -> None:
    add_model(other.layout, "bot:v1", model=WEIGHTS, system=b"Mine.")
    add_model(other.layout, "base:v1", model=b"mine, too")
    archive, before = save(store, "base:v1", "bot:v1", "hf.co/team/bot:Q8_0"), contents(other.layout.root)
    asked: list[str] = []

    def refuse(errors: Sequence[WouldReplace]) -> bool:
        asked.extend(error.message for error in errors)
        return False

    with pytest.raises(WouldReplace, match=r"base:v1 in .* is an immutable tag and has another model"):
        load(archive, other, refuse)
    assert len(asked) == 2
    assert contents(other.layout.root) == before
    loaded = load(archive, other, lambda _: True)
    assert [model.backup is not None for model in loaded] == [False, True, True]
    assert show(str(loaded[2].backup), other).model.system == "Mine."
    assert show("bot:v1", other).model.system == "Be brief."


def test_without_backups_the_replaced_model_goes_with_its_blobs(store: FolderStore, other: FolderStore) -> None:
    add_model(other.layout, "bot:v1", model=b"other weights", system=b"Mine.")
    (loaded,) = load(save(store, "bot:v1"), other, lambda _: True, keep=0)
    assert loaded.backup is None
    assert take_inventory(other.layout).unnamed == {}
    assert digest_of(b"other weights") not in take_inventory(other.layout).blobs


def test_name_is_spelled_as_in_the_folder(store: FolderStore, other: FolderStore) -> None:
    add_model(other.layout, "BOT:v1", model=WEIGHTS, system=b"Be brief.")
    (loaded,) = load(save(store, "bot:v1"), other)
    assert (str(loaded.name), loaded.previous) == ("BOT:v1", loaded.digest)


def test_damaged_archive_leaves_everything_as_before(store: FolderStore, other: FolderStore, tmp_path: Path) -> None:
    add_model(other.layout, "mine:v1", model=b"mine")
    archive, before = save(store, "base:v1", "bot:v1"), contents(other.layout.root)
    at = archive.rindex(b"GGUF")
    for damaged in (archive[:at] + b"X" + archive[at + 1 :], archive[: at + 50], archive + b"x", archive[:-1024]):
        with pytest.raises(InputError, match=r"cannot load `x\.tar`: "):
            load(damaged, other)
        assert contents(other.layout.root) == before
        (tmp_path / "x.tar").write_bytes(damaged)
        with (tmp_path / "x.tar").open("rb", buffering=0) as file, pytest.raises(InputError):
            load_models(file, "x.tar", other)
        assert contents(other.layout.root) == before


def test_disk_space_is_checked_first(store: FolderStore, other: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 2000}))
    before = contents(other.layout.root)
    with pytest.raises(DiskFull, match=r"it needs 3,028 bytes, and the disk of .* has 2,000 free"):
        load(save(store, "base:v1"), other)
    assert contents(other.layout.root) == before
    add_blob(other.layout, WEIGHTS)
    load(save(store, "base:v1"), other)  # the weights are there


def test_full_disk_leaves_everything_as_before(
    store: FolderStore, other: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, before, left = save(store, "base:v1", "bot:v1"), contents(other.layout.root), 2
    fsync = os.fsync

    def fill_up(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fill_up)
    with pytest.raises(InputError, match="no space left on device"):
        load(archive, other)
    assert contents(other.layout.root) == before


def test_name_that_gets_another_model_while_blobs_are_loaded_keeps_it(
    store: FolderStore, other: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, has_blob = save(store, "bot:v1"), FolderStore.has_blob

    def build_meanwhile(self: FolderStore, digest: str, size: int | None = None) -> bool:
        if self.manifest(ModelName.parse("bot:v1")) is None:
            add_model(self.layout, "bot:v1", model=b"built in between")
        return has_blob(self, digest, size)

    monkeypatch.setattr(FolderStore, "has_blob", build_meanwhile)
    with pytest.raises(WouldReplace):
        load(archive, other)
    monkeypatch.undo()
    assert [*manifests(other.layout)] == ["bot:v1"]
    assert digest_of(b"built in between") in take_inventory(other.layout).blobs
    assert take_inventory(other.layout).unnamed == {}


def test_index_of_the_archive_is_the_same_from_each_machine(store: FolderStore, other: FolderStore) -> None:
    archive = save(store, "bot:v1", "base:v1")
    load(archive, other)
    assert save(other, "base:v1", "bot:v1") == archive
    start = archive.index(b'{"schemaVersion"')
    index = json.loads(archive[start : archive.index(b"\0", start)])
    assert [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]] == [
        "registry.ollama.ai/library/base:v1",
        "registry.ollama.ai/library/bot:v1",
    ]


def test_config_that_is_no_object_is_rejected(store: FolderStore, other: FolderStore) -> None:
    config = {"mediaType": CONFIG_TYPE, "digest": add_blob(store.layout, b"[]"), "size": 2}
    weights = {"mediaType": f"{LAYER_TYPE}model", "digest": add_blob(store.layout, WEIGHTS), "size": len(WEIGHTS)}
    add_manifest(store.layout, "bad:v1", config=config, layers=[weights])
    before = contents(other.layout.root)
    with pytest.raises(InputError, match="bad:v1 is not a model of Ollama: the config cannot be read: not an object"):
        load(save(store, "bad:v1"), other)
    assert contents(other.layout.root) == before


def test_container_image_is_rejected(store: FolderStore, other: FolderStore) -> None:
    config = {"mediaType": CONFIG_TYPE, "digest": add_blob(store.layout, CONFIG), "size": len(CONFIG)}
    layer = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "digest": add_blob(store.layout, WEIGHTS),
        "size": len(WEIGHTS),
    }
    add_manifest(store.layout, "image:v1", config=config, layers=[layer])
    message = (
        r"cannot load `x\.tar`: manifest sha256:\w+… is not that of a model, but of a container image: its layers "
    )
    with pytest.raises(InputError, match=message):
        load(save(store, "image:v1"), other)
    assert contents(other.layout.root) == {}
