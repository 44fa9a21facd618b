"""The lock on the disk: reading, changing under a lock, and keys."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread

import pytest

from modelfile.errors import InputError
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Lock, Pin
from modelfile.project.discovery import LOCK_FILE
from modelfile.project.project import Project

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "12")
PIN = Pin(text=DIGEST, fingerprint=f"mf1:{'3' * 64}", files={"w.gguf": DIGEST})
LOCK = Lock(modelfiles={"bot/Modelfile": PIN})


def write(folder: Path) -> None:
    LockFile(folder / LOCK_FILE).update(lambda _: LOCK)


def adding(key: str) -> Callable[[Lock], Lock]:
    return lambda lock: Lock(modelfiles={**lock.modelfiles, key: PIN})


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    write(tmp_path)
    assert LockFile(tmp_path / LOCK_FILE).lock == LOCK
    assert (tmp_path / LOCK_FILE).read_text() == LOCK.dumps()


def test_an_unchanged_lock_is_not_written(tmp_path: Path) -> None:
    write(tmp_path)
    os.utime(tmp_path / LOCK_FILE, (1, 1))
    write(tmp_path)
    assert (tmp_path / LOCK_FILE).stat().st_mtime == 1


def test_a_lock_is_read_once(tmp_path: Path) -> None:
    write(tmp_path)
    file = LockFile(tmp_path / LOCK_FILE)
    assert file.summaries.keys() == {"bot/Modelfile"}
    (tmp_path / LOCK_FILE).unlink()
    assert file.lock == LOCK
    assert not file.newer


def test_no_lock_is_an_empty_one(tmp_path: Path) -> None:
    assert LockFile(tmp_path / LOCK_FILE).lock == Lock()
    assert LockFile(tmp_path / LOCK_FILE).summaries == {}


def test_a_newer_minor_version_is_read(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(
        replace(LOCK, version="1.7").dumps().replace('"files"', '"new": 1,\n      "files"')
    )
    file = LockFile(tmp_path / LOCK_FILE)
    assert file.newer
    assert file.lock.modelfiles == LOCK.modelfiles


def test_the_key_of_a_modelfile_outside_of_the_folder_is_empty(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (project, outside):
        folder.mkdir()
        (folder / "Modelfile").touch()
    (project / "link").symlink_to(outside)
    file = LockFile(project / LOCK_FILE)
    assert file.key(project / "Modelfile") == "Modelfile"
    assert file.key(project / "link" / "Modelfile") == file.key(outside / "Modelfile") == ""


def test_a_change_is_made_to_the_lock_as_it_is_on_the_disk(tmp_path: Path) -> None:
    write(tmp_path)
    early, other = LockFile(tmp_path / LOCK_FILE), LockFile(tmp_path / LOCK_FILE)
    assert early.lock == LOCK
    other.update(adding("other"))
    before, after = early.update(adding("early"))
    assert before == other.lock
    assert after == early.lock == LockFile(tmp_path / LOCK_FILE).lock
    assert [*after.modelfiles] == ["bot/Modelfile", "other", "early"]


def test_a_change_that_fails_leaves_the_lock_and_frees_it(tmp_path: Path) -> None:
    def fail(_: Lock) -> Lock:
        raise InputError("no")

    write(tmp_path)
    with pytest.raises(InputError, match="no"):
        LockFile(tmp_path / LOCK_FILE).update(fail)
    assert LockFile(tmp_path / LOCK_FILE).lock == LOCK
    LockFile(tmp_path / LOCK_FILE).update(adding("other"))
    assert [path.name for path in tmp_path.iterdir()] == [LOCK_FILE]


def test_changes_at_once_are_made_one_after_the_other(tmp_path: Path) -> None:
    barrier = Barrier(8)

    def change(number: int) -> None:
        barrier.wait()
        LockFile(tmp_path / LOCK_FILE).update(adding(str(number)))

    threads = [Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert LockFile(tmp_path / LOCK_FILE).lock.modelfiles.keys() == {*map(str, range(8))}


@pytest.mark.parametrize("newer", ["1.2", "1.7"])
def test_a_newer_minor_version_is_not_written(tmp_path: Path, newer: str) -> None:
    text = replace(LOCK, version=newer).dumps()
    (tmp_path / LOCK_FILE).write_text(text)
    with pytest.raises(InputError, match="newer format") as raised:
        LockFile(tmp_path / LOCK_FILE).update(adding("other"))
    assert raised.value.hint == "upgrade mf, then run the command again"
    assert (tmp_path / LOCK_FILE).read_text() == text


@pytest.mark.parametrize(
    ("target", "problem"),
    [("nowhere", "a symlink to a file that does not exist"), (LOCK_FILE, "oo many"), (".", "is a directory")],
)
def test_what_is_there_and_cannot_be_read_is_no_empty_lock(tmp_path: Path, target: str, problem: str) -> None:
    (tmp_path / LOCK_FILE).symlink_to(target)
    found = Project().find_lock(tmp_path)
    assert found
    assert found.path == tmp_path / LOCK_FILE
    for read in ("lock", "summaries", "newer", "exists"):
        with pytest.raises(InputError, match=problem):
            getattr(LockFile(tmp_path / LOCK_FILE), read)
    with pytest.raises(InputError, match=problem):
        LockFile(tmp_path / LOCK_FILE).update(lambda lock: lock)
    assert (tmp_path / LOCK_FILE).is_symlink()
    assert not (tmp_path / "nowhere").exists()


def test_a_lock_is_written_through_a_symlink(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write(tmp_path / "real")
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "real" / LOCK_FILE)
    LockFile(tmp_path / LOCK_FILE).update(adding("other"))
    assert (tmp_path / LOCK_FILE).is_symlink()
    assert "other" in LockFile(tmp_path / "real" / LOCK_FILE).lock.modelfiles


def test_a_lock_that_is_a_symlink_out_of_the_repository_is_neither_read_nor_written(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.write_text(LOCK.dumps())
    (root / LOCK_FILE).symlink_to(outside)
    for use in (lambda: LockFile(root / LOCK_FILE).lock, lambda: write(root)):
        with pytest.raises(InputError) as raised:
            use()
        assert raised.value.message == f"`{root / LOCK_FILE}` is a symlink to `{outside}`, outside of `{root}`"
    (tmp_path / ".git").mkdir()
    assert LockFile(root / LOCK_FILE).lock == LOCK
