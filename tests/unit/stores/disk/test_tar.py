"""Archives as streams: what other programs write is read, and what is damaged or foreign is rejected with a reason."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from modelfile.errors import InputError
from modelfile.stores.disk.tar import END, TarReader, header, padding

LARGE = 9 << 30


def packed(*files: tuple[str, bytes]) -> bytes:
    return b"".join(header(name, len(text)) + text + padding(len(text)) for name, text in files) + END


def read(archive: bytes) -> list[tuple[str, bytes]]:
    reader = TarReader(io.BytesIO(archive))
    return [(entry.name, b"".join(reader.chunks(entry))) for entry in reader.entries()]


def made(change: Callable[[tarfile.TarInfo], object], content: bytes = b"") -> bytes:
    """Return an archive that Python makes, of one entry `a` after a change."""
    info, buffer = tarfile.TarInfo("a"), io.BytesIO()
    info.size = len(content)
    change(info)
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


FILES = (("oci-layout", b"{}"), ("blobs/sha256/" + "a" * 64, bytes(513)), ("empty", b""))


def test_files_are_read_as_written_here_and_by_python() -> None:
    archive = packed(*FILES)
    assert read(archive) == [*FILES]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = [(info.name, info.mode, info.mtime, info.uid, info.uname) for info in tar]
        assert [(info.name, file.read()) for info in tar if (file := tar.extractfile(info))] == [*FILES]
    assert found == [(name, 0o644, 0, 0, "") for name, _ in FILES]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_files_that_other_programs_write_are_read(form: int, tmp_path: Path) -> None:
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    for name, text in FILES:
        (tmp_path / name).write_bytes(text)
    with tarfile.open(tmp_path / "x.tar", "w", format=form) as tar:
        tar.add(tmp_path, "./", filter=lambda info: info if info.name != "./x.tar" else None)
    assert dict(read((tmp_path / "x.tar").read_bytes())) == dict(FILES) | {"": b"", "blobs": b"", "blobs/sha256": b""}


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_sizes_of_more_than_8_gib_are_read(form: Literal[1, 2]) -> None:
    info = tarfile.TarInfo("a")
    info.size = LARGE
    (entry,) = [next(TarReader(io.BytesIO(info.tobuf(form) + bytes(9))).entries())]
    assert (entry.name, entry.size) == ("a", LARGE)


def test_size_of_more_than_8_gib_is_written_as_python_reads_it() -> None:
    text = header("a", LARGE)
    assert len(text) == 3 * 512
    entry = next(TarReader(io.BytesIO(text)).entries())
    assert (entry.name, entry.size, entry.offset) == ("a", LARGE, 3 * 512)
    with tarfile.open(fileobj=io.BytesIO(text), mode="r|") as tar:
        info = tar.next()
        assert info is not None
        assert (info.name, info.size) == ("a", LARGE)


def damaged(archive: bytes, at: int, new: bytes) -> bytes:
    return archive[:at] + new + archive[at + len(new) :]


def extended(content: bytes) -> bytes:
    """Return an archive whose first entry is an extended header."""
    block = bytearray(header("PaxHeader", len(content)))
    block[156:157] = b"x"
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block) + content + padding(len(content)) + packed(("a", b"a"))


ONE = packed(("a", b"abc"))
WRONG = {
    "absolute": (made(lambda info: setattr(info, "name", "/etc/x")), "entry `/etc/x` has an absolute path"),
    "above": (made(lambda info: setattr(info, "name", "a/../../x")), "entry `a/../../x` leads outside of the archive"),
    "symlink": (made(lambda info: setattr(info, "type", tarfile.SYMTYPE)), "entry `a` is a symlink"),
    "hard link": (made(lambda info: setattr(info, "type", tarfile.LNKTYPE)), "entry `a` is a hard link"),
    "device": (made(lambda info: setattr(info, "type", tarfile.CHRTYPE)), "entry `a` is a device"),
    "pipe": (made(lambda info: setattr(info, "type", tarfile.FIFOTYPE)), "entry `a` is a pipe"),
    "other kind": (made(lambda info: setattr(info, "type", b"V")), "entry `a` is neither a file nor a folder"),
    "sparse": (extended(b"22 GNU.sparse.major=1\n"), "it has a sparse file"),
    "twice": (packed(("a", b"1"), ("./a", b"2")), "it has two entries `a`"),
    "empty": (b"", "it is empty"),
    "in the first header": (ONE[:300], "it is truncated, or no tar archive"),
    "in a header": (packed(("a", b"abc"), ("b", b""))[:1500], "it is truncated: it stops before its end"),
    "in a file": (ONE[:514], "it is truncated: it stops in the middle of `a`"),
    "without end": (ONE[:1024], "it is truncated: it stops before its end"),
    "half an end": (ONE[: 1024 + 512], "it is truncated: it stops before its end"),
    "garbage": (ONE + b"x", "there is something after its end"),
    "another archive": (ONE + ONE, "there is something after its end"),
    "zeros": (ONE + bytes(2 << 20), "there are more than 1,048,576 zeros after its end"),
    "no archive": (b"GGUF" * 200, "it is no tar archive, or damaged: a header has an invalid number"),
    "checksum": (damaged(ONE, 0, b"b"), "it is no tar archive, or damaged: a header has a wrong checksum"),
    "gzip": (b"\x1f\x8b" + bytes(600), "it is compressed with gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd" + bytes(600), "it is compressed with zstd"),
    "large extended header": (extended(bytes(1 << 17)), "an extended header has more than 65,536 bytes"),
    "damaged extended header": (extended(b"99 path=b\n"), "an extended header is damaged"),
    "huge size": (extended(b"5008 size=" + b"9" * 4997 + b"\n"), "an extended header has an invalid size"),
    "negative size": (extended(b"11 size=-5\n"), "an extended header has an invalid size"),
    "no record": (extended(b"path=b\n"), "an extended header is damaged"),
    "folder with contents": (made(lambda info: setattr(info, "type", b"5"), b"abc"), "folder `a` has contents"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_archive_is_rejected_with_a_reason(name: str, tmp_path: Path) -> None:
    archive, reason = WRONG[name]
    with pytest.raises(InputError) as raised:
        read(archive)
    assert raised.value.message == reason
    path = tmp_path / "x.tar"
    path.write_bytes(archive)
    with path.open("rb", buffering=0) as file, pytest.raises(InputError) as raised:
        [*TarReader(file, len(archive)).entries()]  # contents are skipped
    assert raised.value.message == reason


def test_path_of_an_extended_header_is_checked_like_any_other() -> None:
    record = b"18 path=../../x/y\n"
    with pytest.raises(InputError, match="leads outside"):
        read(extended(record))


def test_number_of_entries_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.stores.disk.tar._MAX_ENTRIES", 2)
    with pytest.raises(InputError, match="it has more than 2 entries"):
        read(packed(("a", b""), ("b", b""), ("c", b"")))
