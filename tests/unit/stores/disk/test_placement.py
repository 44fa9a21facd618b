"""The folder of a server is used only if the server proves that it is its own."""

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.server import connect

from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.placement import find_blobs, folders_of_servers
from modelfile.stores.ollama.store import ServerStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return open_layout(tmp_path / "store", create=True).root


def seen_in(folder: Path, digest: str) -> bool:
    return (folder / "blobs" / digest.replace(":", "-")).exists()


def test_the_folder_that_the_server_sees_is_found(folder: Path, tmp_path: Path) -> None:
    other = open_layout(tmp_path / "other", create=True).root
    blobs = find_blobs([tmp_path / "none", other, folder], lambda digest: seen_in(folder, digest))
    assert blobs
    assert blobs.path("sha256:x").is_relative_to(folder)
    for path in (folder, other):
        assert [*(path / "blobs").iterdir()] == []


def test_a_folder_that_the_server_does_not_see(folder: Path) -> None:
    assert find_blobs([folder], lambda _: False) is None
    assert [*(folder / "blobs").iterdir()] == []


def test_a_server_that_says_to_have_any_blob_proves_nothing(folder: Path) -> None:
    assert find_blobs([folder], lambda _: True) is None
    assert [*(folder / "blobs").iterdir()] == []


def test_a_server_that_remembers_what_it_has_seen_proves_nothing(folder: Path) -> None:
    seen = set[str]()

    def has_blob(digest: str) -> bool:
        if seen_in(folder, digest):
            seen.add(digest)
        return digest in seen

    assert find_blobs([folder], has_blob) is None


def test_folder_of_another_user_is_not_tried(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert find_blobs([folder], lambda _: pytest.fail("it was asked")) is None


def test_a_folder_on_a_full_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "open", fail)
    assert find_blobs([folder], lambda _: True) is None
    assert [*(folder / "blobs").iterdir()] == []


def test_folders_that_are_tried(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    default, service = tmp_path / ".ollama" / "models", Path("/usr/share/ollama/.ollama/models")
    assert [*folders_of_servers({})] == [default, service]
    assert [*folders_of_servers({"OLLAMA_MODELS": "/srv/models"})] == [Path("/srv/models"), default, service]


@pytest.fixture
def weights(tmp_path: Path) -> tuple[Path, str]:
    content = b"GGUF" + bytes(5 << 20)
    (tmp_path / "weights.gguf").write_bytes(content)
    return tmp_path / "weights.gguf", f"sha256:{sha256(content).hexdigest()}"


class Recording:
    """Places files into a fake server."""

    def __init__(self, fake: FakeOllama) -> None:
        self.begun: list[Path] = []
        self.placed: list[Path] = []
        self._fake = fake

    def begin(self, path: Path) -> None:
        """Record the file."""
        self.begun.append(path)

    def place(self, path: Path, digest: str, on_sent: object) -> None:
        """Give the server the file."""
        del on_sent
        self.placed.append(path)
        self._fake.blobs[digest] = path.read_bytes()


def test_large_files_are_placed_and_small_ones_sent(fake: FakeOllama, weights: tuple[Path, str]) -> None:
    path, digest = weights
    placer = Recording(fake)
    with connect(fake.url) as client:
        store = ServerStore(client, find_placer=lambda _: placer)
        assert not store.places(1000)
        assert store.places(5 << 20)
        store.begin_placing(Recipe(files=(path,)))
        store.put_blob(digest, path, lambda _: None)
        small = path.with_name("small.gguf")
        small.write_bytes(b"GGUF")
        store.put_blob(f"sha256:{sha256(b'GGUF').hexdigest()}", small, lambda _: None)
    assert (placer.begun, placer.placed) == ([path], [path])
    assert [logged.method for logged in fake.requests if logged.path.startswith("/api/blobs")] == [
        "HEAD",
        "POST",
        "HEAD",
    ]


def test_the_folder_is_looked_for_once(fake: FakeOllama) -> None:
    looked: list[object] = []
    with connect(fake.url) as client:
        store = ServerStore(client, find_placer=looked.append)
        threads = [threading.Thread(target=store.places, args=(5 << 20,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(looked) == 1
