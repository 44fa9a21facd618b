"""Downloads into a folder: resumed by us and by Ollama, verified, and invisible before they are whole."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from errno import ENOSPC
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import pytest
from tests.fakes.hostile import error, reply
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import Pause, Script
from tests.fakes.store import published
from tests.fakes.values import Published

from modelfile import manifest
from modelfile.errors import DiskFull, ModelfileError, NotFound, UsageError, VerificationError
from modelfile.events import Progress, ignore
from modelfile.names import ModelName
from modelfile.stores.disk import download
from modelfile.stores.disk.partial import PartialBlob
from modelfile.stores.disk.prune import Prunable, PruneOptions, plan_prune
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.network.retry import Backoff
from modelfile.stores.open import open_folder, open_registry
from modelfile.stores.protocol import Registry

CONTENT = b"GGUF" + bytes(range(256)) * 1000
HEX = hashlib.sha256(CONTENT).hexdigest()
DIGEST = f"sha256:{HEX}"
SIZE = len(CONTENT)
BLOB = f"/blobs/{DIGEST}"
PART = 100_000


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        fake.push("team/bot", "v1", published(CONTENT, system="hello"))
        yield fake


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "SMALLEST_PART", PART)


@pytest.fixture
def registry() -> Iterator[Registry]:
    with open_registry(backoff=Backoff(first=0.001)) as registry:
        yield registry


@pytest.fixture
def store(registry: Registry, tmp_path: Path) -> Iterator[FolderStore]:
    with open_folder(tmp_path / "models", registry=registry) as store:
        yield store


def name(fake: FakeRegistry) -> ModelName:
    return ModelName.parse(f"{fake.host}/team/bot:v1")


def files(store: FolderStore) -> set[str]:
    """Return the names in the folder of blobs that are none of blobs."""
    return {path.name for path in (store.layout.root / "blobs").iterdir() if len(path.name) != len("sha256-") + 64}


def blobs(store: FolderStore) -> dict[str, bytes]:
    return {digest: path.read_bytes() for digest, path in store.layout.blobs()}


def ranges(fake: FakeRegistry) -> list[str]:
    return sorted(asked.headers.get("Range", "") for asked in fake.requests if BLOB in asked.path)


def leave(store: FolderStore, *completed: int, content: bytes = CONTENT, parts: int = PART) -> Path:
    """Leave a partial download as Ollama does, with so many bytes of each part."""
    path = store.layout.blob(DIGEST)
    partial = path.with_name(f"{path.name}-partial")
    there = bytearray(SIZE)
    for number, length in enumerate(completed):
        offset = number * parts
        there[offset : offset + length] = content[offset : offset + length]
        value = {"N": number, "Offset": offset, "Size": min(parts, SIZE - offset), "Completed": length}
        path.with_name(f"{partial.name}-{number}").write_text(json.dumps(value, separators=(",", ":")) + "\n")
    partial.write_bytes(there)
    return partial


def test_model_is_pulled(fake: FakeRegistry, store: FolderStore) -> None:
    seen: list[Progress] = []
    store.pull(name(fake), seen.append)
    found = store.find(name(fake))
    assert found
    assert (found.model.system, found.model.weights) == ("hello", (DIGEST,))
    assert store.layout.manifest(name(fake)).read_bytes() == fake.blobs["team/bot"][fake.tags["team/bot"]["v1"]]
    assert blobs(store).items() <= fake.blobs["team/bot"].items()
    assert files(store) == set()
    assert [event.status for event in (seen[0], seen[-1])] == ["pulling manifest", "success"]
    last = [event for event in seen if event.total][-1]
    assert last.completed == last.total == sum(map(len, blobs(store).values()))


def test_parts_are_those_of_ollama(fake: FakeRegistry, store: FolderStore) -> None:
    store.pull(name(fake), ignore)
    assert ranges(fake) == ["bytes=0-99999", "bytes=100000-199999", "bytes=200000-256003"]


def test_pulling_again_downloads_nothing(fake: FakeRegistry, store: FolderStore) -> None:
    store.pull(name(fake), ignore)
    count = len(fake.requests)
    store.pull(name(fake), ignore)
    assert [asked.path for asked in fake.requests[count:]] == ["/v2/team/bot/manifests/v1"]


def test_download_of_ollama_is_resumed(fake: FakeRegistry, store: FolderStore) -> None:
    leave(store, PART, 5, 0)
    store.pull(name(fake), ignore)
    assert ranges(fake) == ["bytes=100005-199999", "bytes=200000-256003"]
    assert store.find(name(fake))
    assert files(store) == set()


def test_resumed_bytes_count_as_progress(fake: FakeRegistry, store: FolderStore) -> None:
    leave(store, PART, 5, 0)
    seen: list[Progress] = []
    store.pull(name(fake), seen.append)
    assert next(event.completed for event in seen if event.total) == PART + 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda partial: partial.unlink(),
        lambda partial: partial.write_bytes(b"short"),
        lambda partial: partial.with_name(f"{partial.name}-1").unlink(),
        lambda partial: partial.with_name(f"{partial.name}-1").write_text(""),
        lambda partial: partial.with_name(f"{partial.name}-1").write_text("[]"),
        lambda partial: partial.with_name(f"{partial.name}-1").write_text('{"N":1,"Offset":0,"Size":1,"Completed":2}'),
        lambda partial: partial.with_name(f"{partial.name}-9").write_text('{"N":9,"Offset":9,"Size":1,"Completed":0}'),
        lambda partial: partial.write_bytes(bytes(SIZE)),
    ],
)
def test_damaged_partial_download_begins_again(damage: object, fake: FakeRegistry, store: FolderStore) -> None:
    partial = leave(store, PART, PART, 5)
    assert callable(damage)
    damage(partial)
    store.pull(name(fake), ignore)
    assert store.find(name(fake))
    assert files(store) == set()


def test_damaged_partial_downloads_of_all_layers_begin_again(
    fake: FakeRegistry, store: FolderStore, registry: Registry
) -> None:
    found = registry.resolve(name(fake))
    assert found
    assert len((found.config, *found.layers)) == 3
    for layer in (found.config, *found.layers):
        partial = PartialBlob(layer, store.layout.blob(layer.digest), (), single=True)
        partial.parts[0].add(layer.size)
    store.pull(name(fake), ignore)
    assert store.find(name(fake))
    assert files(store) == set()


def test_symlink_in_place_of_a_partial_download_is_not_followed(
    fake: FakeRegistry, store: FolderStore, tmp_path: Path
) -> None:
    partial = leave(store, 0, 0, 0)
    (tmp_path / "mine").write_bytes(bytes(SIZE))
    partial.unlink()
    partial.symlink_to(tmp_path / "mine")
    store.pull(name(fake), ignore)
    assert (tmp_path / "mine").read_bytes() == bytes(SIZE)
    assert store.find(name(fake))


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (error("no", "401 Unauthorized"), ModelfileError),
        (error("later", "429 Too Many Requests", "Retry-After: 3600"), ModelfileError),
        (reply("short", "200 OK"), ModelfileError),
        (reply("", "302 Found", "Location: ftp://x/y"), ModelfileError),
        (Script(), ModelfileError),
    ],
)
def test_failure_leaves_nothing_visible_and_the_next_pull_succeeds(
    script: Script, kind: type[Exception], fake: FakeRegistry, store: FolderStore
) -> None:
    fake.fault(BLOB, script, times=99)
    with pytest.raises(kind, match="cannot download the model of "):
        store.pull(name(fake), ignore)
    assert store.list() == ()
    assert DIGEST not in blobs(store)
    fake._faults.clear()  # noqa: SLF001  # the registry works again
    store.pull(name(fake), ignore)
    assert store.find(name(fake))
    assert files(store) == set()


def test_other_bytes_than_the_digest_says(fake: FakeRegistry, store: FolderStore) -> None:
    fake.blobs["team/bot"][DIGEST] = CONTENT[::-1]
    with pytest.raises(VerificationError, match=rf"cannot pull .* sends other bytes than those of sha256:{HEX[:12]}"):
        store.pull(name(fake), ignore)
    assert store.list() == ()
    assert DIGEST not in blobs(store)
    assert not [name for name in files(store) if HEX in name]
    fake.blobs["team/bot"][DIGEST] = CONTENT
    store.pull(name(fake), ignore)
    assert store.find(name(fake))


def test_truncated_blob_is_downloaded_again(fake: FakeRegistry, store: FolderStore) -> None:
    store.pull(name(fake), ignore)
    store.layout.blob(DIGEST).write_bytes(b"short")
    store.pull(name(fake), ignore)
    assert blobs(store)[DIGEST] == CONTENT


def test_registry_without_ranges(fake: FakeRegistry, store: FolderStore) -> None:
    fake.knows_ranges = False
    leave(store, 0, 5, 0)
    store.pull(name(fake), ignore)
    assert blobs(store)[DIGEST] == CONTENT
    assert files(store) == set()


def test_model_that_is_not_in_the_registry(fake: FakeRegistry, store: FolderStore) -> None:
    with pytest.raises(NotFound, match=r"team/other:v1 not found on http://127"):
        store.pull(ModelName.parse(f"{fake.host}/team/other:v1"), ignore)


def test_store_without_registries(tmp_path: Path) -> None:
    with open_folder(tmp_path / "models") as store:
        with pytest.raises(UsageError, match="no registry was given"):
            store.pull(ModelName.parse("bot:v1"), ignore)
        with pytest.raises(UsageError, match="no registry was given"):
            store.push(ModelName.parse("bot:v1"), ignore)


def test_full_disk_is_noticed_before_the_first_byte(
    fake: FakeRegistry, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(store, PART, 5, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=SIZE - PART - 6))
    with pytest.raises(DiskFull, match=rf"it needs 156,\d+ bytes, and the disk of `.*` has {SIZE - PART - 6:,} free"):
        store.pull(name(fake), ignore)
    assert ranges(fake) == []
    monkeypatch.undo()
    monkeypatch.setattr(manifest, "SMALLEST_PART", PART)
    store.pull(name(fake), ignore)
    assert "bytes=0-99999" not in ranges(fake), "what was there is used"


def test_progress_is_saved_when_it_is_interrupted(
    fake: FakeRegistry, store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "SMALLEST_PART", SIZE)
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\n\r\n".encode()
    fake.fault(BLOB, Script((head + CONTENT[:7000], Pause())))

    def interrupt(progress: Progress) -> None:
        if progress.completed >= 7000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.pull(name(fake), interrupt)
    value = json.loads(store.layout.blob(DIGEST).with_name(f"sha256-{HEX}-partial-0").read_text())
    assert value == {"N": 0, "Offset": 0, "Size": SIZE, "Completed": 7000}
    store.pull(name(fake), ignore)
    assert ranges(fake)[-1] == f"bytes=7000-{SIZE - 1}"
    assert store.find(name(fake))


def test_two_pulls_at_once_download_each_layer_once(fake: FakeRegistry, store: FolderStore) -> None:
    began = Event()

    def work() -> None:
        began.wait(10)
        store.pull(name(fake), ignore)

    threads = [Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    began.set()
    for thread in threads:
        thread.join()
    assert store.find(name(fake))
    assert len(ranges(fake)) == 3


def test_new_version_replaces_the_old_one(fake: FakeRegistry, store: FolderStore) -> None:
    store.pull(name(fake), ignore)
    old = {*blobs(store)}
    fake.push("team/bot", "v1", published(CONTENT, system="other"))
    store.pull(name(fake), ignore)
    found = store.find(name(fake))
    assert found
    assert found.model.system == "other"
    assert len(blobs(store)) == len(old), "what nobody names is removed"


def test_former_manifest_is_fetched(fake: FakeRegistry, store: FolderStore, registry: Registry) -> None:
    former = registry.resolve(name(fake))
    assert former
    fake.push("team/bot", "v1", published(b"GGUF new"))
    alias = ModelName.parse("bot:then")
    store.fetch(name(fake), former, ignore, name=alias)
    assert [model.name for model in store.list()] == [alias]
    assert store.layout.manifest(alias).read_text() == former.text


def test_manifest_is_that_of_the_version(fake: FakeRegistry, registry: Registry, tmp_path: Path) -> None:
    plain = published(CONTENT)
    value = json.loads(plain.manifest)
    value["annotations"] = {"a": "b"}
    text = json.dumps(value, indent=1)
    fake.push("team/bot", "v1", Published(text.encode(), plain.blobs))
    for version, expected in (("0.18.9", plain.manifest.decode()), ("0.19.0", text), ("", text)):
        with open_folder(tmp_path / f"models-{version}", registry=registry, ollama=version) as store:
            store.pull(name(fake), ignore)
            assert store.layout.manifest(name(fake)).read_text() == expected


def test_server_that_downloads_the_same_and_is_faster(fake: FakeRegistry, store: FolderStore) -> None:
    blob = store.layout.blob(DIGEST)

    def finish(progress: Progress) -> None:
        if progress.total and (partial := blob.with_name(f"{blob.name}-partial")).exists():
            partial.write_bytes(CONTENT)
            for path in blob.parent.glob("*-partial-*"):
                path.unlink()
            partial.rename(blob)

    store.pull(name(fake), finish)
    assert store.find(name(fake))
    assert blobs(store)[DIGEST] == CONTENT
    assert files(store) == set()


def test_a_download_that_waits_is_not_pruned(fake: FakeRegistry, store: FolderStore) -> None:
    left = leave(store, PART, 5, 0)

    def prune_all(progress: Progress) -> None:
        if progress.total:
            for path in left.parent.glob("*-partial*"):
                with suppress(FileNotFoundError):  # it is whole now
                    os.utime(path, (time.time() - 120,) * 2)
            pruned.extend(plan_prune(store, PruneOptions(all_partial=True)).stale)
            spared.append(left.exists())

    pruned: list[Prunable] = []
    spared: list[bool] = []
    store.pull(name(fake), prune_all)
    assert (pruned, any(spared)) == ([], True)
    assert "bytes=0-99999" not in ranges(fake)


def test_disk_that_becomes_full(fake: FakeRegistry, store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(store, PART, 5, 0)

    def full(*_: object) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(download, "write_all", full)
        with pytest.raises(DiskFull, match="no space left on device") as caught:
            store.pull(name(fake), ignore)
    assert caught.value.hint == "free some disk space, then run the command again: it goes on where it has ended"
    assert DIGEST not in blobs(store)
    store.pull(name(fake), ignore)
    assert "bytes=0-99999" not in ranges(fake)
    assert store.find(name(fake))
