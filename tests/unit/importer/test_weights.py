"""Copies of a model's weights."""

from pathlib import Path

import pytest
from tests.support.tiny_gguf import typed_gguf

import modelfile
from modelfile.errors import InputError
from modelfile.events import Progress, ignore
from modelfile.importer.stored import blobs_of, export
from modelfile.importer.weights import copy_files, path_from
from modelfile.names import ModelName
from modelfile.recipe.recipe import resolve
from modelfile.stores.disk.copies import BlobWriter
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.protocol import StoredModel
from modelfile.weights.digests import digests_of

LLAMA: dict[str, str | int] = {"general.architecture": "llama", "llama.block_count": 1}


@pytest.fixture
def stored(tmp_path: Path) -> StoredModel:
    """Return a model with an adapter in a folder."""
    (tmp_path / "model.gguf").write_bytes(typed_gguf(LLAMA, {}))
    (tmp_path / "lora.gguf").write_bytes(typed_gguf(LLAMA | {"general.type": "adapter"}, {}))
    with modelfile.open_folder(tmp_path / "models") as store:
        recipe = resolve(modelfile.parse("FROM ./model.gguf\nADAPTER ./lora.gguf\nSYSTEM a\n"), tmp_path)
        digests = digests_of(recipe.local_files)
        for path, digest in digests.items():
            store.put_blob(digest, path, lambda _: None)
        store.create(ModelName.parse("bot:v1"), recipe, digests, ignore)
        return modelfile.show("bot:v1", store)


def test_path_is_as_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "link.gguf").symlink_to(tmp_path / "far/tiny.gguf")
    assert path_from(tmp_path, tmp_path / "link.gguf") == "./link.gguf"
    assert path_from(tmp_path / "far", tmp_path / "link.gguf") == "../link.gguf"
    assert path_from(tmp_path, tmp_path) == "."


def test_copies_build_the_same_model(stored: StoredModel, tmp_path: Path) -> None:
    events: list[Progress] = []
    copied = copy_files(stored, blobs_of(stored), tmp_path / "out/weights", events.append)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in copied.values()} == {
        "out/weights/bot-v1.gguf": (tmp_path / "model.gguf").read_bytes(),
        "out/weights/bot-v1-adapter.gguf": (tmp_path / "lora.gguf").read_bytes(),
    }
    assert [*(tmp_path / "out/weights").glob("*mf-*")] == []
    assert (events[-1].completed, events[-1].total) == (len((tmp_path / "lora.gguf").read_bytes()),) * 2
    files = {digest: path_from(tmp_path / "out", path) for digest, path in copied.items()}
    with modelfile.open_folder(tmp_path / "models") as store:
        text = export(stored, store, files=files, folder=tmp_path / "out")
        assert text.splitlines()[1:4] == [
            "FROM ./weights/bot-v1.gguf",
            "",
            "ADAPTER ./weights/bot-v1-adapter.gguf",
        ]
        recipe = resolve(modelfile.parse(text), tmp_path / "out")
        store.create(ModelName.parse("again:v1"), recipe, digests_of(recipe.local_files), ignore)
        assert modelfile.show("again:v1", store).fingerprint == stored.fingerprint


def test_copy_that_is_there_is_taken(stored: StoredModel, tmp_path: Path) -> None:
    copied = copy_files(stored, blobs_of(stored), tmp_path / "w", ignore)
    before = {path: path.stat().st_mtime_ns for path in copied.values()}
    assert copy_files(stored, blobs_of(stored), tmp_path / "w", ignore) == copied
    assert {path: path.stat().st_mtime_ns for path in copied.values()} == before


def test_nothing_is_overwritten(stored: StoredModel, tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/bot-v1.gguf").write_text("mine")
    with pytest.raises(InputError, match=r"`.*bot-v1\.gguf` exists already, and is another file"):
        copy_files(stored, blobs_of(stored), tmp_path / "w", ignore)
    assert (tmp_path / "w/bot-v1.gguf").read_text() == "mine"


def test_damaged_blob_leaves_no_copy(stored: StoredModel, tmp_path: Path) -> None:
    with modelfile.open_folder(tmp_path / "models") as store:
        blob = FolderStore(store.layout).layout.blob(stored.model.weights[0])
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(InputError, match=r"`.*sha256-.*` is damaged: its content has another digest"):
        copy_files(stored, blobs_of(stored), tmp_path / "w", ignore)
    assert not (tmp_path / "w").exists()


def test_interrupted_copy_leaves_nothing(stored: StoredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(BlobWriter, "clone", lambda *_: False)
    monkeypatch.setattr(BlobWriter, "copy", interrupt)
    (tmp_path / "mine").mkdir()
    for folder in ("w", "mine", "mine/w/x"):
        with pytest.raises(KeyboardInterrupt):
            copy_files(stored, blobs_of(stored), tmp_path / folder, ignore)
    assert [*(tmp_path / "mine").iterdir()] == []
    assert not (tmp_path / "w").exists()


def test_folder_that_cannot_be_made(stored: StoredModel, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write `.*file/w`: not a directory"):
        copy_files(stored, blobs_of(stored), tmp_path / "file/w", ignore)
