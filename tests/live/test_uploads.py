"""Uploads to a real server: progress, errors and interruptions."""

import hashlib
import json
import struct
import threading
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.server import connect
from tests.support.tiny_safetensors import write_lora, write_model

from modelfile.errors import InputError
from modelfile.events import Progress, ignore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.uploads import upload_all

pytestmark = pytest.mark.live


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, str]:
    digests = {}
    for number in range(6):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(bytes([number]) * (8 << 20))
        digests[path] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    return digests


def test_files_that_the_server_has_are_not_uploaded_again(real: str, files: dict[Path, str]) -> None:
    reported: list[Progress] = []
    with connect(real) as client:
        for _ in range(2):
            upload_all(files, ServerStore(client), reported.append)
        assert all(client.has_blob(digest) for digest in files.values())
    assert reported[-1].completed == reported[-1].total == 6 * (8 << 20)
    assert [now.completed for now in reported].count(reported[-1].total) == 1


def test_a_file_with_a_wrong_digest_is_rejected(real: str, files: dict[Path, str]) -> None:
    wrong = f"sha256:{'1' * 64}"
    with connect(real) as client:
        with pytest.raises(InputError, match="has changed since its digest was computed"):
            upload_all({next(iter(files)): wrong}, ServerStore(client), ignore)
        assert not client.has_blob(wrong)


@pytest.mark.parametrize("count", [1, 6])
def test_an_interrupted_upload_can_be_repeated(real: str, tmp_path: Path, count: int) -> None:
    files = {}
    for number in range(count):
        path = tmp_path / f"{number}.bin"
        path.write_bytes(b"%d interrupted, of %d" % (number, count) * (1 << 20))
        files[path] = f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    interrupted = threading.Event()

    def interrupt(now: Progress) -> None:
        if now.completed > now.total / 3:
            interrupted.set()
            raise RuntimeError("interrupted")

    with connect(real) as client, pytest.raises(RuntimeError, match="interrupted"):
        upload_all(files, ServerStore(client), interrupt)
    assert interrupted.is_set()
    with connect(real) as client:
        assert not all(client.has_blob(digest) for digest in files.values())
        upload_all(files, ServerStore(client), ignore)
        assert all(client.has_blob(digest) for digest in files.values())


def renew(folder: Path, number: int) -> None:
    """Change every file of a folder of weights, so that each is uploaded again."""
    for path in folder.iterdir():
        content = path.read_bytes()
        if path.suffix == ".json":
            path.write_text(json.dumps(json.loads(content) | {"number": number}))
        else:
            path.write_bytes(content[:-8] + struct.pack("<q", number))


def test_builds_of_eight_files_and_of_an_adapter(real: str, tmp_path: Path, tiny: Path, rounds: int) -> None:
    (tmp_path / ".git").mkdir()
    folder = write_model(tmp_path / "model", shards=5)
    assert len([*folder.iterdir()]) == 8
    adapter = write_lora(tmp_path / "lora")
    (tmp_path / "weights.gguf").write_bytes(tiny.read_bytes())
    (tmp_path / "Modelfile").write_text("# For tests.\nFROM ./model\n")
    (tmp_path / "adapted.Modelfile").write_text("# For tests.\nFROM ./weights.gguf\nADAPTER ./lora\n")
    for number in range(5 * rounds):
        renew(folder, number)
        renew(adapter, number)
        for name, file in (("eight:stable", "Modelfile"), ("adapted:stable", "adapted.Modelfile")):
            built = mf("build", name, "-f", file, "--host", real, "--keep", "0", cwd=tmp_path)
            assert built.code == 0, built
