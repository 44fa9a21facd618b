"""Paths, bounded reads, and atomic writes."""

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from errno import EIO, EPERM
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.filesystem import (
    expand,
    home_folder,
    open_regular,
    read_file,
    real_path,
    relative_to,
    write_atomic,
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


def test_other_hard_links_keep_the_old_content(tmp_path: Path) -> None:
    file, other = tmp_path / "file", tmp_path / "other"
    file.write_text("old")
    other.hardlink_to(file)
    write_atomic(file, b"new")
    assert (file.read_text(), other.read_text()) == ("new", "old")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("mode", [0o640, 0o4755, 0o2750])
def test_root_keeps_owner_group_and_mode(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    os.chown(file, 1000, 1001)
    file.chmod(mode)
    write_atomic(file, b"new")
    state = file.stat()
    assert (state.st_uid, state.st_gid, state.st_mode & 0o7777) == (1000, 1001, mode)


def test_special_bits_are_dropped_with_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(EPERM, os.strerror(EPERM))

    monkeypatch.setattr(os, "fchown", refuse)
    file = tmp_path / "file"
    file.write_text("old")
    file.chmod(0o6755)
    write_atomic(file, b"new")
    assert file.stat().st_mode & 0o7777 == 0o755


def test_extended_attributes_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    try:
        os.setxattr(file, "user.comment", b"x")
    except (AttributeError, OSError):
        pytest.skip("this file system has none")
    write_atomic(file, b"new")
    assert os.getxattr(file, "user.comment") == b"x"


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


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"edited", "changed since it was read"), (None, "no such file or directory"), (b"old", None)],
)
def test_only_the_expected_content_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, message: str | None
) -> None:
    def edit(_: int) -> None:
        path.write_bytes(content) if content is not None else path.unlink()

    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", edit)
    with pytest.raises(InputError, match=message) if message else contextlib.nullcontext():
        write_atomic(path, b"new", expected=b"old")
    left = {path: content if message else b"new"} if content else {}
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == left


def test_a_device_is_written_to() -> None:
    write_atomic(Path(os.devnull), b"x")
    assert not Path(os.devnull).is_file()


@pytest.mark.parametrize("name", ["pipe", "link"])
def test_a_pipe_without_a_reader_is_not_waited_for(irregular: dict[str, Path], name: str) -> None:
    with pytest.raises(InputError) as raised:
        write_atomic(irregular[name], b"x")
    assert raised.value.message == f"cannot write `{irregular[name]}`: no program reads from this pipe"
    assert raised.value.hint == "start the program that reads from it first"


def test_a_slow_reader_of_a_pipe_gets_everything(irregular: dict[str, Path]) -> None:
    reader = os.open(irregular["pipe"], os.O_RDONLY | os.O_NONBLOCK)
    content = bytes(1_000_000)
    with ThreadPoolExecutor() as pool, os.fdopen(reader, "rb") as file:
        written = pool.submit(write_atomic, irregular["link"], content)
        time.sleep(0.1)
        os.set_blocking(reader, True)
        assert file.read() == content
        written.result()


@pytest.mark.parametrize("form", ["/dev/fd/{}", "/proc/self/fd/{}"])
def test_an_open_descriptor_is_written_to_where_it_stands(tmp_path: Path, form: str) -> None:
    (tmp_path / "log").write_text("before\n")
    with (tmp_path / "log").open("a") as log:
        write_atomic(Path(form.format(log.fileno())), b"x\n")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before\nx\n"]
    with pytest.raises(InputError, match="cannot write `/dev/fd/999999`: bad file descriptor"):
        write_atomic(Path("/dev/fd/999999"), b"x")


@pytest.mark.parametrize(("name", "number"), [("stdout", 1), ("stderr", 2)])
def test_a_standard_stream_is_written_to(capfd: pytest.CaptureFixture[str], name: str, number: int) -> None:
    write_atomic(Path(f"/dev/{name}"), b"x")
    assert capfd.readouterr()[number - 1] == "x"


def test_a_file_with_the_longest_name_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 255)
    for content in (b"1", b"2"):
        write_atomic(path, content)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"2"]


def test_paths_expand_as_in_ollama(tmp_path: Path) -> None:
    assert expand("a/../b", tmp_path) == tmp_path / "b"
    assert expand("/x", tmp_path) == Path("/x")
    assert expand("~/x", tmp_path) == Path.home() / "x"
    with pytest.raises(InputError):
        expand("~nobody-at-all/x", tmp_path)
    assert relative_to(tmp_path / "a" / "x", tmp_path / "b") == "../a/x"


def test_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: int) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    assert home_folder()
    monkeypatch.setattr("pwd.getpwuid", unknown)
    assert home_folder() is None
    with pytest.raises(InputError, match="no such user: `~/x`"):
        expand("~/x", Path())


@pytest.mark.parametrize("path", ["a\0b", "\ud800"])
def test_impossible_paths_have_no_real_path(path: str) -> None:
    with pytest.raises(InputError, match="cannot exist"):
        real_path(Path(path))


def test_a_loop_of_symlinks_has_a_real_path(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert real_path(tmp_path / "loop") == tmp_path / "loop"
