"""Several processes pin Modelfiles of one project at once: no pin is lost, and none is another's."""

import subprocess
import sys
from pathlib import Path

import pytest

from modelfile.lockfile.file import LockFile
from modelfile.pinning.check import check_pins
from modelfile.project.project import Project
from modelfile.stores.memory import MemoryStore

PROCESSES = 4
WORKER = """
import sys
from pathlib import Path
import modelfile
from modelfile.lockfile.file import LockFile
from modelfile.stores.memory import MemoryStore

worker, rounds = sys.argv[1], int(sys.argv[2])
path, store = Path(worker, "Modelfile"), MemoryStore.with_models("llama3.2:3b")
print("ready", flush=True)
sys.stdin.readline()
lost = 0
for number in range(rounds):
    path.write_text(f"FROM llama3.2:3b\\nSYSTEM {worker} {number}\\n")
    (change,) = modelfile.pin(modelfile.Project().modelfiles([str(path)]), store)
    assert change.key == str(path), change
    lost += LockFile(Path("mf.lock").resolve()).lock.modelfiles.get(change.key) != change.pin
print(lost)
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    for worker in map(str, range(PROCESSES)):
        (tmp_path / worker).mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("cache", [True, False])
def test_concurrent_pins_lose_none(
    checkout: Path, rounds: int, monkeypatch: pytest.MonkeyPatch, *, cache: bool
) -> None:
    if not cache:  # nowhere to write but the project
        for name in ("XDG_CACHE_HOME", "HOME", "TMPDIR"):
            monkeypatch.setenv(name, "/dev/null/none")
    command = [sys.executable, "-c", WORKER]
    workers = [
        subprocess.Popen(
            [*command, str(worker), str(50 * rounds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for worker in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("go\n")
        worker.stdin.flush()
    assert [worker.communicate()[0] for worker in workers] == ["0\n"] * PROCESSES
    lock = LockFile(checkout / "mf.lock").lock
    assert lock.modelfiles.keys() == {f"{worker}/Modelfile" for worker in range(PROCESSES)}
    check = check_pins(Project().modelfiles(["."]), MemoryStore.with_models("llama3.2:3b"), whole=True)
    assert (check.drifts, check.undecided) == ((), ())
    assert {path.name for path in checkout.iterdir()} == {".git", "mf.lock", *map(str, range(PROCESSES))}
