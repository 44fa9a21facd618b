"""Prune: what nobody needs is planned, looked at again, and removed; nothing that a manifest names is."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from tests.support.folder import HOUR, add_blob, add_manifest, add_model, contents, digest_of, empty_store, set_age

from modelfile.errors import InputError
from modelfile.names import ModelName
from modelfile.stores.disk.inventory import take_inventory
from modelfile.stores.disk.prune import LockedNames, Prunable, PruneOptions, PrunePlan, PruneReason, plan_prune, prune
from modelfile.stores.disk.store import FolderStore

HEX = "0123456789abcdef" * 4
DAY = 24 * HOUR


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(empty_store(tmp_path / "store"))


def plan(
    store: FolderStore, *, keep: int = 3, locked: LockedNames | None = None, all_partial: bool = False
) -> PrunePlan:
    return plan_prune(store, PruneOptions(keep=keep, locked=locked, all_partial=all_partial))


def shown(items: tuple[Prunable, ...]) -> list[tuple[str, str]]:
    return [(str(item.name or item.path.name), str(item.reason)) for item in items]


def backup(name: str, number: int) -> str:
    model, _, tag = name.partition(":")
    return f"{model}:sha256-{number:064x}-{tag}"


def partial(store: FolderStore, name: str, age: float) -> Path:
    path = store.layout.root / "blobs" / name
    path.write_bytes(bytes(100))
    set_age(path, age)
    return path


def test_blob_that_nobody_names_is_removed_after_an_hour(store: FolderStore) -> None:
    add_model(store.layout, "bot:v1", age=2 * HOUR, model=b"weights")
    old = add_blob(store.layout, b"old", age=HOUR + 60)
    new = add_blob(store.layout, b"new", age=HOUR - 60)
    found = plan(store)
    assert [(item.digest, item.reason, item.size) for item in found.stale] == [(old, PruneReason.BLOB, 3)]
    assert [item.digest for item in found.spared] == [new]
    assert found.size == 3
    before = contents(store.layout.root)
    done = prune(found, store)
    assert (done.removed, done.failed, done.changed) == (found.stale, (), ())
    assert contents(store.layout.root) == {name: text for name, text in before.items() if text != b"old"}
    assert plan(store).stale == ()


def test_stale_staging_tag_goes_with_its_blobs_at_once_and_a_fresh_one_stays(store: FolderStore) -> None:
    add_model(store.layout, "bot:v1", model=b"weights")
    add_model(store.layout, "bot:mf-building-01234567-v1", age=2 * HOUR, model=b"weights", system=b"stale")
    add_model(store.layout, "bot:mf-building-89abcdef-v1", model=b"weights", system=b"fresh")
    for blob in take_inventory(store.layout).blobs.values():
        os.utime(blob.path)  # as Ollama and we do when a blob is used
    found = plan(store)
    assert shown(found.stale) == [
        ("bot:mf-building-01234567-v1", "stale-staging-tag"),
        (f"sha256-{digest_of(b'stale')[7:]}", "unnamed-blob"),
    ]
    assert found.size == 5
    prune(found, store)
    assert [str(name) for name, _ in take_inventory(store.layout).models] == [
        "bot:mf-building-89abcdef-v1",
        "bot:v1",
    ]
    assert {*take_inventory(store.layout).unnamed} == set()


def test_backups_beyond_the_limit_are_removed_the_oldest_first(store: FolderStore) -> None:
    add_model(store.layout, "bot:v1", model=b"weights", system=b"now")
    for number in range(5):
        add_model(store.layout, backup("bot:v1", number), age=number * 10, model=b"weights", system=b"%d" % number)
        add_model(store.layout, backup("bot:v2", number), age=number * 10, model=b"weights", system=b"%d" % number)
    add_model(store.layout, f"bot:sha256-{HEX}", age=DAY, model=b"weights")  # a pin alias
    assert plan(store, keep=5).stale == ()
    expected = [backup(name, number) for name in ("bot:v1", "bot:v2") for number in (3, 4)]
    found = plan(store, keep=3)
    assert sorted(str(item.name) for item in found.stale if item.name) == sorted(expected)
    assert [item.reason for item in found.stale if item.name] == [PruneReason.BACKUP] * 4
    assert {item.digest for item in found.stale if not item.name} == {digest_of(b"3"), digest_of(b"4")}
    assert len([item for item in plan(store, keep=0).stale if item.name]) == 10


def test_models_that_no_lock_names_are_removed_only_if_asked_for(store: FolderStore) -> None:
    names = ["base:v1", f"base:sha256-{HEX}", f"base:sha256-{HEX[::-1]}", "bot:v1", "bot:v2", "other:v1"]
    internal = [backup("bot:v1", 1), backup("other:v1", 1), "other:mf-building-01234567-v1", backup("base:v1", 2)]
    for name in (*names, *internal):
        add_model(store.layout, name, model=b"weights", system=name.encode())
    locked = LockedNames(
        names=(ModelName.parse("BASE:v1"), ModelName.parse(f"base:sha256-{HEX}")), models=frozenset({"bot"})
    )
    assert plan(store).stale == ()
    found = plan(store, locked=locked)
    assert sorted(str(item.name) for item in found.stale if item.name) == sorted(
        [f"base:sha256-{HEX[::-1]}", "other:v1", backup("other:v1", 1)]
    )
    prune(found, store)
    assert len(take_inventory(store.layout).models) == 7
    assert plan(store, locked=locked).stale == ()


def test_partial_downloads_of_today_are_spared(store: FolderStore) -> None:
    partial(store, f"sha256-{HEX}-partial", DAY + 60)
    partial(store, f"sha256-{HEX}-partial-0", DAY - 60)  # which makes the whole download one of today
    partial(store, f"sha256-{HEX[::-1]}-partial", DAY + 60)
    partial(store, f"sha256-{'1' * 64}.tmp", 10)  # is being written
    found = plan(store)
    assert shown(found.stale) == [(f"sha256-{HEX[::-1]}-partial", "partial-download")]
    assert len(found.spared) == 3
    found = plan(store, all_partial=True)
    assert len(found.stale) == 3
    assert [item.path.name for item in found.spared] == [f"sha256-{'1' * 64}.tmp"]


def test_complete_blobs_of_a_download_are_spared_while_it_is_under_way(store: FolderStore) -> None:
    """A pull names its blobs when all are there: a small one may be hours old by then."""
    small, old = add_blob(store.layout, b"small", age=3 * HOUR), add_blob(store.layout, b"old", age=2 * DAY)
    path = partial(store, f"sha256-{HEX}-partial", 60)
    found = plan(store)
    assert ([item.digest for item in found.stale], found.is_downloading) == ([old], True)
    set_age(path, HOUR)
    found = plan(store)
    assert (sorted(item.digest for item in found.stale), found.is_downloading) == (sorted([small, old]), False)


def test_partial_download_of_a_blob_that_is_there_is_removed_after_an_hour(store: FolderStore) -> None:
    digest = add_blob(store.layout, b"x")
    partial(store, f"{digest.replace(':', '-')}-partial-3", 2 * HOUR)
    assert shown(plan(store).stale) == [(f"{digest.replace(':', '-')}-partial-3", "partial-download")]


def test_temporary_files_are_removed_when_their_program_has_ended(store: FolderStore) -> None:
    blobs = store.layout.root / "blobs"
    partial(store, "sha256-123456789", HOUR + 60)
    partial(store, "sha256-987654321", HOUR - 60)
    folder = blobs / "split-gguf-12"
    folder.mkdir()
    (folder / "x").write_bytes(bytes(10))
    set_age(folder, 2 * HOUR)
    dead = partial(store, "mf-1-0123456789abcdef", 0)
    living = partial(store, "mf-2-0123456789abcdef", 0)
    in_root = store.layout.root / "mf-3-0123456789abcdef"
    in_root.write_bytes(b"manifest")
    foreign = partial(store, "notes.txt", 365 * DAY)
    with living.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        found = plan(store)
        assert [item.path for item in found.stale] == [blobs / "sha256-123456789", folder, dead, in_root]
        assert [item.path.name for item in found.spared] == ["sha256-987654321"]
        assert prune(found, store).removed == found.stale
    assert {path.name for path in blobs.iterdir()} == {"sha256-987654321", living.name, foreign.name}


def test_nothing_is_pruned_while_a_manifest_cannot_be_read(store: FolderStore) -> None:
    add_model(store.layout, "bot:v1", model=b"weights")
    add_blob(store.layout, b"old", age=DAY)
    found = plan(store)
    path = store.layout.manifest(ModelName.parse("bot:v1"))
    path.write_bytes(path.read_bytes()[:-20])
    before = contents(store.layout.root)
    for attempt in (lambda: plan(store), lambda: prune(found, store)):
        with pytest.raises(InputError) as raised:
            attempt()
        assert raised.value.message.startswith("cannot prune: a manifest cannot be read")
        assert raised.value.details[0].startswith(f"`{path}`: not JSON")
        assert raised.value.hint == "run `mf store check --repair`"
    (path.parent / "v2").symlink_to("nowhere")
    with pytest.raises(InputError, match="2 manifests cannot be read"):
        plan(store)
    (path.parent / "v2").unlink()
    assert contents(store.layout.root) == before


def test_manifest_whose_path_is_no_name_still_keeps_its_blobs(store: FolderStore) -> None:
    add_model(store.layout, "bot:v1", age=DAY, model=b"weights")
    path = store.layout.manifest(ModelName.parse("bot:v1"))
    path.rename(path.with_name(".latest.tmp"))
    assert plan(store).stale == ()


def test_what_changed_since_the_plan_stays(store: FolderStore) -> None:
    stale = "bot:mf-building-01234567-v1"
    add_model(store.layout, stale, age=2 * HOUR, model=b"weights", system=b"a")
    named, used, loose = (add_blob(store.layout, text, age=DAY) for text in (b"named", b"used", b"loose"))
    found = plan(store)
    assert len(found.stale) == 7
    add_model(store.layout, stale, age=2 * HOUR, model=b"weights", system=b"b")  # another model by now
    add_model(store.layout, "new:v1", model=b"named")
    os.utime(store.layout.blob(used))
    done = prune(found, store)
    assert {item.digest for item in done.removed} == {loose, digest_of(b"a")}
    assert {item.digest for item in done.changed} >= {named, used}
    assert [str(name) for name, _ in take_inventory(store.layout).models] == [stale, "new:v1"]
    assert all(digest in take_inventory(store.layout).blobs for digest in (named, used))


def name_blob(store: FolderStore, digest: str) -> None:
    """Write a manifest that names a blob, as a server does that looked at the blob before."""
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 1}
    add_manifest(store.layout, "new:v1", config=layer, layers=[])


@pytest.mark.parametrize("moment", ["others are renamed", "all wait"])
def test_blob_that_is_named_while_others_are_removed_stays(
    moment: str, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add_blob(store.layout, b"%d" % number, age=DAY)
    found, rename = plan(store), Path.rename
    last = found.stale[-1]

    def rename_and_name(path: Path, target: Path) -> Path:
        if moment == "others are renamed" and path not in (
            last.path,
            last.path.with_name(f"mf-removed-{last.digest[7:]}"),
        ):
            name_blob(store, last.digest)
        return rename(path, target)

    def name_the_last(_: float) -> None:
        assert last.path.exists() == (store.manifest(ModelName.parse("new:v1")) is not None)
        name_blob(store, last.digest)

    monkeypatch.setattr(Path, "rename", rename_and_name)
    if moment == "all wait":
        monkeypatch.setattr(time, "sleep", name_the_last)
    done = prune(found, store)
    assert done.changed == (last,)
    assert {item.digest for item in done.removed} == {item.digest for item in found.stale[:-1]}
    assert take_inventory(store.layout).unnamed == {}
    assert last.path.read_bytes() in {b"0", b"1", b"2"}


def test_what_a_killed_removal_has_set_aside_is_removed_or_put_back(store: FolderStore) -> None:
    put_back, gone = (add_blob(store.layout, text, age=DAY) for text in (b"1", b"2"))
    for digest in (put_back, gone):
        store.blobs.set_aside(store.blobs.path(digest), digest)
    name_blob(store, put_back)
    found = plan(store)
    assert [item.path.name for item in found.stale] == [
        f"mf-removed-{digest[7:]}" for digest in sorted((put_back, gone))
    ]
    assert prune(found, store).failed == ()
    assert {path.name for path in (store.layout.root / "blobs").iterdir()} == {f"sha256-{put_back[7:]}"}


def test_what_the_system_does_not_remove_is_reported_and_the_rest_is_removed(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        add_blob(store.layout, b"%d" % number, age=DAY)
    found, unlink = plan(store), Path.unlink

    def refuse_one(path: Path, *, missing_ok: bool = False) -> None:
        if path.name.endswith(found.stale[1].digest[7:]):
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse_one)
    done = prune(found, store)
    assert done.removed == (found.stale[0], found.stale[2])
    ((item, error),) = done.failed
    assert item == found.stale[1]
    assert error.message == f"cannot write `{item.path}`: permission denied"


def test_symlinked_blob_is_removed_and_its_file_stays(store: FolderStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "weights.gguf"
    elsewhere.write_bytes(b"elsewhere")
    set_age(elsewhere, DAY)
    store.layout.blob(digest_of(b"elsewhere")).symlink_to(elsewhere)
    store.layout.blob(f"sha256:{HEX}").symlink_to(tmp_path / "nowhere")
    done = prune(plan(store), store)
    assert len(done.removed) == 2
    assert elsewhere.read_bytes() == b"elsewhere"
    assert [*(store.layout.root / "blobs").iterdir()] == []
