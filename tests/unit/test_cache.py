"""The cache: private, JSON, and never needed."""

import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelfile import cache
from modelfile.cache import cache_folder, cache_problem, read_entry, remove_entry, write_entry

ANOTHER_USER = 12345
VALUE = {"a": [1, "é", None]}
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    return tmp_path / "caches" / "modelfile"


def test_entries_are_kept_private(folder: Path) -> None:
    assert read_entry("kind", "x") is None
    write_entry("kind", "x", VALUE)
    assert read_entry("kind", "x") == VALUE
    modes = [path.stat().st_mode & 0o777 for path in (folder, folder / "kind", folder / "kind" / "x")]
    assert modes == [0o700, 0o700, 0o600]
    remove_entry("kind", "x")
    assert read_entry("kind", "x") is None
    assert [*(folder / "kind").iterdir()] == []


def test_entries_that_were_not_used_for_90_days_are_evicted(folder: Path) -> None:
    for name in ("used", "unused"):
        write_entry("kind", name, name)
    for name in ("used", "unused"):
        os.utime(folder / "kind" / name, (1, 1))
    assert read_entry("kind", "used") == "used"
    write_entry("kind", "new", "new")
    assert {path.name for path in (folder / "kind").iterdir()} == {"used", "new"}


def test_the_place_of_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "caches" / "modelfile"
    monkeypatch.setenv("MF_CACHE_DIR", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.setenv("MF_CACHE_DIR", "own")
    monkeypatch.setenv("XDG_CACHE_HOME", ".cache")
    assert cache_folder() == tmp_path / "home" / ".cache" / "modelfile"
    assert not (tmp_path / ".cache").exists()


def test_without_a_folder_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert cache_folder() is None
    assert "cannot be created" in str(cache_problem())
    write_entry("kind", "x", VALUE)
    assert read_entry("kind", "x") is None


def test_entries_can_be_turned_off(folder: Path) -> None:
    write_entry("kind", "x", VALUE)
    cache.enable(enabled=False)
    try:
        assert read_entry("kind", "x") is None
        write_entry("kind", "y", VALUE)
    finally:
        cache.enable(enabled=True)
    assert [path.name for path in (folder / "kind").iterdir()] == ["x"]


# Folders and entries that others have made


def open_to_all(folder: Path) -> None:
    folder.chmod(0o777)


def open_to_a_group(folder: Path) -> None:
    folder.chmod(0o770)


def symlink(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to("elsewhere")


def in_a_shared_folder(folder: Path) -> None:
    folder.parent.chmod(0o777)


def given_away(folder: Path) -> None:
    os.chown(folder, ANOTHER_USER, ANOTHER_USER)


@pytest.mark.parametrize("inner", [False, True])
@pytest.mark.parametrize(
    "change", [open_to_all, open_to_a_group, symlink, in_a_shared_folder, pytest.param(given_away, marks=as_root)]
)
def test_a_folder_that_others_can_change_is_not_used(
    folder: Path, change: Callable[[Path], None], *, inner: bool
) -> None:
    write_entry("kind", "x", VALUE)
    change(folder / "kind" if inner else folder)
    assert read_entry("kind", "x") is None
    write_entry("kind", "y", VALUE)
    assert not (folder / "kind" / "y").exists()
    assert inner or cache_problem()


def test_a_shared_folder_with_the_sticky_bit_is_used(folder: Path) -> None:
    write_entry("kind", "x", VALUE)
    folder.parent.chmod(0o1777)
    assert read_entry("kind", "x") == VALUE


def entry_symlink(entry: Path) -> None:
    entry.rename(entry.with_name("other"))
    entry.symlink_to("other")


def entry_pipe(entry: Path) -> None:
    entry.unlink()
    os.mkfifo(entry)


def entry_open(entry: Path) -> None:
    entry.chmod(0o666)


def entry_moved(entry: Path) -> None:
    write_entry("kind", "other", ["of another key"])
    entry.with_name("other").replace(entry)


def entry_pickled(entry: Path) -> None:
    entry.write_bytes(pickle.dumps(VALUE))


def entry_nested(entry: Path) -> None:
    entry.write_text("[" * 100_000)


def entry_large(entry: Path) -> None:
    os.truncate(entry, 1 << 40)


def entry_list(entry: Path) -> None:
    entry.write_text("[1]")


def entry_without_checksum(entry: Path) -> None:
    entry.write_text(json.dumps({"key": "x", "value": VALUE}))


@pytest.mark.parametrize(
    "change",
    [
        *(entry_symlink, entry_pipe, entry_open, entry_moved, entry_pickled, entry_nested, entry_large, entry_list),
        *(entry_without_checksum, pytest.param(given_away, marks=as_root)),
    ],
)
def test_an_entry_that_is_not_ours_is_ignored_and_replaced(folder: Path, change: Callable[[Path], Any]) -> None:
    write_entry("kind", "x", VALUE)
    change(folder / "kind" / "x")
    assert read_entry("kind", "x") is None
    write_entry("kind", "x", VALUE)
    assert read_entry("kind", "x") == VALUE
    assert not (folder / "kind" / "x").is_symlink()


def test_a_symlink_in_the_place_of_an_entry_is_not_written_through(folder: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    write_entry("kind", "x", VALUE)
    (folder / "kind" / "x").unlink()
    (folder / "kind" / "x").symlink_to(victim)
    write_entry("kind", "x", VALUE)
    assert victim.read_text() == "untouched"
