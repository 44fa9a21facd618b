"""Blobs appear whole or not at all."""

import os
import shutil
from collections.abc import Callable
from errno import EINVAL, EIO, ENOSPC
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelfile.errors import DiskFull, InputError, VerificationError
from modelfile.manifest import Layer
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.files import remove_abandoned
from modelfile.stores.disk.layout import open_layout

CONTENT = b"content" * 1000
DIGEST = f"sha256:{sha256(CONTENT).hexdigest()}"
WRONG = f"sha256:{'1' * 64}"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(open_layout(tmp_path / "store", create=True))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "weights.gguf").write_bytes(CONTENT)
    return tmp_path / "weights.gguf"


def files(blobs: Blobs) -> list[str]:
    """Return the names of all files in the folder of blobs."""
    return sorted(path.name for path in blobs.path(DIGEST).parent.iterdir())


def layer(digest: str = DIGEST, size: int = len(CONTENT)) -> Layer:
    return Layer(media_type="application/vnd.ollama.image.system", digest=digest, size=size)


def ignore(_: int) -> None:
    """Count nothing."""


def test_blobs_are_named_by_their_digest(blobs: Blobs, source: Path) -> None:
    assert blobs.size(DIGEST) is None
    assert blobs.put(CONTENT) == (DIGEST, len(CONTENT))
    assert files(blobs) == [DIGEST.replace(":", "-")]
    path = blobs.path(DIGEST)
    assert (blobs.size(DIGEST), path.read_bytes()) == (len(CONTENT), CONTENT)
    assert path.stat().st_mode & 0o777 == 0o644
    assert blobs.read(layer()) == CONTENT
    before = path.stat().st_ino
    blobs.put(CONTENT)
    blobs.place(source, DIGEST, ignore)
    assert path.stat().st_ino == before


def test_a_file_is_placed_in_one_pass(blobs: Blobs, source: Path) -> None:
    sent: list[int] = []
    blobs.place(source, DIGEST, sent.append)
    assert (sum(sent), blobs.path(DIGEST).read_bytes()) == (len(CONTENT), CONTENT)
    assert blobs.path(DIGEST).stat().st_nlink == 1
    sent.clear()
    blobs.place(source, DIGEST, sent.append)
    assert sent == [len(CONTENT)]


def test_the_mode_does_not_depend_on_the_umask(blobs: Blobs) -> None:
    before = os.umask(0o077)
    try:
        blobs.put(CONTENT)
    finally:
        os.umask(before)
    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o644


def write(blobs: Blobs, digest: str, size: int | None = None) -> None:
    with blobs.writing(digest, size) as writer:
        writer.write(CONTENT)


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (lambda blobs, _: write(blobs, WRONG), r"sha256:1{12}… has another digest: sha256:[0-9a-f]{12}…"),
        (lambda blobs, _: write(blobs, DIGEST, 6999), r"sha256:[0-9a-f]{12}… has 7,000 bytes instead of 6,999"),
        (lambda blobs, path: blobs.place(path, WRONG, ignore), "has changed since its digest was computed"),
        (lambda blobs, path: blobs.place(path.with_name("none"), WRONG, ignore), "cannot read `.*none`"),
    ],
)
def test_another_content_leaves_nothing(
    blobs: Blobs, source: Path, attempt: Callable[[Blobs, Path], None], error: str
) -> None:
    with pytest.raises((InputError, VerificationError), match=error):
        attempt(blobs, source)
    assert files(blobs) == []


def test_a_truncated_blob_is_replaced(blobs: Blobs, source: Path) -> None:
    for attempt in (lambda: blobs.put(CONTENT), lambda: blobs.place(source, DIGEST, ignore)):
        blobs.path(DIGEST).write_bytes(CONTENT[:-1])
        attempt()
        assert blobs.path(DIGEST).read_bytes() == CONTENT


def test_a_symlink_is_replaced_not_written_through(blobs: Blobs, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of somebody else")
    blobs.path(DIGEST).symlink_to(other)
    blobs.put(CONTENT)
    assert other.read_text() == "of somebody else"
    assert not blobs.path(DIGEST).is_symlink()
    blobs.path(WRONG).symlink_to("nowhere")
    assert blobs.size(WRONG) is None


@pytest.mark.parametrize("number", [EIO, ENOSPC])
@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_an_error_of_the_disk_leaves_nothing(
    blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    for attempt in (lambda: blobs.put(CONTENT), lambda: blobs.place(source, DIGEST, ignore)):
        with pytest.raises(InputError, match=r"cannot write `.*/blobs/sha256-") as caught:
            attempt()
        assert (caught.value.hint is not None) == (number == ENOSPC)
        assert files(blobs) == []
    monkeypatch.undo()
    blobs.put(CONTENT)


def test_a_file_system_without_fsync_and_locks(blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(EINVAL, os.strerror(EINVAL))

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(os, "fsync", fail)
    monkeypatch.setattr(fcntl, "flock", fail)
    (blobs.path(DIGEST).parent / "mf-1-0123456789abcdef").write_text("perhaps of a process on another machine")
    old = blobs.path(DIGEST).parent / "mf-2-0123456789abcdef"
    old.write_text("")
    os.utime(old, (1, 1))
    blobs.place(source, DIGEST, ignore)
    assert files(blobs) == ["mf-1-0123456789abcdef", DIGEST.replace(":", "-")]


def test_errors_of_the_caller_stay_as_they_are(blobs: Blobs) -> None:
    def fail() -> None:
        with blobs.writing(DIGEST) as writer:
            writer.write(CONTENT)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        fail()
    assert files(blobs) == []


def test_a_file_that_changes_while_it_is_placed(blobs: Blobs, source: Path) -> None:
    def change(_: int) -> None:
        source.write_bytes(b"other")

    with pytest.raises(InputError, match="changed while it was read"):
        blobs.place(source, DIGEST, change)
    assert files(blobs) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (None, "is missing in `"),
        (CONTENT[:-1], "is damaged: it has 6,999 bytes instead of 7,000"),
        (b"x" * 7000, "is damaged: its content has another digest"),
    ],
)
def test_a_damaged_blob_is_not_read(blobs: Blobs, content: bytes | None, error: str) -> None:
    if content is not None:
        blobs.path(DIGEST).write_bytes(content)
    with pytest.raises(InputError, match=rf"^blob sha256:[0-9a-f]{{12}}… {error}") as caught:
        blobs.read(layer())
    assert caught.value.hint == "run `mf store check --repair` to restore it"


def test_a_download_is_adopted(blobs: Blobs) -> None:
    partial = blobs.path(DIGEST).with_name("sha256-x-partial")
    partial.write_bytes(CONTENT)
    with pytest.raises(VerificationError, match="has 7,000 bytes instead of 7,001"):
        blobs.adopt(partial, DIGEST, 7001)
    blobs.adopt(partial, DIGEST, 7000)
    assert files(blobs) == [DIGEST.replace(":", "-")]
    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o644
    with pytest.raises(InputError, match="cannot write"):
        blobs.adopt(partial, DIGEST, 7000)


def test_old_names_of_blobs_are_read(blobs: Blobs) -> None:
    blobs.path(DIGEST).with_name(DIGEST).write_bytes(CONTENT)
    assert (blobs.size(DIGEST), blobs.read(layer())) == (len(CONTENT), CONTENT)


def test_holes_and_pieces_are_copied_without_hashing(
    blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose digest is known is copied by the system, a piece at a time."""
    monkeypatch.setattr("modelfile.stores.disk.copies._PIECE", 1 << 16)
    path, sent = tmp_path / "sparse.gguf", list[int]()
    with path.open("wb") as file:
        file.write(b"GGUF" + b"x" * (1 << 17))
        file.seek(10 << 20)
        file.write(b"end")
        file.truncate(20 << 20)
    content = path.read_bytes()
    digest = f"sha256:{sha256(content).hexdigest()}"
    for known, allocated in ((digest, 1 << 20), (None, 21 << 20)):
        monkeypatch.setattr("modelfile.stores.disk.blobs.recall_digest", lambda _, __, known=known: known)
        sent.clear()
        blobs.place(path, digest, sent.append)
        assert blobs.path(digest).read_bytes() == content
        assert blobs.path(digest).stat().st_blocks * 512 < allocated
        assert max(sent) <= 1 << 20
        blobs.path(digest).unlink()


def test_system_without_copies_of_its_own(blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(EINVAL, os.strerror(EINVAL))

    monkeypatch.setattr("modelfile.stores.disk.blobs.recall_digest", lambda *_: DIGEST)
    monkeypatch.setattr(os, "copy_file_range", fail)
    sent: list[int] = []
    blobs.place(source, DIGEST, sent.append)
    assert (blobs.path(DIGEST).read_bytes(), sum(sent)) == (CONTENT, len(CONTENT))


def test_a_full_disk_is_found_before_anything_is_copied(
    blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    with pytest.raises(
        DiskFull, match=f"cannot copy `{source}`: it needs [0-9,]+ bytes, and the disk of .* has 0 free"
    ):
        blobs.place(source, DIGEST, lambda _: pytest.fail("it was copied"))
    assert files(blobs) == []


def test_blobs_that_a_manifest_names_by_now_are_not_removed(blobs: Blobs) -> None:
    other, _ = blobs.put(b"other")
    for named in (lambda: {DIGEST}, lambda: None):
        blobs.put(CONTENT)
        blobs.remove({DIGEST}, named)
        assert blobs.size(DIGEST) == len(CONTENT)
    blobs.remove({DIGEST, WRONG}, lambda: {other})
    assert files(blobs) == [other.replace(":", "-")]


def test_a_blob_that_is_being_removed_is_taken_for_abandoned_by_nobody(tmp_path: Path) -> None:
    """Until it is settled under the lock of the store, which the process has that removes it."""
    layout = open_layout(tmp_path / "store", create=True)
    blobs = Blobs(layout)
    blobs.put(CONTENT)

    def work_beside_it() -> set[str]:
        Blobs(layout).put(b"other")
        remove_abandoned(layout.root / "blobs")
        assert f"mf-removed-{DIGEST[7:]}" in files(blobs)
        return {DIGEST}

    blobs.remove({DIGEST}, work_beside_it)
    assert blobs.read(layer()) == CONTENT


def test_a_removal_that_was_killed_is_settled(blobs: Blobs) -> None:
    """By then a manifest may name the blob, or another program has written it again."""
    for named, is_there, left in ((True, False, True), (False, False, False), (True, True, True), (False, True, True)):
        blobs.put(CONTENT)
        aside = blobs.path(DIGEST).with_name(f"mf-removed-{DIGEST[7:]}")
        blobs.path(DIGEST).rename(aside)
        if is_there:
            blobs.put(CONTENT)
        names = {DIGEST} if named else set[str]()
        blobs.settle(names.copy)
        assert (blobs.size(DIGEST) is not None, aside.exists()) == (left, False)
        blobs.path(DIGEST).unlink(missing_ok=True)
