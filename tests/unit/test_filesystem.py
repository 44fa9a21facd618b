"""Atomic writes, paths, cache entries, and locks."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from errno import EIO
from pathlib import Path

import pytest

from modelfile import filesystem
from modelfile.errors import InputError
from modelfile.events import Progress, ignore
from modelfile.filesystem import (
    cache_folder,
    expand,
    folder_lock,
    name_lock,
    open_regular,
    read_entry,
    read_file,
    relative_to,
    write_atomic,
    write_entry,
)


@pytest.fixture
def irregular(tmp_path: Path) -> Iterator[dict[str, Path]]:
    """Return a path of each kind that is no regular file."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
        server.bind("socket")
        names = ("pipe", "folder", "link", "loop", "socket", "gone", "x\0", "\ud800")
        yield {name: tmp_path / name for name in names} | {"device": Path(os.devnull)}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("pipe", "it is a pipe, not a file"),
        ("link", "it is a pipe, not a file"),
        ("socket", "it is a socket, not a file"),
        ("device", "it is a device, not a file"),
        ("folder", "is a directory"),
        ("loop", "too many levels of symbolic links"),
        ("gone", "no such file or directory"),
        ("x\0", "a name with a NUL character cannot exist"),
        ("\ud800", "a name with these characters cannot exist"),
    ],
)
def test_only_regular_files_are_read(irregular: dict[str, Path], name: str, reason: str) -> None:
    with pytest.raises(InputError) as raised:
        read_file(irregular[name])
    assert raised.value.message == f"cannot read `{irregular[name]}`: {reason}"


def test_a_file_that_becomes_a_pipe_after_it_was_looked_at_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.touch()
    regular = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda _: regular)
    with pytest.raises(InputError, match="it is a pipe, not a file"), open_regular(path):
        pass


def test_a_file_over_the_limit_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_file(path, limit=5) == b"12345"
    with pytest.raises(InputError) as raised:
        read_file(path, limit=4)
    assert raised.value.message == f"cannot read `{path}`: it has more than 4 bytes, the limit for such a file"


def test_a_file_without_a_size_is_read_to_its_end() -> None:
    assert read_file("/proc/self/status").endswith(b"\n")


def test_an_error_while_a_file_is_read_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot read `.*file`: input/output error"), open_regular(tmp_path / "file"):
        raise OSError(EIO, os.strerror(EIO))


def test_a_write_replaces_the_target_of_a_symlink_and_keeps_its_mode(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    write_atomic(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_failed_write_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_text("old")
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError, match="cannot write"):
        write_atomic(tmp_path / "file", b"new")
    assert (tmp_path / "file").read_text() == "old"
    assert [*tmp_path.iterdir()] == [tmp_path / "file"]


def test_a_device_is_written_to() -> None:
    write_atomic(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()


def test_paths_expand_as_in_ollama(tmp_path: Path) -> None:
    assert expand("a/../b", tmp_path) == tmp_path / "b"
    assert expand("/x", tmp_path) == Path("/x")
    assert expand("~/x", tmp_path) == Path.home() / "x"
    with pytest.raises(InputError):
        expand("~nobody-at-all/x", tmp_path)
    assert relative_to(tmp_path / "a" / "x", tmp_path / "b") == "../a/x"


def test_entries_that_were_not_used_for_90_days_are_evicted(tmp_path: Path) -> None:
    folder = tmp_path / "entries"
    for name in ("used", "unused"):
        write_entry(folder / name, name)
    for name in ("used", "unused"):
        os.utime(folder / name, (1, 1))
    assert read_entry(folder / "used") == b"used"
    write_entry(folder / "new", "new")
    assert {path.name for path in folder.iterdir()} == {"used", "new"}


def test_no_cache_folder_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder() is None


def test_a_name_is_locked_until_it_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.filesystem._REPORT_INTERVAL", 0.01)
    released, reported = threading.Event(), threading.Event()
    events: list[Progress] = []

    def wait() -> None:
        with name_lock("BOT:v1", "http://localhost:1", on_event, "build"):
            assert released.is_set()

    def on_event(event: Progress) -> None:
        events.append(event)
        reported.set()

    waiting = threading.Thread(target=wait)
    with name_lock("bot:v1", "http://127.0.0.1:1", events.append, "build"):
        with name_lock("bot:v2", "http://127.0.0.1:1", events.append, "build"):
            assert not events
        waiting.start()
        assert reported.wait(60)
        released.set()
    waiting.join(60)
    assert not waiting.is_alive()
    assert "waiting for another build" in events[0].status


def test_the_lock_of_a_folder_is_waited_for_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_REPORT_INTERVAL", 0.0)
    waiting, statuses, order = threading.Event(), [], []

    def second() -> None:
        def events(now: Progress) -> None:
            statuses.append(now.status)
            waiting.set()

        with folder_lock(tmp_path, events, "change of mf.lock"):
            order.append("second")

    with folder_lock(tmp_path, ignore, "change of mf.lock"):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(60)
        order.append("first")
    thread.join(60)
    assert order == ["first", "second"]
    assert {*statuses} == {"waiting for another change of mf.lock on this machine"}
    assert [*tmp_path.iterdir()] == []


def test_a_lock_that_is_never_released_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filesystem, "_LOCK_TIMEOUT", 0.1)
    with (
        folder_lock(tmp_path, ignore, "change"),
        pytest.raises(InputError, match="another process has locked"),
        folder_lock(tmp_path, ignore, "change"),
    ):
        pass


def test_a_folder_that_cannot_be_locked_is_locked_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", unsupported)
    taken: list[str] = []

    @contextlib.contextmanager
    def record(name: str, *_: object) -> Iterator[None]:
        taken.append(name)
        yield

    monkeypatch.setattr(filesystem, "name_lock", record)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with folder_lock(folder, ignore, "change"):
            pass
    assert taken == [str(tmp_path), str(tmp_path / "nowhere")]
