"""Stores on disks that are full, read-only, or whose files can share blocks."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.disks import disk_with_reflinks, mounted, small_disk, used

from modelfile.errors import DiskFull, InputError
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore

SPARSE_SIZE = 4_000_000_000
SPARSE = "sha256:153b3d599019e11bae1f75b8514691117b94ce2f6ad4b5eb1e308c9d766c5bd8"
"""Digest of a file of this size with `GGUF` at its beginning, `end.` at its end, and zeros between them."""


def content_of(folder: Path) -> dict[str, bytes]:
    """Return all files of a folder by their paths."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_full_disk(tmp_path: Path) -> None:
    """Nothing is half there when the disk is full, and the same works once there is room."""
    weights, size = tmp_path / "weights.gguf", 700_000
    weights.write_bytes(b"GGUF" + bytes(size))
    digest = f"sha256:{sha256(weights.read_bytes()).hexdigest()}"
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        store = FolderStore(open_layout(disk / "store", create=True))
        with (disk / "filler").open("wb") as filler:
            filler.write(bytes(500_000))
        before = content_of(disk)
        with pytest.raises(
            DiskFull, match=r"cannot copy `.*/weights\.gguf`: it needs 700,004 bytes, and the disk of "
        ) as full:
            store.put_blob(digest, weights, lambda _: None)
        assert (full.value.hint, content_of(disk)) == (
            "free some space, or use another folder; nothing was written",
            before,
        )
        for attempt in (
            lambda: store.blobs.put(bytes(size)),
            lambda: write_unknown_size(store, weights.read_bytes()),
        ):
            with pytest.raises(
                InputError, match=r"cannot write `.*/blobs/sha256-\w{64}`: no space left on device"
            ) as caught:
                attempt()
            assert (
                caught.value.hint
                == "free some disk space, then run the command again; blobs that are whole are used then"
            )
            assert content_of(disk) == before
        (disk / "filler").unlink()
        store.put_blob(digest, weights, lambda _: None)
        assert store.has_blob(digest, size + 4)


def test_disk_without_inodes(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m,nr_inodes=7", "none") as disk:
        store = FolderStore(open_layout(disk / "store", create=True))
        with pytest.raises(InputError, match="no space left on device") as caught:
            store.blobs.put_all(bytes([number]) for number in range(9))
        assert caught.value.hint == (
            "the disk has space, but no inodes left: remove files of it, then run the command again"
        )


def write_unknown_size(store: FolderStore, content: bytes) -> None:
    with store.blobs.writing(f"sha256:{sha256(content).hexdigest()}") as writer:
        writer.write(content)


def test_read_only_disk(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 20) as disk:
        store = FolderStore(open_layout(disk / "store", create=True))
        digest, _ = store.blobs.put(b"content")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for attempt in (
            lambda: store.blobs.put(b"other"),
            lambda: open_layout(disk / "new", create=True),
            lambda: store.blobs.remove({digest}, set),
        ):
            with pytest.raises(InputError, match=r"cannot write `.*`: read-only file system"):
                attempt()
        reader = FolderStore(open_layout(disk / "store", create=False))
        assert reader.list() == ()
        assert reader.has_blob(digest)


def test_weights_share_their_blocks_where_the_disk_can(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of 4 GB, most of it a hole, whose digest is cached, and one of 32 MB take no space a second time."""
    with disk_with_reflinks(tmp_path / "disk", 6 << 30) as disk:
        store = FolderStore(open_layout(disk / "store", create=True))
        sparse, dense = disk / "sparse.gguf", disk / "dense.gguf"
        content = b"GGUF" + os.urandom(32 << 20)
        dense.write_bytes(content)
        with sparse.open("wb") as file:
            file.write(b"GGUF")
            file.seek(SPARSE_SIZE - 4)
            file.write(b"end.")
        digests = {sparse: SPARSE, dense: f"sha256:{sha256(content).hexdigest()}"}
        known = {sparse: SPARSE}
        monkeypatch.setattr("modelfile.stores.disk.blobs.recall_digest", lambda path, _: known.get(path))
        before = used(disk)
        for path, digest in digests.items():
            sent: list[int] = []
            store.put_blob(digest, path, sent.append)
            assert sum(sent) == path.stat().st_size == store.blobs.size(digest)
            assert store.blobs.path(digest).stat().st_ino != path.stat().st_ino
        assert used(disk) - before < 1 << 20
        dense.write_bytes(b"GGUF, changed")
        assert store.blobs.path(digests[dense]).read_bytes() == content
        with store.blobs.path(SPARSE).open("rb") as file:
            file.seek(SPARSE_SIZE - 4)
            assert file.read() == b"end."
