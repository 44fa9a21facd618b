"""Repairs of a store: each damage goes, nothing is lost before the good bytes are there, and other models stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.folder import add_model, contents, digest_of, empty_store
from tests.unit.stores.disk.test_integrity import BASE, DAMAGES, WEIGHTS, dangle

from modelfile.errors import ModelfileError, ServerError
from modelfile.events import Progress, ignore
from modelfile.manifest import Layer
from modelfile.names import ModelName
from modelfile.stores.disk.integrity import check_blobs, check_layout
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.repair import Repaired, repair
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.memory import MemoryRegistry

BLOB = digest_of(WEIGHTS)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = empty_store(tmp_path / "store")
    add_model(layout, "base:v1", model=WEIGHTS)
    add_model(layout, "bot:v1", model=WEIGHTS, system=b"Be brief.")
    return layout


def registry_of(layout: Layout, *names: str) -> MemoryRegistry:
    """Return registries that have some models of a store."""
    return pushed(MemoryRegistry(), layout, *names)


def pushed(registry: MemoryRegistry, layout: Layout, *names: str) -> MemoryRegistry:
    """Return registries after some models of a store were pushed to them."""
    for name, manifest in take_inventory(layout).models:
        if str(name) in names:
            for layer in (manifest.config, *manifest.layers):
                registry.upload(name, layer, layout.blob(layer.digest), lambda _: None)
            registry.publish(name, manifest.text)
    return registry


def repaired(layout: Layout, registry: MemoryRegistry, events: Callable[[Progress], None] = ignore) -> list[Repaired]:
    damages = [*check_layout(layout), *check_blobs(layout)]
    return [*repair(damages, FolderStore(layout), registry, events)]


def left(layout: Layout) -> list[str]:
    return [damage.code for damage in (*check_layout(layout), *check_blobs(layout))]


BY_HAND = {"misnamed-manifest", "case-clash", "foreign-owner", "foreign-file"}


@pytest.mark.parametrize("code", DAMAGES)
def test_damage_is_repaired_or_left_to_a_person(code: str, layout: Layout) -> None:
    registry, before = registry_of(layout, "base:v1"), contents(layout.root)
    harm, _, _ = DAMAGES[code]
    harm(layout)
    damaged = contents(layout.root)
    (outcome,) = repaired(layout, registry)
    assert outcome.damage.code == code
    assert outcome.error is None
    if code in BY_HAND:
        assert outcome.done is None
        assert left(layout) == [code]
        assert contents(layout.root) == damaged
    else:
        assert outcome.done is not None
        assert left(layout) == []
        assert before.items() <= contents(layout.root).items()
        assert weights_mode(layout) == 0o644


def weights_mode(layout: Layout) -> int:
    return layout.blob(BLOB).stat().st_mode & 0o777


def test_how_each_damage_is_repaired(layout: Layout) -> None:
    registry, said = registry_of(layout, "base:v1"), dict[str, str | None]()
    for code, (harm, _, _) in DAMAGES.items():
        if code not in BY_HAND:
            harm(layout)
            (outcome,) = repaired(layout, registry)
            said[code] = outcome.done
            (layout.manifest(BASE).with_name("v2")).unlink(missing_ok=True)
    downloaded = "downloaded from https://registry.ollama.ai"
    pulled = "pulled from https://registry.ollama.ai; its tag may have moved since"
    assert said == {
        "empty-manifest": pulled,
        "dangling-manifest": pulled,
        "unreadable-manifest": pulled,
        "symlinked-manifest": "it is a file of its own now",
        "missing-blob": downloaded,
        "dangling-blob": downloaded,
        "wrong-size": downloaded,
        "wrong-digest": downloaded,
        "old-blob-name": f"renamed to `{BLOB.replace(':', '-')}`",
        "wrong-mode": "its mode is 0644 now",
    }


class Broken(MemoryRegistry):
    """Registries that cut every download."""

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Send some bytes, then fail."""
        on_chunk(self.read(name, layer)[start : end // 2])
        raise ServerError(f"{self.url(name)} does not answer")


class Lying(MemoryRegistry):
    """Registries that send other bytes."""

    def download(self, name: ModelName, layer: Layer, start: int, end: int, on_chunk: Callable[[bytes], None]) -> None:
        """Send as many other bytes."""
        del name, layer
        on_chunk(bytes(end - start))


@pytest.mark.parametrize("kind", [MemoryRegistry, Broken, Lying])
def test_damaged_blob_stays_as_it_is_until_a_good_one_is_there(kind: type[MemoryRegistry], layout: Layout) -> None:
    registry = kind()
    for name, manifest in take_inventory(layout).models if kind is not MemoryRegistry else ():
        for layer in (manifest.config, *manifest.layers):
            registry.upload(name, layer, layout.blob(layer.digest), lambda _: None)
    for damaged in (b"damaged", bytes(len(WEIGHTS))):
        layout.blob(BLOB).write_bytes(damaged)
        before = contents(layout.root)
        (outcome,) = repaired(layout, registry)
        assert outcome.done is None
        assert isinstance(outcome.error, ModelfileError)
        after = contents(layout.root)  # parts of a download may be there, which the next one resumes
        assert {name: text for name, text in after.items() if "-partial" not in name} == before
        for path in (layout.root / "blobs").glob("*-partial*"):
            path.unlink()


def test_blob_is_downloaded_from_any_registry_of_the_models_that_name_it(layout: Layout) -> None:
    add_model(layout, "hf.co/team/base:Q8_0", model=WEIGHTS)
    registry = registry_of(layout, "hf.co/team/base:Q8_0")
    layout.blob(BLOB).unlink()
    seen: list[Progress] = []
    (outcome,) = repaired(layout, registry, seen.append)
    assert outcome.done == "downloaded from https://hf.co"
    assert left(layout) == []
    assert seen[-1].completed == seen[-1].total == len(WEIGHTS)


@pytest.mark.parametrize("code", ["empty-manifest", "dangling-manifest"])
def test_manifest_that_has_nothing_to_lose_is_removed_if_no_registry_has_the_model(code: str, layout: Layout) -> None:
    harm, _, _ = DAMAGES[code]
    harm(layout)
    (outcome,) = repaired(layout, MemoryRegistry())
    assert outcome.done == "removed: no registry has the model"
    assert not layout.manifest(BASE).parent.exists()
    assert left(layout) == []


def test_damaged_manifest_is_never_removed(layout: Layout) -> None:
    layout.manifest(BASE).write_bytes(b"{")
    before = contents(layout.root)
    (outcome,) = repaired(layout, MemoryRegistry())
    assert (outcome.done, outcome.error and outcome.error.message) == (
        None,
        "base:v1 not found on https://registry.ollama.ai",
    )
    assert contents(layout.root) == before


def test_pin_alias_is_pulled_by_its_digest(layout: Layout) -> None:
    registry = registry_of(layout, "base:v1")
    digest = next(manifest.digest for name, manifest in take_inventory(layout).models if name.same_as(BASE))
    path = layout.manifest(BASE).with_name(digest.replace(":", "-"))
    path.symlink_to("nowhere")
    text = layout.manifest(BASE).read_text(encoding="utf-8")
    add_model(layout, "base:v1", model=b"the tag has moved")
    pushed(registry, layout, "base:v1")
    (outcome,) = repaired(layout, registry)
    assert outcome.done == "pulled from https://registry.ollama.ai"
    assert path.read_text(encoding="utf-8") == text
    assert not path.is_symlink()


def test_damaged_blob_that_no_model_names_is_removed(layout: Layout) -> None:
    layout.blob(f"sha256:{'0' * 64}").write_bytes(b"x")
    dangle_path = layout.blob(f"sha256:{'1' * 64}")
    dangle_path.touch()
    dangle(dangle_path)
    assert [outcome.done for outcome in repaired(layout, MemoryRegistry())] == ["removed", "removed"]
    assert left(layout) == []


def test_damaged_blob_that_a_damaged_manifest_may_name_is_not_removed(layout: Layout) -> None:
    layout.blob(f"sha256:{'0' * 64}").write_bytes(b"x")
    layout.manifest(BASE).write_bytes(b"{")
    outcomes = repaired(layout, MemoryRegistry())
    assert [(outcome.damage.code, outcome.done) for outcome in outcomes] == [
        ("unreadable-manifest", None),
        ("wrong-digest", None),
    ]
    assert str(outcomes[1].error) == "a manifest may name it"
    assert layout.blob(f"sha256:{'0' * 64}").exists()


def test_old_blob_name_is_removed_where_there_is_a_new_one(layout: Layout) -> None:
    layout.blob(BLOB).with_name(BLOB).write_bytes(WEIGHTS)
    (outcome,) = repaired(layout, MemoryRegistry())
    assert outcome.done == f"removed: there is `{BLOB.replace(':', '-')}`"
    assert left(layout) == []


def test_several_damages_at_once_are_all_repaired(layout: Layout) -> None:
    registry = registry_of(layout, "base:v1", "bot:v1")
    layout.manifest(BASE).write_bytes(b"")
    layout.blob(BLOB).write_bytes(b"damaged")
    layout.blob(digest_of(b"Be brief.")).unlink()
    manifest = layout.manifest(ModelName.parse("bot:v1"))
    manifest.chmod(0o606)
    outcomes = repaired(layout, registry)
    assert all(outcome.done for outcome in outcomes)
    assert left(layout) == []
