"""Commands that are killed or interrupted at random: every file and every tag is old or new, and nothing is lost."""

import random
import signal
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.killing import Models, Scene

MODELFILE = "# For tests.\nFROM base:main\nPARAMETER temperature 0.5\nSYSTEM hello\n"
FILES = {
    "weights.gguf": b"GGUF" + bytes(1 << 20),
    "Modelfile": MODELFILE.encode(),
    "local.Modelfile": b"# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.7\n",
    "older.Modelfile": b"# For tests.\nFROM base:main\nSYSTEM older\n",
    "messy.Modelfile": ("# For tests.\nfrom   base:main\n" + "parameter   temperature 0.5\n" * 300).encode(),
    "mf.toml": b'[models.bot]\nmodelfile = "Modelfile"\ntag = "stable"\n',
}
COMMANDS = (
    ("build", "bot:stable"),
    ("build", "bot:stable", "-f", "local.Modelfile"),
    ("build", "bot:v1", "--replace"),
    ("pin", "--from-server", "Modelfile", "local.Modelfile"),
    ("fmt", "messy.Modelfile"),
    ("lint", "--fix", "messy.Modelfile"),
    ("cp", "base:main", "bot:stable", "--replace"),
    ("rm", "other:main", "--yes"),
    ("pull", "team/base:main"),
    ("pull", "team/base:v1", "--replace"),
    ("rollback", "bot:stable"),
)


@pytest.fixture
def scene(tmp_path: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Return a folder and a server where each command has something to change."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(folder)
    for tag in ("main", "v1"):
        fake.registry[f"team/base:{tag}"] = published(b"GGUF old", system=tag)
        assert mf("pull", f"team/base:{tag}").code == 0
        fake.registry[f"team/base:{tag}"] = published(b"GGUF new", system=tag)
    for name, file in (("base:main", "local"), ("bot:stable", "older"), ("bot:v1", "older"), ("other:main", "older")):
        assert mf("build", name, "-f", f"{file}.Modelfile").code == 0
    assert mf("cp", "team/base:main", "bot:stable", "--replace").code == 0
    models, blobs = {**fake.models}, {**fake.blobs}

    def reset() -> None:
        with fake.lock:
            fake.models.clear()
            fake.models.update(models)
            fake.blobs.clear()
            fake.blobs.update(blobs)

    def listed() -> Models:
        with fake.lock:
            return {name: model.digest for name, model in fake.models.items()}

    return Scene(folder=folder, files=FILES, models=listed, reset=reset)


def test_commands_that_are_killed_leave_each_file_and_each_model_old_or_new(scene: Scene, rounds: int) -> None:
    chance = random.Random(12)  # noqa: S311  # no secret
    for number in range(6 * rounds):
        command = COMMANDS[number % len(COMMANDS)]
        scene.kill(command, chance.choice((signal.SIGINT, signal.SIGKILL)), chance)
    assert scene.ends[130] + scene.ends[-signal.SIGKILL] > 2 * rounds, scene.ends  # the others were done already
