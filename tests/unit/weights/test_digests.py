"""Digests of local files: computed once, and never stale."""

import hashlib
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelfile.builder import snapshot
from modelfile.errors import InputError
from modelfile.events import Progress
from modelfile.recipe.model import Model
from modelfile.weights import digests
from modelfile.weights.digests import digests_of

OLD = 1_000_000_000 * 10**9
LATER = 10 * 10**9
WEIGHTS = b"GGUF" + bytes(1 << 20)
DIGEST = f"sha256:{hashlib.sha256(WEIGHTS).hexdigest()}"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a cache of its own, and a clock ten seconds ahead of the file system's."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("modelfile.weights.digests.time.time_ns", lambda: now() + LATER)
    return tmp_path / "cache" / "modelfile" / "digests"


now = time.time_ns


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "weights.gguf"
    path.write_bytes(WEIGHTS)
    return path


def digest(path: Path) -> tuple[str, int]:
    """Return the digest of a file, and how many of its bytes were read for it."""
    events: list[Progress] = []
    found = digests_of((path,), events.append)[path]
    assert {(event.status, event.total) for event in events} <= {(f"hashing {path.name}", path.stat().st_size)}
    return found, events[-1].completed if events else 0


def test_unchanged_file_is_read_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert digest(path) == (DIGEST, len(WEIGHTS))
    assert digest(path) == (DIGEST, 0)
    monkeypatch.chdir(path.parent)
    assert digest(Path(path.name)) == (DIGEST, 0)


def test_digest_with_racy_timestamp_is_not_cached(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for past, read in ((1, len(WEIGHTS)), (-1, len(WEIGHTS)), (3, len(WEIGHTS)), (3, 0)):
        monkeypatch.setattr("modelfile.weights.digests.time.time_ns", lambda past=past: now() + past * 10**9)
        assert digest(path) == (DIGEST, read)


def grow(path: Path) -> None:
    path.write_bytes(WEIGHTS + b"x")


def overwrite(path: Path) -> None:
    """Write as many bytes, and set the modification time as an archive does."""
    path.write_bytes(b"GGUF" + b"\x01" * (len(WEIGHTS) - 4))
    os.utime(path, ns=(OLD, OLD))


def replace(path: Path) -> None:
    """Replace the file by another with the same modification time."""
    other = path.with_name("other")
    other.write_bytes(b"GGUF" + b"\x02" * (len(WEIGHTS) - 4))
    os.utime(other, ns=(OLD, OLD))
    other.replace(path)


@pytest.mark.parametrize("change", [grow, overwrite, replace])
def test_changed_file_is_read_again(path: Path, change: Callable[[Path], None]) -> None:
    os.utime(path, ns=(OLD, OLD))
    digest(path)
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:  # the file system's clock ticks every few milliseconds
        change(path)
    found, read = digest(path)
    assert read == path.stat().st_size
    assert found == f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def flip(entry: Path) -> None:
    """Change a digit of the digest."""
    text = entry.read_text()
    at = text.index("sha256:") + 10
    entry.write_text(f"{text[:at]}{'0' if text[at] != '0' else '1'}{text[at + 1 :]}")


def binary(entry: Path) -> None:
    entry.write_bytes(os.urandom(200))


def cut(entry: Path) -> None:
    entry.write_text(entry.read_text()[:80])


def empty(entry: Path) -> None:
    entry.write_text("")


def folder(entry: Path) -> None:
    entry.unlink()
    entry.mkdir()


@pytest.mark.parametrize("damage", [flip, binary, cut, empty, folder, Path.unlink])
def test_damaged_cache_entry_is_ignored(path: Path, cache: Path, damage: Callable[[Path], None]) -> None:
    digest(path)
    (entry,) = cache.iterdir()
    damage(entry)
    assert digest(path) == (DIGEST, len(WEIGHTS))
    assert digest(path) == (DIGEST, len(WEIGHTS) if damage is folder else 0)


def test_digest_without_a_cache_folder(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert digest(path) == digest(path) == (DIGEST, len(WEIGHTS))


def test_digest_with_a_full_disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        assert digest(path) == digest(path) == (DIGEST, len(WEIGHTS))
    digest(path)
    assert digest(path) == (DIGEST, 0)


def _many(path: Path) -> None:
    for number in range(200):
        digests.remember_digest(path, path.stat(), f"sha256:{number % 7:064}", now=OLD)


def test_processes_share_the_cache(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_many, args=(path,)) for _ in range(2)]
    for writer in writers:
        writer.start()
    state = path.stat()
    known = {f"sha256:{number:064}" for number in range(7)} | {None}
    while any(writer.is_alive() for writer in writers):
        assert digests.recall_digest(path, state) in known
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert digests.recall_digest(path, state) in known - {None}


@pytest.mark.parametrize(
    ("content", "message"), [(b"junk", "is not a GGUF file"), (b"version https://git-lfs.x/1", "is a git-lfs pointer")]
)
def test_other_files_are_rejected(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        digests_of((path,))


def test_a_file_with_a_cached_digest_is_not_opened(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest(path)
    with monkeypatch.context() as patch:
        patch.setattr(digests, "_digest", None)
        assert digests_of((path,), stat=lambda path: path.stat()) == {path: DIGEST}


@pytest.mark.parametrize("change", [grow, replace])
def test_file_that_changes_while_it_is_read_is_rejected(path: Path, change: Callable[[Path], None]) -> None:
    with pytest.raises(InputError, match="changed while it was read"):
        digests_of((path,), lambda _: change(path))


def test_unreadable_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read `.*gone`: no such file"):
        digests_of((tmp_path / "gone",))
    with pytest.raises(InputError, match=r"cannot read `.*`: is a directory"):
        digests_of((tmp_path,))


DAY = 86_400


def age(entry: Path, days: float) -> float:
    """Set the last use of an entry to so many days ago, and return it in seconds since the epoch."""
    used = time.time() - days * DAY
    os.utime(entry, (used, used))
    return entry.stat().st_mtime


def test_entries_unused_for_90_days_are_evicted(path: Path, cache: Path) -> None:
    cache.mkdir(parents=True)
    for days in (91, 89, 200):
        (cache / f"{days}").write_text("any text")
        age(cache / f"{days}", days)
    (cache / "folder").mkdir()
    age(cache / "folder", 100)
    assert digest(path) == (DIGEST, len(WEIGHTS))
    assert {entry.name for entry in cache.iterdir() if entry.name.isdigit()} == {"89"}
    assert digest(path) == (DIGEST, 0)


@pytest.mark.parametrize(("days", "touched"), [(0.5, False), (1.5, True), (89, True)])
def test_use_of_an_entry_is_recorded_once_a_day(
    path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, days: float, *, touched: bool
) -> None:
    digest(path)
    (entry,) = cache.iterdir()
    used = age(entry, days)
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", None)  # a hit does not list the folder
        patch.setattr(os, "listdir", None)
        assert digest(path) == (DIGEST, 0)
    assert (entry.stat().st_mtime > used) is touched


def test_cached_models_are_evicted_like_digests(cache: Path) -> None:
    snapshot.remember_model("a", Model(system="a"), "mf1:a")
    snapshot.remember_model("b", Model(system="b"), "mf1:b")
    models = cache.with_name("models")
    used = age(models / "a", 89)
    age(models / "b", 91)
    assert snapshot.recall_model("a") == (Model(system="a"), "mf1:a")
    assert (models / "a").stat().st_mtime > used
    snapshot.remember_model("c", Model(), "mf1:c")
    assert {entry.name for entry in models.iterdir()} == {"a", "c"}
