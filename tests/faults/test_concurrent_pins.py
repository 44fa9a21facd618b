"""Several processes pin Modelfiles of one project at once: no pin is lost, and none is another's."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelfile.lockfile.file import LockFile
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.pinning.check import check_pins
from modelfile.pinning.pin import pin
from modelfile.project.project import Project
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

PROCESSES = 4
WORKER = """
import sys
from pathlib import Path
import modelfile
from modelfile.lockfile.file import LockFile
from modelfile.stores.memory import MemoryRegistry, MemoryStore

worker, rounds = sys.argv[1], int(sys.argv[2])
path, registry = Path(worker, "Modelfile"), MemoryRegistry.with_models("llama3.2:3b")
print("ready", flush=True)
sys.stdin.readline()
lost = 0
for number in range(rounds):
    path.write_text(f"FROM llama3.2:3b\\nSYSTEM {worker} {number}\\n")
    (change,) = modelfile.pin(modelfile.Project().modelfiles([str(path)]), MemoryStore(), registry)
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


def run(program: str, rounds: int) -> list[str]:
    """Start processes, let them go at once, and return what each printed at its end."""
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(worker), str(rounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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
    return [worker.communicate()[0] for worker in workers]


@pytest.mark.parametrize("cache", [True, False])
def test_concurrent_pins_lose_none(
    checkout: Path, rounds: int, monkeypatch: pytest.MonkeyPatch, *, cache: bool
) -> None:
    if not cache:  # nowhere to write but the project
        for name in ("XDG_CACHE_HOME", "HOME", "TMPDIR"):
            monkeypatch.setenv(name, "/dev/null/none")
    assert run(WORKER, 30 * rounds) == ["0\n"] * PROCESSES
    lock = LockFile(checkout / "mf.lock").lock
    assert lock.modelfiles.keys() == {f"{worker}/Modelfile" for worker in range(PROCESSES)}
    bases = {pin.base for pin in lock.modelfiles.values()}
    assert [base.source for base in bases if base] == ["https://registry.ollama.ai"]  # all have the first one's
    check = check_pins(Project().modelfiles(["."]), MemoryStore.with_models("llama3.2:3b"), whole=True)
    assert (check.drifts, check.undecided) == ((), ())
    assert {path.name for path in checkout.iterdir()} == {".git", "mf.lock", *map(str, range(PROCESSES))}


class Overtaken(MemoryRegistry):
    """Registries in which a tag moves, after another process has pinned it, before the first answer comes."""

    overtaken = False

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return the manifest of a tag, which has just moved."""
        if not self.overtaken:
            self.overtaken = True
            pin(Project().modelfiles(["1"]), MemoryStore(), self)
            self.push(name, Model(weights=(f"sha256:{'a' * 64}",)))
        return super().resolve(name)


def test_two_new_modelfiles_get_the_same_base_also_if_its_tag_moves_in_between(checkout: Path) -> None:
    for worker in "01":
        (checkout / worker / "Modelfile").write_text("FROM llama3.2:3b\n")
    pin(Project().modelfiles(["0"]), MemoryStore(), Overtaken.with_models("llama3.2:3b"))
    pins = LockFile(checkout / "mf.lock").lock.modelfiles
    assert pins["0/Modelfile"] == pins["1/Modelfile"]


CHAIN = """
import random, sys
from pathlib import Path
import modelfile
from modelfile.filesystem import write_atomic
from modelfile.stores.memory import MemoryStore

number, rounds = int(sys.argv[1]), int(sys.argv[2])
chance, store = random.Random(number), MemoryStore.with_models("llama3.2:3b", "m0:v1", "m1:v1", "m2:v1")
print("ready", flush=True)
sys.stdin.readline()
for turn in range(rounds):
    path = Path(str(chance.randrange(4)), "Modelfile")
    text = path.read_text().partition("SYSTEM")[0]
    write_atomic(path, f"{text}SYSTEM {number} {turn}\\n".encode())
    modelfile.pin(modelfile.Project().modelfiles([chance.choice((str(path), "."))]), store)
print("done")
"""


def test_concurrent_pins_of_models_upon_one_another_end_up_consistent(checkout: Path, rounds: int) -> None:
    for number in range(PROCESSES):
        base = f"m{number - 1}:v1" if number else "llama3.2:3b"
        (checkout / str(number) / "Modelfile").write_text(f"FROM {base}\n")
    (checkout / "mf.toml").write_text(
        "".join(f'[models.m{number}]\nmodelfile = "{number}/Modelfile"\ntag = "v1"\n' for number in range(PROCESSES))
    )
    store = MemoryStore.with_models("llama3.2:3b")
    pin(Project().modelfiles(["."]), store)
    assert run(CHAIN, 10 * rounds) == ["done\n"] * PROCESSES
    pin(Project().modelfiles(["."]), store)
    written = (checkout / "mf.lock").read_text()
    assert check_pins(Project().modelfiles(["."]), store, whole=True).drifts == ()
    (checkout / "mf.lock").write_text('{"version": "1.0"}')
    pin(Project().modelfiles(["."]), store)
    assert without_times((checkout / "mf.lock").read_text()) == without_times(written)


def without_times(lock: str) -> str:
    return re.sub(r'"resolved": ".*"', "", lock)
