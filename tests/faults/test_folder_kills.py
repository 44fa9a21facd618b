"""Commands on a folder of models that are killed before any change: nothing is lost, and nothing is half there."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import mf
from tests.support.folder import damages, temporary_files
from tests.support.killing import Models, Scene
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.cli.options import _open_registries
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.store import FolderStore

if TYPE_CHECKING:
    from _typeshed import SupportsLenAndGetItem

TEMPLATE = "TEMPLATE {{ .System }} {{ .Prompt }}\n"
FILES = {
    "Modelfile": f"# For tests.\nFROM base:main\nPARAMETER temperature 0.5\nSYSTEM hello\n{TEMPLATE}".encode(),
    "local.Modelfile": f"# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.7\n{TEMPLATE}".encode(),
    "other.Modelfile": f"# For tests.\nFROM ./other.gguf\n{TEMPLATE}".encode(),
    "older.Modelfile": f"# For tests.\nFROM base:main\nSYSTEM older\n{TEMPLATE}".encode(),
}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Yield a folder where each command has something to change, beside the folder of the models."""
    folder, root = tmp_path / "project", tmp_path / "store"
    (folder / ".git").mkdir(parents=True)
    write_tiny_gguf(folder / "weights.gguf")
    weights = (folder / "weights.gguf").read_bytes()
    files = FILES | {"weights.gguf": weights, "other.gguf": weights + bytes(1 << 20)}
    (folder / "other.gguf").write_bytes(files["other.gguf"])
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    monkeypatch.setenv("MF_STORE", str(root))
    monkeypatch.chdir(folder)
    with FakeRegistry() as registry:
        base = f"{registry.host}/team/base:main"
        registry.push("team/base", "main", published(b"GGUF old", system="old"))
        for name, file in (("base:main", "local"), ("bot:stable", "older"), ("other:main", "older")):
            assert mf("build", name, "-f", f"{file}.Modelfile").code == 0
        assert mf("pull", base, open_registry=_open_registries).code == 0
        registry.push("team/base", "main", published(b"GGUF new", system="new"))
        assert mf("cp", base, "bot:stable", "--replace").code == 0
        before = tmp_path / "before"
        shutil.copytree(root, before, symlinks=True)

        def reset() -> None:
            shutil.rmtree(root)
            shutil.copytree(before, root, symlinks=True)

        def listed() -> Models:
            assert damages(root) == []
            return {str(model.name): model.digest for model in FolderStore(Layout(root)).list()}

        yield Scene(folder=folder, files=files, models=listed, reset=reset, open_registry=_open_registries)


def commands(scene: Scene) -> list[tuple[str, ...]]:
    """Return the commands that change the store."""
    host = next(name for name in scene.models() if "/" in name)
    return [
        ("build", "bot:stable"),
        ("build", "new:v1", "-f", "local.Modelfile"),
        ("build", "new:v1", "-f", "other.Modelfile"),
        ("build", "bot:stable", "-f", "local.Modelfile"),
        ("cp", "base:main", "bot:stable", "--replace"),
        ("rm", "other:main", "--yes"),
        ("rm", "bot:stable", "--backups", "--yes"),
        ("pull", host, "--replace"),
        ("rollback", "bot:stable"),
    ]


def test_a_killed_command_leaves_each_model_old_or_new(scene: Scene, rounds: int) -> None:
    chance = random.Random(15)  # noqa: S311  # no secret
    every = [*commands(scene)]
    for number in scene.until_killed(2 * rounds + 1, tries=len(every) * rounds):
        command = every[number % len(every)]
        scene.kill(command, chance.choice((signal.SIGINT, signal.SIGKILL)), chance)
        assert command[0] == "rm" or temporary_files(scene.folder.with_name("store")) == [], command


class At(random.Random):
    """Chooses a step instead of chance."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    def randint(self, _: int, __: int) -> int:
        """Return the step."""
        return self._step

    def choice(self, seq: SupportsLenAndGetItem[Any]) -> Any:
        """Return the first."""
        return seq[0]


@pytest.mark.parametrize("number", range(9))
def test_a_command_may_be_killed_at_each_step(scene: Scene, number: int, rounds: int) -> None:
    """Of the steps, every twelfth is tried; with 12 rounds, all are."""
    command, stride = commands(scene)[number], max(1, 12 // rounds)
    for step in range(1 + number % stride, scene.undisturbed(command).changes + 1, stride):
        scene.kill(command, signal.SIGKILL, At(step))
        assert command[0] == "rm" or temporary_files(scene.folder.with_name("store")) == [], (command, step)
