"""Models that go from one store to another."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

import modelfile
from modelfile.builder.scheduler import Succeeded
from modelfile.cache import cache_folder
from modelfile.errors import InputError, UsageError, VerificationError
from modelfile.events import Events, ignore
from modelfile.manifest import Layer
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message, Recipe
from modelfile.stores.backups import pin_alias
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.memory import MemoryRegistry, MemoryStore
from modelfile.stores.open import open_folder
from modelfile.transfer import as_folder, copy_model, fetch_base

NAME, NEW = ModelName.parse("team/bot:v1"), ModelName.parse("copy:v1")
WEIGHTS, ADAPTER = b"GGUF weights", b"GGUF adapter"
DIGESTS = [f"sha256:{hashlib.sha256(content).hexdigest()}" for content in (WEIGHTS, ADAPTER)]
MODEL = Model(
    weights=(DIGESTS[0],),
    adapters=(DIGESTS[1],),
    template="{{ .System }} {{ .Prompt }}",
    system="hello é",
    license="MIT\nBSD",
    parameters={"stop": ("a", "<b>"), "temperature": 0.5},
    messages=(Message("user", "hi"),),
)
MOVED = Model(weights=(DIGESTS[1],))


@pytest.fixture
def registry() -> MemoryRegistry:
    registry = MemoryRegistry()
    registry.push(NAME, MODEL, [WEIGHTS, ADAPTER])
    return registry


@pytest.fixture
def folder(registry: MemoryRegistry, tmp_path: Path) -> Iterator[FolderStore]:
    with open_folder(tmp_path / "first", registry=registry) as store:
        store.pull(NAME, ignore)
        yield store


def fingerprint_in(store: MemoryStore | FolderStore, name: ModelName) -> str | None:
    found = store.find(name)
    return found.fingerprint if found else None


def test_folder_gives_a_folder_the_same_bytes(folder: FolderStore, tmp_path: Path) -> None:
    with open_folder(tmp_path / "second") as second:
        copy_model(folder, NAME, second, NEW, ignore)
        assert second.layout.manifest(NEW).read_bytes() == folder.layout.manifest(NAME).read_bytes()
        assert fingerprint_in(second, NEW) == fingerprint(MODEL)
        assert [*second.layout.blobs()] != [*folder.layout.blobs()]
        assert {digest for digest, _ in second.layout.blobs()} == {digest for digest, _ in folder.layout.blobs()}


def test_folder_gives_a_server_a_model_with_the_same_fingerprint(folder: FolderStore) -> None:
    server = MemoryStore()
    copy_model(folder, NAME, server, NEW, ignore)
    assert fingerprint_in(server, NEW) == fingerprint(MODEL)
    assert [model.name for model in server.list()] == [NEW]


def test_weights_that_a_store_has_are_not_sent_again(folder: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    server = MemoryStore()
    copy_model(folder, NAME, server, NEW, ignore)

    def put_blob(*_: object) -> None:
        raise AssertionError("sent again")

    monkeypatch.setattr(server, "put_blob", put_blob)
    copy_model(folder, NAME, server, ModelName.parse("other:v1"), ignore)


def test_server_gives_out_nothing(folder: FolderStore) -> None:
    server = MemoryStore.with_models("bot:v1")
    assert (as_folder(server), as_folder(folder)) == (None, folder)
    with pytest.raises(UsageError, match="a server does not give out weights"):
        copy_model(server, ModelName.parse("bot:v1"), folder, NEW, ignore)


def test_missing_and_damaged_models_are_not_copied(folder: FolderStore, tmp_path: Path) -> None:
    with open_folder(tmp_path / "second") as second:
        with pytest.raises(InputError, match="none:v1 not found"):
            copy_model(folder, ModelName.parse("none:v1"), second, NEW, ignore)
        folder.layout.blob(DIGESTS[0]).write_bytes(b"GGUF damaged"[: len(WEIGHTS)])
        with pytest.raises(InputError, match="has changed since its digest was computed"):
            copy_model(folder, NAME, second, NEW, ignore)
        assert second.list() == ()
        assert DIGESTS[0] not in {digest for digest, _ in second.layout.blobs()}


class Rewriter(MemoryStore):
    """A server that makes another model of the same files."""

    def create(self, name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        """Create a model without its adapters."""
        super().create(name, Recipe(files=recipe.files, template=recipe.template), digests, events)


def test_server_that_makes_another_model_keeps_none(folder: FolderStore) -> None:
    server = Rewriter()
    with pytest.raises(VerificationError, match=r"Ollama 0\.9\.3 at memory: makes another model of the"):
        copy_model(folder, NAME, server, NEW, ignore)
    assert server.list() == ()


def test_former_base_is_fetched_for_a_server(registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    former = registry.resolve(NAME)
    assert former
    registry.push(NAME, MOVED)
    server = MemoryStore()
    fetch_base(NAME, former, server, NEW, registry, ignore)
    assert fingerprint_in(server, NEW) == fingerprint(MODEL)

    def download(name: ModelName, layer: Layer, *_: object) -> None:
        raise AssertionError(f"{layer} of {name} is downloaded again")

    monkeypatch.setattr(registry, "download", download)
    fetch_base(NAME, former, server, ModelName.parse("other:v1"), registry, ignore)


def test_old_downloads_of_other_bases_are_removed(registry: MemoryRegistry) -> None:
    former, folder = registry.resolve(NAME), cache_folder()
    assert former
    assert folder
    blobs = open_layout(folder / "downloads", create=True).root / "blobs"
    old, new = f"sha256-{'a' * 64}-partial", f"sha256-{'b' * 64}-partial"
    resumed = f"{DIGESTS[0].replace(':', '-')}-partial"
    for name in (old, f"{old}-0", new, resumed):
        (blobs / name).write_bytes(b"")
        os.utime(blobs / name, (0, 0) if name != new else None)
    registry.push(NAME, MOVED)

    def look(*_: object) -> None:
        assert (blobs / resumed).exists()
        raise Interrupted

    server = MemoryStore()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "download", look)
        with pytest.raises(Interrupted):
            fetch_base(NAME, former, server, NEW, registry, ignore)
    assert not list(blobs.glob(f"{old}*"))
    fetch_base(NAME, former, server, NEW, registry, ignore)
    assert [path.name for path in blobs.iterdir()] == [new]


class Interrupted(Exception):
    """The download is interrupted."""


@pytest.mark.parametrize("kind", ["server", "folder"])
def test_build_on_a_base_whose_tag_has_moved(
    kind: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, weights, registry = tmp_path / "project", tiny.read_bytes(), MemoryRegistry()
    base = replace(MODEL, weights=(f"sha256:{hashlib.sha256(weights).hexdigest()}",), adapters=())
    registry.push(NAME, base, [weights])
    (project / ".git").mkdir(parents=True)
    (project / "Modelfile").write_text("FROM team/bot:v1\nSYSTEM Be brief.\n")
    monkeypatch.chdir(project)
    (pinned,) = modelfile.pin([modelfile.Project().target("built:v1")], MemoryStore(), registry)
    former = registry.resolve(NAME)
    assert former
    assert pinned.pin
    registry.push(NAME, MOVED)
    target = modelfile.Project().target("built:v1")
    with open_folder(tmp_path / "models", registry=registry) as opened:
        store = MemoryStore() if kind == "server" else opened
        (outcome,) = modelfile.build([target], [store], registry=registry)
        assert isinstance(outcome, Succeeded), outcome
        assert outcome.result.created.fingerprint == pinned.pin.fingerprint
        alias = pin_alias(NAME, former.digest)
        assert fingerprint_in(store, alias) == fingerprint(base)
        if isinstance(store, FolderStore):
            assert store.layout.manifest(alias).read_text() == former.text
