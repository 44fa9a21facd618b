"""`mf store` killed before any change: models, files and archives are old or new, and the next run does the rest."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.folder import HOUR, add_blob, add_model, damages, digest_of, empty_store, temporary_files
from tests.support.killing import Models, Scene

from modelfile.names import ModelName
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.memory import MemoryRegistry
from modelfile.stores.staging import STAGING

WEIGHTS = b"GGUF" + bytes(3 << 20)
SIGNALS = (signal.SIGINT, signal.SIGKILL)


def fill(layout: Layout) -> None:
    """Write models of which some are stale, and blobs that nobody names."""
    for name in ("bot:v1", "bot:mf-building-01234567-v1", *(f"bot:sha256-{number:064x}-v1" for number in range(5))):
        add_model(layout, name, age=2 * HOUR, model=WEIGHTS, system=name.encode())
    add_model(layout, "other:v1", age=2 * HOUR, model=b"GGUF other")
    for number in range(5):
        add_blob(layout, b"nobody's %d" % number, age=2 * HOUR)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Layout], object]], Scene]:
    """Return the function that makes the scene of a filled store, after a change of it."""

    def make_scene(change: Callable[[Layout], object]) -> Scene:
        folder, layout, before = tmp_path / "project", empty_store(tmp_path / "store"), tmp_path / "before"
        folder.mkdir()
        (folder / ".git").mkdir()
        monkeypatch.setenv("MF_STORE", str(layout.root))
        monkeypatch.chdir(folder)
        fill(layout)
        archive = tmp_path / "models.tar"
        assert mf("store", "save", "bot:v1", "other:v1", "-o", str(archive)).code == 0
        change(layout)
        shutil.copytree(layout.root, before, symlinks=True)

        def reset() -> None:
            shutil.rmtree(layout.root)
            shutil.copytree(before, layout.root, symlinks=True)

        def listed() -> Models:
            models = {str(model.name): model.digest for model in FolderStore(layout).list()}
            return {name: digest for name, digest in models.items() if STAGING not in name}

        return Scene(
            folder=folder,
            files={"models.tar": archive.read_bytes()},
            models=listed,
            reset=reset,
            open_registry=lambda _: nullcontext(MemoryRegistry()),
        )

    return make_scene


def root(scene: Scene) -> Path:
    return scene.folder.parent / "store"


def nothing(_: Layout) -> None:
    """Leave the store as it is."""


def other_models(layout: Layout) -> None:
    """Give the names in the archive other models."""
    for name in ("bot:v1", "other:v1"):
        add_model(layout, name, model=b"GGUF replaced", system=name.encode())


def test_killed_prune_removes_nothing_that_is_named(make: Callable[..., Scene], rounds: int) -> None:
    scene, chance = make(nothing), random.Random(1)  # noqa: S311  # no secret
    for _ in range(5 * rounds):
        scene.kill(("store", "prune", "--yes"), chance.choice(SIGNALS), chance)
        assert damages(root(scene)) == []
        assert take_inventory(Layout(root(scene))).unnamed == {}


def test_killed_load_leaves_each_model_old_or_new(make: Callable[..., Scene], rounds: int) -> None:
    scene, chance = make(other_models), random.Random(2)  # noqa: S311  # no secret
    for _ in range(5 * rounds):
        scene.kill(("store", "load", "models.tar", "--replace"), chance.choice(SIGNALS), chance)
        assert damages(root(scene)) == []
        assert temporary_files(root(scene)) == []


def test_killed_save_leaves_no_part_of_an_archive(make: Callable[..., Scene], rounds: int) -> None:
    scene, chance = make(nothing), random.Random(3)  # noqa: S311  # no secret
    for _ in range(3 * rounds):
        scene.kill(("store", "save", "bot:v1", "other:v1", "-o", "again.tar"), chance.choice(SIGNALS), chance)
        assert (scene.folder / "again.tar").read_bytes() == (scene.folder / "models.tar").read_bytes()
        assert [*scene.folder.glob(".mf-*")] == []


def test_killed_check_and_repair_lose_nothing(make: Callable[..., Scene], rounds: int) -> None:
    def harm(layout: Layout) -> None:
        path = layout.manifest(ModelName.parse("other:v1"))
        path.with_name("v2").symlink_to(path)
        path.with_name("v3").symlink_to("nowhere")
        layout.blob(digest_of(b"nobody's 1")).write_bytes(b"damaged")
        layout.blob(digest_of(WEIGHTS)).chmod(0o666)

    scene, chance = make(harm), random.Random(4)  # noqa: S311  # no secret
    for _ in range(5 * rounds):
        scene.kill(("store", "check", "--repair"), chance.choice(SIGNALS), chance)
        assert mf("store", "check").out == f"{root(scene)} is sound\n"


def test_a_save_removes_what_killed_ones_left_beside_the_archive(make: Callable[..., Scene]) -> None:
    fcntl = pytest.importorskip("fcntl")
    folder = make(nothing).folder / "archives"
    folder.mkdir()
    dead, living = (folder / f".mf-{number}-0123456789abcdef" for number in (1, 2))
    kept = {living, folder / "mf-notes", folder / ".mf-settings", folder / "bot.tar"}
    for path in {dead, *kept}:
        path.write_bytes(b"x")
    with living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert mf("store", "save", "bot:v1", "-o", str(folder / "bot.tar")).code == 0
    assert {*folder.iterdir()} == kept
    assert (folder / "bot.tar").stat().st_size > len(WEIGHTS)
