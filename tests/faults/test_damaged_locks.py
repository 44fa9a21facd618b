"""Locks that were damaged at random: each is read, or rejected as an InputError that names it, and none is lost."""

import contextlib
import json
import random
from collections.abc import Callable
from copy import deepcopy
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.server import connect

from modelfile.errors import InputError
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.pinning.check import check_pins
from modelfile.project.project import Project
from modelfile.stores.ollama.store import ServerStore

DIGEST, FINGERPRINT = f"sha256:{'1' * 64}", f"mf1:{'2' * 64}"
NAME, FULL = "llama3.2:3b", "registry.ollama.ai/library/llama3.2:3b"
BASE = Base(written=NAME, name=FULL, fingerprint=FINGERPRINT, digest=DIGEST, modelfile="base/Modelfile")
PINS = {
    "Modelfile": Pin(text=DIGEST, base=BASE, fingerprint=FINGERPRINT, quantize=("q8_0",)),
    "base/Modelfile": Pin(
        text=DIGEST, files={"w.gguf": DIGEST}, fingerprint=FINGERPRINT, ollama="0.9.3", built=(DIGEST,)
    ),
}
LOCK = Lock(modelfiles=PINS).dumps()
TEXTS = ("", " ", "x", "\0", "\ud800", "../x", "/x", "1.0", "1.7", "2.0", "9" * 5000, DIGEST, FINGERPRINT)
OTHERS: tuple[Any, ...] = (None, True, 0, -1, 1e308, [], [[]], {}, {"": {}}, {"version": "1.0"}, [0] * 100)
JUNK: tuple[Any, ...] = (*TEXTS, *OTHERS)
LINES = (b"<<<<<<< HEAD\n", b"=======\n", b">>>>>>> theirs\n")
PIECES = (*LINES, b"[" * 5000, b'{"a":' * 5000, b"9" * 5000, b"NaN", b"\xff", b"\0")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in a JSON document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, item in items for found in places(item, (*path, key)))]


def with_junk(chance: random.Random) -> bytes:
    """Return the lock with another value, or another key, in a few locations."""
    document: Any = {"": json.loads(LOCK)}
    for _ in range(chance.randint(1, 3)):
        *above, last = chance.choice(places(document)[1:])
        parent = document
        for key in above:
            parent = parent[key]
        junk = deepcopy(chance.choice(JUNK))
        match chance.randrange(3):
            case 0:
                del parent[last]
            case 1 if isinstance(parent, dict) and above:
                parent[str(junk)[:50]] = parent.pop(last)
            case _:
                parent[last] = junk
        if not document or len(places(document)) == 1:
            break
    return json.dumps(document.get("")).encode()


def with_bytes(chance: random.Random) -> bytes:
    """Return the lock with bytes changed, removed or inserted."""
    data = bytearray(LOCK.encode())
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        data[start : start + chance.choice((0, 1, 40))] = chance.choice((b"", bytes([chance.randrange(256)]), *PIECES))
    return bytes(data)


def error_of(use: Callable[[LockFile], object], path: Path) -> InputError | None:
    """Return the error of a use of the lock, None if there is none; any other exception is raised."""
    try:
        use(LockFile(path))
    except InputError as error:
        return error
    return None


def test_damaged_locks_are_named_or_read(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "mf.lock"
    chance = random.Random(12)  # noqa: S311  # the same in every run
    outcomes = set()
    for number in range(1500 * rounds):
        data = (with_junk, with_bytes)[number % 2](chance)
        path.write_bytes(data)
        for use in (lambda file: file.lock, lambda file: file.summaries, lambda file: file.newer, rewrite):
            error = error_of(use, path)
            if error:
                assert str(path) in error.message, data
                assert error.hint, data
                assert path.read_bytes() == data
            outcomes.add(error.message.split(": ")[0] if error else "read")
        if path.read_bytes() != data:
            assert LockFile(path).lock.dumps().encode() == path.read_bytes()
    assert len(outcomes) > 3


def rewrite(file: LockFile) -> None:
    file.update(lambda lock: Lock(modelfiles=lock.modelfiles))


def test_commands_survive_damaged_locks(project: Path, rounds: int) -> None:
    chance = random.Random(13)  # noqa: S311  # the same in every run
    assert mf("pin").code == 0
    build = ("build", "bot:v1")
    living = (("outdated",), ("verify",), ("find", "0123456789ab"), ("update", "--dry-run"))
    commands = (
        ("lint",),
        ("check",),
        ("pin", "--check"),
        (*build, "--dry-run"),
        ("pin",),
        (*build, "--locked"),
        *living,
    )
    for number in range(40 * rounds):
        data = (with_junk, with_bytes)[number % 2](chance)
        for command in commands:
            (project / "mf.lock").write_bytes(data)
            ran = mf(*command)
            assert ran.code in (0, 1, 3), (command, data, ran)
            assert "Traceback" not in ran.err


def test_no_lock_without_some_of_its_facts_accepts_another_base(project: Path, fake: FakeOllama) -> None:
    (project / "other.Modelfile").write_text("FROM ./weights.gguf\nPARAMETER top_k 3\n")
    for name, file in (("base:v1", "Modelfile"), ("other:v1", "other.Modelfile")):
        assert mf("build", name, "-f", file).code == 0
    (project / "other.Modelfile").unlink()
    (project / "Modelfile").write_text("# The bot.\nFROM base:v1\n")
    assert mf("pin").code == 0
    assert mf("rm", "base:v1", "--yes").code == 0  # a build would find it under any other name
    assert mf("cp", "other:v1", "base:v1").code == 0
    lock = json.loads((project / "mf.lock").read_text())
    facts = [path for path in places(lock["modelfiles"]["Modelfile"]) if path]
    for missing in combinations_with_replacement(facts, 2):
        changed = deepcopy(lock)
        for *above, last in missing:
            parent = changed["modelfiles"]["Modelfile"]
            for key in above:
                parent = parent.get(key, {})
            parent.pop(last, None)
        (project / "mf.lock").write_text(json.dumps(changed))
        assert mf("build", "bot:v1", "--locked").code != 0, missing
        with connect(fake.url) as client, contextlib.suppress(InputError):
            found = check_pins(Project().modelfiles(["Modelfile"]), ServerStore(client))
            assert found.drifts, missing
    (project / "mf.lock").write_text(json.dumps(lock | {"modelfiles": {"Modelfile": without_fingerprints(lock)}}))
    problem = f"`{project / 'mf.lock'}` is damaged: `modelfiles.Modelfile.base.fingerprint` is missing"
    living = (("outdated",), ("verify",), ("find", "0123456789ab"), ("update",))
    for command in (("pin", "--check"), ("build", "bot:v1", "--locked"), ("lint",), ("check",), ("pin",), *living):
        ran = mf(*command)
        assert ran.code == 3, command
        assert ran.err.startswith(f"error: {problem}\nhelp: restore it from version control, or delete it and"), ran


def without_fingerprints(lock: dict[str, Any]) -> dict[str, Any]:
    pin = deepcopy(lock["modelfiles"]["Modelfile"])
    del pin["fingerprint"], pin["base"]["fingerprint"]
    return dict(pin)
