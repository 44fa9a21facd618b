"""Uploads to a real server: what it says of wrong ones, and what is left of those that were broken off."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.events import Progress, ignore
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.uploads import send_all

pytestmark = pytest.mark.live


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, str]:
    digests = {}
    for number in range(6):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(os.urandom(8 << 20))  # what another test has sent stays on the server
        digests[path] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return digests


def test_several_files_and_what_is_there_already(real: str, files: dict[Path, str]) -> None:
    told: list[Progress] = []
    with Client(real) as client:
        for _ in range(2):
            send_all(files, ServerStore(client), told.append)
        assert all(client.has_blob(digest) for digest in files.values())
    assert told[-1].completed == told[-1].total == 6 * (8 << 20)
    assert [now.completed for now in told].count(told[-1].total) == 1


def test_a_wrong_digest(real: str, files: dict[Path, str]) -> None:
    wrong = f"sha256:{'1' * 64}"
    with Client(real) as client:
        with pytest.raises(InputError, match="has changed since its digest was computed"):
            send_all({next(iter(files)): wrong}, ServerStore(client), ignore)
        assert not client.has_blob(wrong)


@pytest.mark.parametrize("count", [1, 6])
def test_an_upload_that_is_broken_off_leaves_nothing(real: str, tmp_path: Path, count: int) -> None:
    files = {}
    for number in range(count):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(b"%d broken off, of %d" % (number, count) * (1 << 20))
        files[path] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    far = threading.Event()

    def interrupt(now: Progress) -> None:
        if now.completed > now.total / 3:
            far.set()
            raise RuntimeError("broken off")

    with Client(real) as client, pytest.raises(RuntimeError, match="broken off"):
        send_all(files, ServerStore(client), interrupt)
    assert far.is_set()
    with Client(real) as client:
        assert not all(client.has_blob(digest) for digest in files.values())
        send_all(files, ServerStore(client), ignore)
        assert all(client.has_blob(digest) for digest in files.values())
