"""Files on their way to a server."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest
from tests.fakes.faults import Fault, Hangup, Slow, Status, WrongAck
from tests.fakes.ollama import FakeOllama
from tests.fakes.script import Pause, Script
from tests.support.server import connect

from modelfile.errors import InputError, ServerError
from modelfile.events import Progress, ignore
from modelfile.stores.network.retry import Backoff
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import Store, StoreLocation
from modelfile.stores.uploads import upload_all
from modelfile.weights import digests

MEGABYTE = 1 << 20


def weights(folder: Path, count: int, size: int = 2 * MEGABYTE) -> dict[Path, str]:
    digests = {}
    for number in range(count):
        path = folder / f"{number}.gguf"
        path.write_bytes(b"GGUF%d" % number + bytes(size))
        digests[path] = digest(path)
    return digests


def digest(path: Path) -> str:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"


def posts(fake: FakeOllama) -> int:
    return sum(logged.method == "POST" for logged in fake.requests)


def upload(url: str, digests: dict[Path, str], events: Callable[[Progress], None] = ignore) -> None:
    with connect(url, backoff=Backoff(pause=lambda _: None)) as client:
        upload_all(digests, ServerStore(client), events)


def test_what_is_there_is_not_sent(fake: FakeOllama, tmp_path: Path) -> None:
    digests = weights(tmp_path, 3)
    upload(fake.url, {path: digests[path] for path in [*digests][:1]})
    upload(fake.url, digests)
    upload(fake.url, digests)
    assert posts(fake) == 3
    assert {*fake.blobs} == {*digests.values()}


def test_two_files_of_one_content_are_sent_once(fake: FakeOllama, tmp_path: Path) -> None:
    (same,) = weights(tmp_path, 1)
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(same.read_bytes())
    upload(fake.url, {same: digest(same), copy: digest(copy)})
    assert posts(fake) == 1


@pytest.mark.parametrize("count", [1, 6])
def test_an_interruption_of_one_ends_all(fake: FakeOllama, tmp_path: Path, count: int) -> None:
    def interrupted(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        upload(fake.url, weights(tmp_path, count), interrupted)


@pytest.mark.parametrize(("count", "status"), [(1, "uploading 0.gguf"), (6, "uploading 6 files")])
def test_progress_counts_all_files(fake: FakeOllama, tmp_path: Path, count: int, status: str) -> None:
    told: list[Progress] = []
    digests = weights(tmp_path, count)
    total = sum(path.stat().st_size for path in digests)
    upload(fake.url, digests, told.append)
    assert {(now.status, now.total) for now in told} == {(status, total)}
    assert [now.completed for now in told] == sorted(now.completed for now in told)
    assert (told[0].completed, told[-1].completed) == (0, total)


class Meeting:
    """A store in which every upload waits for three more."""

    location = StoreLocation(url="http://here")

    def __init__(self) -> None:
        self.threads: set[int] = set()
        self._barrier = threading.Barrier(4, timeout=60)

    def has_blob(self, _: str, __: int | None = None) -> bool:
        """Return whether it is here."""
        return False

    def places(self, _: int) -> bool:
        """Return that files are sent."""
        return False

    def put_blob(self, _: str, path: Path, on_sent: Callable[[int], None], __: object) -> None:
        """Wait for the others."""
        self._barrier.wait()
        self.threads.add(threading.get_ident())
        on_sent(path.stat().st_size)


def test_files_go_side_by_side_but_not_all_at_once(tmp_path: Path) -> None:
    meeting = Meeting()
    upload_all(weights(tmp_path, 8, size=1), cast("Store", meeting), ignore)
    assert len(meeting.threads) <= 4


@pytest.mark.parametrize("count", [1, 3])
def test_a_server_that_dies_while_it_receives(tmp_path: Path, count: int) -> None:
    reported: list[str] = []
    died = threading.Lock()
    with FakeOllama() as fake, connect(fake.url, backoff=Backoff(pause=lambda _: None)) as client:
        fake.fault("POST /api/blobs", Script((Pause(),)), times=99, required=False)

        def events(now: Progress) -> None:
            reported.append(now.status)
            if now.completed > 8 * MEGABYTE * (count - 1) + MEGABYTE and died.acquire(blocking=False):
                fake.die()

        with pytest.raises(ServerError) as caught:
            upload_all(weights(tmp_path, count, 8 * MEGABYTE), ServerStore(client), events)
    assert re.fullmatch(rf"{fake.url} went away while \d\.gguf was being sent", caught.value.message)
    assert caught.value.hint == "start it again, then run the command again: finished uploads are reused"
    what = "0.gguf" if count == 1 else f"{count} files"
    attempts = [status for status in dict.fromkeys(reported) if status != f"uploading {what}"]
    assert attempts == [f"uploading {what}: the connection broke: attempt {number} of 6" for number in range(2, 7)]


@pytest.mark.parametrize("fault", [Hangup(after_bytes=MEGABYTE), Status(503)])
@pytest.mark.parametrize("count", [1, 3])
def test_an_upload_that_broke_is_made_again(fake: FakeOllama, tmp_path: Path, count: int, fault: Fault) -> None:
    told: list[Progress] = []
    digests = weights(tmp_path, count)
    fake.fault("POST /api/blobs", fault, times=2)
    upload(fake.url, digests, told.append)
    assert {*fake.blobs} == {*digests.values()}
    assert posts(fake) == count + 2
    assert told[-1].completed == told[-1].total


def test_what_another_has_sent_meanwhile_is_not_sent_again(fake: FakeOllama, tmp_path: Path) -> None:
    told: list[Progress] = []
    ((path, name),) = weights(tmp_path, 1).items()

    def pause(_: float) -> None:
        with connect(fake.url) as other:
            other.push_blob(name, path, lambda _: None)

    fake.fault("POST /api/blobs", Hangup(after_bytes=MEGABYTE))
    with connect(fake.url, backoff=Backoff(pause=pause)) as client:
        upload_all({path: name}, ServerStore(client), told.append)
    assert posts(fake) == 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Status(500, '{"error": "no space left on device"}'), "refused: no space left on device"),
        (WrongAck(), "but does not have it"),
    ],
)
@pytest.mark.parametrize("count", [1, 6])
def test_an_upload_that_fails_for_good(
    fake: FakeOllama, tmp_path: Path, count: int, fault: Fault, message: str
) -> None:
    fake.fault("POST /api/blobs", fault)
    with pytest.raises(ServerError, match=message):
        upload(fake.url, weights(tmp_path, count))
    assert posts(fake) <= count
    for worker in [thread for thread in threading.enumerate() if "(_work)" in thread.name]:
        worker.join(timeout=30)
        assert not worker.is_alive(), "an upload goes on after the failure"


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def shrink(path: Path) -> None:
    os.truncate(path, MEGABYTE)


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 1))


@pytest.mark.parametrize("change", [grow, shrink, touch])
@pytest.mark.parametrize("count", [1, 3])
def test_a_file_that_changes_while_it_is_sent(
    fake: FakeOllama, tmp_path: Path, count: int, change: Callable[[Path], None]
) -> None:
    digests = weights(tmp_path, count)
    victim = [*digests][-1]
    changed = threading.Event()

    def events(now: Progress) -> None:
        if now.completed and not changed.is_set():
            changed.set()
            change(victim)

    only = {victim: digests[victim]}
    with pytest.raises(InputError, match=r"`.*\.gguf` has changed since its digest was computed"):
        upload(fake.url, only, events)
    assert not fake.blobs
    upload(fake.url, {path: digest(path) for path in digests})


def test_a_file_that_is_not_what_its_digest_says(fake: FakeOllama, tmp_path: Path) -> None:
    ((path, _),) = weights(tmp_path, 1).items()
    wrong = f"sha256:{'0' * 64}"
    state = path.stat()
    digests.remember_digest(path, state, wrong, now=state.st_mtime_ns + 10**10)
    assert digests.recall_digest(path, state) == wrong
    with pytest.raises(InputError, match="has changed since its digest was computed"):
        upload(fake.url, {path: wrong})
    assert digests.recall_digest(path, state) is None


def test_a_file_that_is_gone(fake: FakeOllama, tmp_path: Path) -> None:
    ((path, name),) = weights(tmp_path, 1).items()
    path.unlink()
    with pytest.raises(InputError, match=r"cannot read `.*`: no such file"):
        upload(fake.url, {path: name})
    with connect(fake.url) as client, pytest.raises(InputError, match=r"cannot read `.*`: no such file"):
        client.push_blob(name, path, lambda _: None)


SEND_ALL = """
import json, sys
from pathlib import Path
from modelfile.stores.ollama.client import Client
from tests.support.server import connect
from modelfile.events import ignore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.uploads import upload_all
with connect(sys.argv[1]) as client:
    upload_all({Path(path): name for path, name in json.loads(sys.argv[2]).items()}, ServerStore(client), ignore)
"""


def test_ctrl_c_ends_uploads_that_hang(fake: FakeOllama, tmp_path: Path) -> None:
    digests = {str(path): name for path, name in weights(tmp_path, 6).items()}
    fake.fault("POST /api/blobs", Slow(60), times=4)
    running = subprocess.Popen([sys.executable, "-c", SEND_ALL, fake.url, json.dumps(digests)], stderr=subprocess.PIPE)
    with running:
        while posts(fake) < 4:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert err.endswith(b"KeyboardInterrupt\n")
    chained = err.count(b"During handling of the above exception")  # it may arrive while a wait of the loop ends
    assert err.count(b"Traceback") == 1 + chained
    assert b"Exception in thread" not in err
    assert not fake.blobs
