"""Locks of model names and of folders."""

import contextlib
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelfile import locks
from modelfile.errors import InputError
from modelfile.events import Progress, ignore
from modelfile.locks import folder_lock, name_lock


def test_a_name_is_locked_until_it_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.locks._REPORT_INTERVAL", 0.01)
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
    monkeypatch.setattr(locks, "_REPORT_INTERVAL", 0.0)
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
    monkeypatch.setattr(locks, "_LOCK_TIMEOUT", 0.1)
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

    monkeypatch.setattr(locks, "name_lock", record)
    for folder in (tmp_path, tmp_path / "nowhere"):
        with folder_lock(folder, ignore, "change"):
            pass
    assert taken == [str(tmp_path), str(tmp_path / "nowhere")]


def hostile_links(folder: Path, victim: Path) -> None:
    folder.symlink_to(victim)


def shared(folder: Path, _: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize("plant", [hostile_links, shared])
def test_no_lock_is_made_where_others_can_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: object) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    assert callable(plant)
    plant(tmp_path / f"modelfile-{os.getuid()}", victim)
    with name_lock("bot:v1", "http://127.0.0.1:1", ignore, "build"):
        assert [*tmp_path.rglob("*.lock")] == []


def test_locks_outside_of_a_cache_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    with name_lock("bot:v1", "http://127.0.0.1:1", ignore, "build"):
        folder = tmp_path / f"modelfile-{os.getuid()}"
        assert [path.stat().st_mode & 0o777 for path in (folder, folder / "locks")] == [0o700, 0o700]
        assert len([*folder.rglob("*.lock")]) == 1


def test_a_folder_has_one_lock_whatever_its_path(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "store")
    done = threading.Event()

    def lock() -> None:
        with name_lock("bot:v1", str(tmp_path / "link"), ignore, "build"):
            done.set()

    waiting = threading.Thread(target=lock)
    with name_lock("bot:v1", str(tmp_path / "store"), ignore, "build"):
        waiting.start()
        assert not done.wait(0.1)
    waiting.join(60)
    assert done.is_set()
