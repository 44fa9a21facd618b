"""The disk space of models: what each has to itself, what it shares, and the rest."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.support.folder import CONFIG, add_blob, add_model, digest_of, empty_store

from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.inventory import FileKind, Inventory, StoredFile, StoredManifest, take_inventory
from modelfile.stores.disk.usage import Amount, usage_of

COMMON = len(CONFIG)


def test_model_shares_what_another_names_too(tmp_path: Path) -> None:
    layout = empty_store(tmp_path / "store")
    add_model(layout, "small:v1", model=bytes(10))
    digest = add_model(layout, "large:v1", model=bytes(1000), system=bytes(10))
    add_model(layout, "other:v1", model=bytes(1000), license=bytes(20))
    add_blob(layout, bytes(7))
    (layout.root / "blobs" / f"sha256-{'0' * 64}-partial-0").write_bytes(bytes(3))
    (layout.root / "blobs" / "sha256-1234").write_bytes(bytes(5))
    usage = usage_of(take_inventory(layout))
    assert [(str(model.name), model.size, model.unique, model.shared) for model in usage.models] == [
        ("other:v1", 1020 + COMMON, 20, 1000 + COMMON),
        ("large:v1", 1010 + COMMON, 0, 1010 + COMMON),  # its system prompt has the bytes of the small weights
        ("small:v1", 10 + COMMON, 0, 10 + COMMON),
    ]
    assert usage.models[1].digest == digest
    assert usage.blobs == Amount(files=5, size=1000 + 10 + 20 + 7 + COMMON)
    assert (usage.unnamed, usage.partial, usage.temporary) == (
        Amount(files=1, size=7),
        Amount(files=1, size=3),
        Amount(files=1, size=5),
    )


def test_missing_blob_is_named_and_a_damaged_manifest_too(tmp_path: Path) -> None:
    layout = empty_store(tmp_path / "store")
    add_model(layout, "bot:v1", model=bytes(10))
    add_model(layout, "bad:v1", model=bytes(1000))
    layout.blob(digest_of(bytes(10))).unlink()
    path = layout.manifest(ModelName.parse("bad:v1"))
    path.write_text("{")
    usage = usage_of(take_inventory(layout))
    (model,) = usage.models
    assert (model.missing, model.size) == ((digest_of(bytes(10)),), COMMON)
    assert usage.unreadable == (path,)
    assert usage.unnamed == Amount(files=1, size=1000)


BLOBS = [f"sha256:{number:064x}" for number in range(6)]


@given(st.lists(st.lists(st.sampled_from(BLOBS), min_size=1), max_size=5), st.sets(st.sampled_from(BLOBS)))
def test_sizes_add_up(layers: list[list[str]], missing: set[str]) -> None:
    manifests = tuple(
        StoredManifest(path=Path(str(number)), name=ModelName(model=f"m{number}"), manifest=manifest_of(digests))
        for number, digests in enumerate(layers)
    )
    blobs = {
        digest: StoredFile(path=Path(digest), size=2**number, modified=0)
        for number, digest in enumerate(BLOBS)
        if digest not in missing
    }
    usage = usage_of(Inventory(manifests=manifests, blobs=blobs, dangling={}, others=dict.fromkeys(FileKind, ())))
    named = {digest for digests in layers for digest in digests} - missing
    shared = {digest for digest in named if sum(digest in digests for digests in layers) > 1}
    assert sum(model.unique for model in usage.models) + sum(blobs[digest].size for digest in shared) == sum(
        blobs[digest].size for digest in named
    )
    assert usage.blobs.size - usage.unnamed.size == sum(blobs[digest].size for digest in named)
    for model in usage.models:
        digests = {*layers[int(model.name.model[1:])]}
        assert model.size == sum(blobs[digest].size for digest in digests - missing)
        assert {*model.missing} == digests & missing


def manifest_of(digests: list[str]) -> Manifest:
    config, *layers = (Layer(media_type="a/b", digest=digest, size=1) for digest in digests)
    return Manifest(text=" ".join(digests), config=config, layers=tuple(layers))
