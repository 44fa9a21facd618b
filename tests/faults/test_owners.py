"""Root writes into the folder of another user: all files become that user's, and none outside of the folder does."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published

from modelfile import manifest
from modelfile.events import ignore
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.manifests import replace_manifest
from modelfile.stores.open import open_folder, open_registry

if not hasattr(os, "fchown"):
    pytest.skip("this system has no owners of files", allow_module_level=True)

OWNER = (4321, 4322)
WEIGHTS = b"GGUF" + bytes(250_000)


class Owners:
    """The owners that files were given, by their inodes; the folder of a store has another owner than root."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self.given: dict[int, tuple[int, int]] = {}
        self._stat = Path.stat
        self._root = root
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(os, "chown", self._chown)
        monkeypatch.setattr(Path, "stat", lambda path, **options: self._owned(path, **options))  # noqa: PLW0108  # a method

    def of(self, path: Path) -> tuple[int, int] | None:
        """Return the owner that a file was given."""
        return self.given.get(path.lstat().st_ino)

    def _chown(self, path: Path | int, user: int, group: int, *, follow_symlinks: bool = True) -> None:
        state = os.stat(path, follow_symlinks=follow_symlinks)  # noqa: PTH116  # or a descriptor
        self.given[state.st_ino] = (user, group)

    def _owned(self, path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        state = self._stat(path, follow_symlinks=follow_symlinks)
        if path != self._root and state.st_ino not in self.given:
            return state
        return os.stat_result((*state[:4], *OWNER, *state[6:]), {"st_mtime_ns": state.st_mtime_ns})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def owners(monkeypatch: pytest.MonkeyPatch, root: Path) -> Owners:
    return Owners(monkeypatch, root)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("of root")
    return tmp_path / "secret"


def swap(path: Path, secret: Path) -> None:
    """Put a symlink in the place of a file, as the owner of its folder may."""
    path.unlink()
    path.symlink_to(secret)


def write_blob(root: Path) -> None:
    Blobs(open_layout(root, create=True)).put(b"hello")


def write_manifest(root: Path) -> None:
    replace_manifest(root, root / "manifests" / "h" / "n" / "m" / "t", b"{}")


@pytest.mark.parametrize("write", [write_blob, write_manifest])
def test_a_symlink_in_the_place_of_a_temporary_file(
    write: Callable[[Path], None], root: Path, owners: Owners, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chown = os.chown

    def swapped(path: Path | int, *args: int, follow_symlinks: bool = True) -> None:
        for temporary in root.rglob("mf-*"):
            if not temporary.is_symlink():
                swap(temporary, secret)
        chown(path, *args, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(os, "chown", swapped)
    write(root)
    assert owners.of(secret) is None
    assert OWNER in owners.given.values()


def test_a_new_store(root: Path, owners: Owners) -> None:
    open_layout(root / "new" / "models", create=True)
    assert {path.name: owners.of(path) for path in root.rglob("*")} == dict.fromkeys(
        ("new", "models", "blobs", "manifests"), OWNER
    )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    monkeypatch.setattr(manifest, "SMALLEST_PART", 100_000)
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(WEIGHTS))
        yield fake


def test_a_download_that_is_killed_can_be_resumed_by_the_server(
    fake: FakeRegistry, root: Path, owners: Owners, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelfile.stores.disk import download

    partial: dict[str, tuple[int, int] | None] = {}

    def look(*_: object) -> None:
        partial.update({path.name[-9:]: owners.of(path) for path in (root / "blobs").glob("*-partial*")})
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_check_space", look)
    with open_registry() as registry, open_folder(root, registry=registry) as store:
        with pytest.raises(KeyboardInterrupt):
            store.pull(ModelName.parse(f"{fake.host}/team/bot:v1"), ignore)
        assert len(partial) > 3
        assert {*partial.values()} == {OWNER}


def test_a_symlink_in_the_place_of_a_download_is_not_written_to(
    fake: FakeRegistry, root: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from modelfile.stores.disk import download

    def swap_all(*_: object) -> None:
        for path in (root / "blobs").glob("*-partial"):
            swap(path, secret)

    monkeypatch.setattr(download, "_check_space", swap_all)
    with open_registry() as registry, open_folder(root, registry=registry) as store:
        name = ModelName.parse(f"{fake.host}/team/bot:v1")
        with pytest.raises(Exception, match="symbolic links"):
            store.pull(name, ignore)
        assert secret.read_text() == "of root"
        monkeypatch.undo()
        store.pull(name, ignore)
        assert isinstance(store.manifest(name), Manifest)
