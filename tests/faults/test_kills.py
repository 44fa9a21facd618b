"""Commands that are killed or interrupted at random: every file and every tag is old or new, and nothing is lost."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.killing import Models, Scene

from modelfile.cli.options import OpenRegistry, _open_registries

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


def scene_of(folder: Path, fake: FakeOllama, files: Mapping[str, bytes], registry: OpenRegistry | None = None) -> Scene:
    """Return a folder with files and a server with the models that it has now."""
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

    return Scene(folder=folder, files=files, models=listed, reset=reset, open_registry=registry)


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
    return scene_of(folder, fake, FILES)


@pytest.fixture
def locked_scene(tmp_path: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Yield a folder whose lock has a base that the registry still has, and the tag on the server no longer."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(folder)
    with FakeRegistry() as registry:
        fake.store.plain_hosts.add(registry.host)
        base, old = f"{registry.host}/team/base:main", published(b"GGUF old", system="old")
        text = f"# For tests.\nFROM {base}\nPARAMETER temperature 0.5\n"
        (folder / "Modelfile").write_text(text)
        registry.push("team/base", "main", old)
        assert mf("pin", open_registry=_open_registries).code == 0
        fake.registry[base] = published(b"GGUF new", system="new")
        assert mf("pull", base).code == 0
        fake.registry[base] = old
        files = {"Modelfile": text.encode(), "mf.lock": (folder / "mf.lock").read_bytes()}
        yield scene_of(folder, fake, files, _open_registries)


def test_builds_on_locked_bases_that_are_killed_lose_no_base(locked_scene: Scene, rounds: int) -> None:
    chance = random.Random(14)  # noqa: S311  # no secret
    command = ("build", "bot:stable", "--locked")
    _, after, _, _ = locked_scene.undisturbed(command)
    assert len(after) == 4  # the base as it was pinned, its alias, the backup of what its tag had, and the bot
    for _ in locked_scene.until_killed(rounds + 1, tries=4 * rounds):
        locked_scene.kill(command, chance.choice((signal.SIGINT, signal.SIGKILL)), chance)


def test_commands_that_are_killed_leave_each_file_and_each_model_old_or_new(scene: Scene, rounds: int) -> None:
    chance = random.Random(12)  # noqa: S311  # no secret
    for number in scene.until_killed(2 * rounds + 1, tries=6 * rounds):
        command = COMMANDS[number % len(COMMANDS)]
        scene.kill(command, chance.choice((signal.SIGINT, signal.SIGKILL)), chance)
