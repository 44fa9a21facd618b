"""Inventories: each file of a store is of the kind that its program gave it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.support.folder import add_blob, add_manifest, add_model, digest_of, empty_store, set_age

from modelfile.stores.disk.inventory import DANGLING, FileKind, take_inventory
from modelfile.stores.disk.layout import Layout
from modelfile.stores.disk.manifests import EMPTY

HEX = "0123456789abcdef" * 4
KINDS = {
    f"sha256-{HEX}-partial": FileKind.PARTIAL,
    f"sha256-{HEX}-partial-0": FileKind.PARTIAL,
    f"sha256-{HEX}-partial-15": FileKind.PARTIAL,
    f"sha256-{HEX}.tmp": FileKind.PARTIAL,
    f"sha256:{HEX}": FileKind.OLD_NAME,
    "sha256-1234567890": FileKind.TEMPORARY,
    "COPY17": FileKind.TEMPORARY,
    "Q4_K_M1234567890": FileKind.TEMPORARY,
    "F16123": FileKind.TEMPORARY,
    "IQ2_XXS12": FileKind.TEMPORARY,
    "BF161": FileKind.TEMPORARY,
    "IMG2024": FileKind.FOREIGN,
    "DATA_12": FileKind.FOREIGN,
    "projector-metadata4": FileKind.TEMPORARY,
    "split-copy4": FileKind.TEMPORARY,
    f"mf-4242-{HEX[:16]}": FileKind.OWN_TEMPORARY,
    f"sha256-{HEX.upper()}": FileKind.FOREIGN,
    f"sha256-{HEX}0": FileKind.FOREIGN,
    f"sha256-{HEX}-partial-x": FileKind.FOREIGN,
    "sha256-12345678901": FileKind.FOREIGN,
    "README.md": FileKind.FOREIGN,
    ".DS_Store": FileKind.FOREIGN,
    "mf-notes": FileKind.FOREIGN,
}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return empty_store(tmp_path / "store")


@pytest.mark.parametrize("name", KINDS)
def test_kind_of_a_file(name: str, layout: Layout) -> None:
    (layout.root / "blobs" / name).write_bytes(b"x")
    found = take_inventory(layout)
    assert {kind: [file.path.name for file in files] for kind, files in found.others.items() if files} == {
        KINDS[name]: [name]
    }
    assert found.blobs == {}


def test_temporary_folders_are_measured_with_their_contents(layout: Layout) -> None:
    for folder in (layout.root / "blobs" / "split-gguf-12", layout.root / "ollama-safetensors34"):
        (folder / "inner").mkdir(parents=True)
        (folder / "inner" / "x").write_bytes(bytes(5000))
    (layout.root / "notes.txt").write_text("not ours")
    found = take_inventory(layout).others[FileKind.TEMPORARY]
    assert [(file.path.name, file.size) for file in found] == [("split-gguf-12", 5000), ("ollama-safetensors34", 5000)]


def test_files_and_folders_of_people_are_never_temporary(layout: Layout) -> None:
    for folder in (layout.root, layout.root / "blobs"):
        (folder / "PHOTOS2023").mkdir()
        for name in ("COPY1", "Q4_K_M12"):
            (folder / f"{name}3" / "inner").mkdir(parents=True)
    for name in ("IMG2024", "COPY1", "sha256-12345", "F16123"):
        (layout.root / name).write_text("not in blobs/: no server writes such a file here")
    found = take_inventory(layout).others
    assert not found[FileKind.TEMPORARY]
    assert {file.path.parent for file in found[FileKind.FOREIGN]} == {layout.root / "blobs"}


def test_sparse_partial_download_has_the_size_that_it_takes(layout: Layout) -> None:
    path = layout.root / "blobs" / f"sha256-{HEX}-partial"
    with path.open("wb") as file:
        file.truncate(1 << 30)
        file.write(bytes(4096))
        os.fsync(file.fileno())
    (partial,) = take_inventory(layout).others[FileKind.PARTIAL]
    assert partial.size == min(path.stat().st_blocks * 512, 1 << 30)


def test_blobs_by_the_manifests_that_name_them(layout: Layout) -> None:
    add_model(layout, "bot:v1", model=b"weights", system=b"a")
    add_model(layout, "bot:v2", model=b"weights", system=b"b")
    loose = add_blob(layout, b"nobody's")
    found = take_inventory(layout)
    assert [str(stored.name) for stored in found.named[digest_of(b"weights")]] == ["bot:v1", "bot:v2"]
    assert [str(stored.name) for stored in found.named[digest_of(b"a")]] == ["bot:v1"]
    assert {*found.unnamed} == {loose}
    assert found.blobs[loose].size == 8


def test_manifests_that_cannot_be_read_have_a_problem(layout: Layout, tmp_path: Path) -> None:
    digest = add_blob(layout, b"x")
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 1}
    add_manifest(layout, "good:v1", config=layer, layers=None)
    folder = layout.root / "manifests" / "registry.ollama.ai" / "library" / "bad"
    folder.mkdir()
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    (folder / "empty").touch()
    (folder / "text").write_text("hello")
    os.mkfifo(folder / "pipe")
    (folder / ".latest.tmp").write_bytes(layout.manifest(take_inventory(layout).models[0][0]).read_bytes())
    found = take_inventory(layout)
    assert {stored.path.name: stored.problem for stored in found.unreadable} == {
        "dangling": DANGLING,
        "empty": EMPTY,
        "pipe": "it is a pipe, not a file",
        "text": "not JSON: Expecting value at character 1",
    }
    assert [stored.path.name for stored in found.manifests if stored.name is None] == [".latest.tmp"]
    assert [str(name) for name, _ in found.models] == ["good:v1"]


def test_manifest_that_is_being_written_is_read_again(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server truncates the file first."""
    add_model(layout, "bot:v1", model=b"weights")
    (path,) = (path for _, path in layout.manifests())
    content = path.read_bytes()
    path.write_bytes(b"")
    monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(content))
    assert [str(name) for name, _ in take_inventory(layout).models] == ["bot:v1"]
    path.write_bytes(content[:20])
    set_age(path, 2)  # nobody writes it now
    monkeypatch.setattr("time.sleep", None)
    assert take_inventory(layout).unreadable != ()


def test_dangling_symlink_is_no_blob(layout: Layout, tmp_path: Path) -> None:
    layout.blob(f"sha256:{HEX}").symlink_to(tmp_path / "nowhere")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(bytes(70))
    layout.blob(digest_of(bytes(70))).symlink_to(elsewhere)
    found = take_inventory(layout)
    assert [*found.dangling] == [f"sha256:{HEX}"]
    assert {digest: blob.size for digest, blob in found.blobs.items()} == {digest_of(bytes(70)): 70}
    assert not any(found.others.values())
