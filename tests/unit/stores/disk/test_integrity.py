"""Checks of a store: one finding for each kind of damage, none for a store that is well, and the repairs."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest
from tests.support.folder import CONFIG, HOUR, add_blob, add_manifest, add_model, contents, digest_of, empty_store
from tests.support.paths import ROOT

from modelfile.diagnostics import Severity
from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.stores.disk.damage import CODES, Damage
from modelfile.stores.disk.integrity import check_blobs, check_layout
from modelfile.stores.disk.layout import Layout

WEIGHTS = b"GGUF" + bytes(3000)
BASE = ModelName.parse("base:v1")
SHORT = f"{digest_of(WEIGHTS)[:19]}…"
REPAIR = "run `mf store check --repair`"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a store of two models that is well."""
    layout = empty_store(tmp_path / "store")
    add_model(layout, "base:v1", age=HOUR, model=WEIGHTS)
    add_model(layout, "bot:v1", age=HOUR, model=WEIGHTS, system=b"Be brief.")
    return layout


def check(layout: Layout) -> list[Damage]:
    return [*check_layout(layout), *check_blobs(layout)]


def manifest(layout: Layout) -> Path:
    return layout.manifest(BASE)


def weights(layout: Layout) -> Path:
    return layout.blob(digest_of(WEIGHTS))


def foreign_owner(layout: Layout) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to others")
    os.chown(weights(layout), 4242, 4242)


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def link(path: Path) -> None:
    path.rename(path.with_name("v2"))
    path.symlink_to("v2")


def old_name(layout: Layout) -> None:
    weights(layout).rename(weights(layout).with_name(digest_of(WEIGHTS)))


DAMAGES: dict[str, tuple[Callable[[Layout], object], str, str]] = {
    "empty-manifest": (
        lambda layout: manifest(layout).write_bytes(b""),
        "manifests/registry.ollama.ai/library/base/v1",
        "the manifest of base:v1 cannot be read: it is empty",
    ),
    "dangling-manifest": (
        lambda layout: dangle(manifest(layout)),
        "manifests/registry.ollama.ai/library/base/v1",
        "the manifest of base:v1 cannot be read: it is a dangling symlink",
    ),
    "unreadable-manifest": (
        lambda layout: manifest(layout).write_bytes(b"x"),
        "manifests/registry.ollama.ai/library/base/v1",
        "the manifest of base:v1 cannot be read: not JSON: Expecting value at character 1",
    ),
    "misnamed-manifest": (
        lambda layout: manifest(layout).with_name(".v2.tmp").write_bytes(manifest(layout).read_bytes()),
        "manifests/registry.ollama.ai/library/base/.v2.tmp",
        "its path is not that of a model",
    ),
    "symlinked-manifest": (
        lambda layout: link(manifest(layout)),
        "manifests/registry.ollama.ai/library/base/v1",
        "a symlink to `v2`: a server that changes base:v1 changes that file",
    ),
    "case-clash": (
        lambda layout: add_model(layout, "other:V1", model=b"other"),
        "manifests/registry.ollama.ai/library/other/V1",
        "`base:v1` and `other:V1` spell the tag differently: a server uses one spelling at random",
    ),
    "missing-blob": (
        lambda layout: weights(layout).unlink(),
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        f"blob {SHORT} of base:v1 and 1 more: it is missing",
    ),
    "dangling-blob": (
        lambda layout: dangle(weights(layout)),
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        f"blob {SHORT} of base:v1 and 1 more: it is a dangling symlink",
    ),
    "wrong-size": (
        lambda layout: weights(layout).write_bytes(WEIGHTS[:-1]),
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        f"blob {SHORT} of base:v1 and 1 more: it has 3,003 bytes instead of 3,004",
    ),
    "wrong-digest": (
        lambda layout: weights(layout).write_bytes(WEIGHTS[:-1] + b"x"),
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        f"blob {SHORT} of base:v1 and 1 more: its bytes have the digest {digest_of(WEIGHTS[:-1] + b'x')[:19]}…",
    ),
    "old-blob-name": (
        old_name,
        f"blobs/{digest_of(WEIGHTS)}",
        "named as by an old version of Ollama: a running server does not find it",
    ),
    "wrong-mode": (
        lambda layout: weights(layout).chmod(0o666),
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        "anybody can change it: mode 0666",
    ),
    "foreign-owner": (
        foreign_owner,
        f"blobs/{digest_of(WEIGHTS).replace(':', '-')}",
        "it belongs to user 4242, the store to user 0: Ollama from 0.21 on cannot use it",
    ),
    "foreign-file": (
        lambda layout: (layout.root / "blobs" / "notes.txt").write_text("mine"),
        "blobs/notes.txt",
        "not a file of Ollama: a server removes it when it starts",
    ),
}


@pytest.mark.parametrize("code", DAMAGES)
def test_damage_is_one_finding(code: str, layout: Layout) -> None:
    harm, path, message = DAMAGES[code]
    harm(layout)
    before = contents(layout.root)
    found = check(layout)
    assert [(damage.code, damage.path.relative_to(layout.root).as_posix(), damage.message) for damage in found] == [
        (code, path, message)
    ]
    assert (found[0].repair is not None) == (found[0].hint or "").startswith(REPAIR)
    assert contents(layout.root) == before


def test_every_code_is_tested_or_needs_a_reader_that_fails() -> None:
    assert DAMAGES.keys() == CODES.keys() - {"unreadable-blob"}


def test_page_lists_every_code() -> None:
    rows = "".join(f"| `{code}` | {text} |\n" for code, (_, text) in CODES.items())
    assert rows in (ROOT / "docs" / "store.md").read_text(encoding="utf-8")


def test_store_that_is_well_has_no_findings(layout: Layout) -> None:
    add_blob(layout, b"not named yet")
    blobs = layout.root / "blobs"
    for name in ("sha256-123456", f"sha256-{'0' * 64}-partial", f"sha256-{'0' * 64}-partial-0", ".DS_Store"):
        (blobs / name).write_bytes(b"x")
    (layout.root / "notes.txt").write_text("beside the blobs nobody minds")
    add_manifest(
        layout,
        "remote:v1",
        config={"mediaType": "a/b", "digest": digest_of(CONFIG), "size": len(CONFIG)},
        layers=None,
    )
    assert check(layout) == []


def test_blobs_may_be_symlinks(layout: Layout, tmp_path: Path) -> None:
    weights(layout).rename(tmp_path / "elsewhere")
    weights(layout).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").chmod(0o400)
    assert check(layout) == []


def test_truncated_blob_is_reported_once_for_its_size_and_its_digest(layout: Layout) -> None:
    weights(layout).write_bytes(b"")
    assert [damage.code for damage in check(layout)] == ["wrong-size"]


def test_damaged_blob_that_nobody_names_is_an_error_too(layout: Layout) -> None:
    layout.blob(f"sha256:{'0' * 64}").write_bytes(b"x")
    layout.blob(f"sha256:{'1' * 64}").symlink_to("nowhere")
    found = check(layout)
    assert [(damage.code, damage.severity) for damage in found] == [
        ("dangling-blob", Severity.ERROR),
        ("wrong-digest", Severity.ERROR),
    ]
    assert {damage.hint for damage in found} == {f"no model names it: {REPAIR}"}


def test_mode_explains_why_a_file_cannot_be_read(layout: Layout) -> None:
    manifest(layout).chmod(0o000)
    weights(layout).chmod(0o200)
    folder = manifest(layout).parent
    folder.chmod(0o777)
    found = check(layout)
    assert [(damage.path, damage.message) for damage in found] == [
        (weights(layout), "its owner cannot read it: mode 0200"),
        (folder, "anybody can change it: mode 0777"),
        (manifest(layout), "its owner cannot read it: mode 0000"),
    ]


def test_blob_that_cannot_be_read_is_reported(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: FileIO, __: int) -> bytes:
        raise OSError(5, "Input/output error")

    class Broken(FileIO):
        read = fail  # type: ignore[assignment]  # of a disk with a bad sector

    monkeypatch.setattr("modelfile.filesystem.FileIO", Broken)
    damages = [*check_blobs(layout)]
    assert {(damage.code, damage.repair, damage.hint) for damage in damages} == {("unreadable-blob", None, None)}
    assert damages[0].message.endswith(": input/output error")
    weights(layout).chmod(0o200)  # which its mode explains
    assert weights(layout) not in {damage.path for damage in check_blobs(layout)}


def test_what_another_program_changes_during_a_check_is_no_damage(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifests, calls = Layout.manifests, list[int]()

    def with_a_new_model(self: Layout) -> object:
        if not calls:  # after the blobs were listed
            add_model(self, "new:v1", model=b"new", system=b"new too")
        calls.append(1)
        return manifests(self)

    monkeypatch.setattr(Layout, "manifests", with_a_new_model)
    assert check_layout(layout) == ()
    assert len(calls) == 2


def test_blob_that_is_replaced_while_it_is_read_is_no_damage(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    weights(layout).write_bytes(b"damaged")
    fstat = os.fstat

    def replaced_meanwhile(number: int) -> os.stat_result:
        state = fstat(number)
        if state.st_size == len(b"damaged"):
            (layout.root / "new").write_bytes(WEIGHTS)
            (layout.root / "new").replace(weights(layout))
        return state

    monkeypatch.setattr(os, "fstat", replaced_meanwhile)
    assert [*check_blobs(layout)] == []


def test_progress_counts_all_bytes(layout: Layout) -> None:
    seen: list[Progress] = []
    assert [*check_blobs(layout, seen.append)] == []
    total = len(WEIGHTS) + len(CONFIG) + len(b"Be brief.")
    assert seen[-1] == Progress(status="reading blobs", total=total, completed=total)


def test_check_that_is_left_reads_no_further(layout: Layout) -> None:
    for number in range(50):
        layout.blob(f"sha256:{number:064x}").write_bytes(bytes(1000))
    seen: list[Progress] = []
    found = check_blobs(layout, seen.append)
    next(found)
    found.close()  # type: ignore[attr-defined]  # it is a generator
    count = len(seen)
    assert count < 60
    assert len(seen) == count
