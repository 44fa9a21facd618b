"""Copies that are made in the background while a file is hashed."""

import os
import threading
from hashlib import sha256
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.stores.disk.blobs import Blobs
from modelfile.stores.disk.layout import open_layout
from modelfile.weights.digests import digests_of

CONTENT = b"GGUF" + b"content" * 1000
DIGEST = f"sha256:{sha256(CONTENT).hexdigest()}"


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(open_layout(tmp_path / "store", create=True))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return a file that is old enough for its digest to be cached."""
    path = tmp_path / "weights.gguf"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the digest of a file be known whatever its age; tests do not wait for two seconds."""
    monkeypatch.setattr("modelfile.weights.digests._RACY", -1)


def files(blobs: Blobs) -> list[str]:
    return sorted(path.name for path in blobs.path(DIGEST).parent.iterdir())


def test_a_copy_that_was_begun_is_placed(blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs.begin(source)
    assert [name[:3] for name in files(blobs)] == ["mf-"]
    digests_of([source])
    monkeypatch.setattr("modelfile.stores.disk.copies.BlobWriter.copy", lambda *_: pytest.fail("copied again"))
    sent: list[int] = []
    blobs.place(source, DIGEST, sent.append)
    assert sum(sent) == len(CONTENT)
    assert files(blobs) == [DIGEST.replace(":", "-")]
    assert blobs.path(DIGEST).read_bytes() == CONTENT
    assert blobs.path(DIGEST).stat().st_mode & 0o777 == 0o644
    blobs.close()


def test_a_copy_that_is_not_needed_goes(blobs: Blobs, source: Path) -> None:
    blobs.begin(source)
    blobs.begin(source)
    blobs.close()
    assert files(blobs) == []
    blobs.begin(source.with_name("missing.gguf"))
    blobs.put(bytes(len(CONTENT)))
    blobs.begin(source)  # a blob of this size may be it
    assert len(files(blobs)) == 1


def test_a_file_that_changes_after_its_copy(blobs: Blobs, source: Path) -> None:
    """The copy has the old content; the new one is hashed and placed."""
    blobs.begin(source)
    new = CONTENT[:-1] + b"!"
    source.write_bytes(new)
    (digest,) = digests_of([source]).values()
    assert digest != DIGEST
    blobs.place(source, digest, lambda _: None)
    assert files(blobs) == [digest.replace(":", "-")]
    assert blobs.path(digest).read_bytes() == new


def test_a_digest_that_is_not_known_is_computed(blobs: Blobs, source: Path) -> None:
    blobs.begin(source)
    with pytest.raises(InputError, match="has changed since its digest was computed"):
        blobs.place(source, f"sha256:{'1' * 64}", lambda _: None)
    assert files(blobs) == []


def test_a_copy_is_stopped(blobs: Blobs, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends at its next piece, and nothing remains of it."""
    goes_on, copied = threading.Event(), list[int]()
    copy_range = os.copy_file_range

    def copy(*arguments: int) -> int:
        copied.append(1)
        assert goes_on.wait(timeout=30)
        return copy_range(*arguments)

    monkeypatch.setattr("modelfile.stores.disk.copies._PIECE", 1000)
    monkeypatch.setattr(os, "copy_file_range", copy)
    blobs.begin(source)
    (begun,) = blobs._copies.values()  # noqa: SLF001  # only it knows when it was asked to stop
    closing = threading.Thread(target=blobs.close)
    closing.start()
    while not begun._is_stopped:  # noqa: SLF001  # likewise
        pass
    goes_on.set()
    closing.join(timeout=30)
    assert files(blobs) == []
    assert len(copied) < len(CONTENT) // 1000
