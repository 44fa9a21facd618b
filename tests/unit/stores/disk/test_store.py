"""A folder as a store: its list, its copies and its deletions; the contract of every store is in tests/contracts."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

import modelfile
from modelfile.errors import InputError, NotFound, VerificationError
from modelfile.events import ignore
from modelfile.manifest import CONFIG_TYPE, LAYER_TYPE, MEDIA_TYPE
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore

NAME, OTHER, COPY = (ModelName.parse(f"bot:{tag}") for tag in ("v1", "v2", "copy"))
CONFIG = b'{"model_format":"gguf","model_family":"llama","file_type":"Q4_K_M"}\n'


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> FolderStore:
    return FolderStore(open_layout(tmp_path / "store", create=True), on_warning=warnings.append)


def add(
    store: FolderStore, name: ModelName, weights: bytes = b"GGUF", system: str = "Be brief.", config: bytes = CONFIG
) -> str:
    """Write a model, and return the text of its manifest."""

    def layer(media_type: str, content: bytes) -> dict[str, object]:
        digest, size = store.blobs.put(content)
        return {"mediaType": media_type, "digest": digest, "size": size}

    layers = [layer(f"{LAYER_TYPE}model", weights), layer(f"{LAYER_TYPE}system", system.encode())]
    manifest = {"schemaVersion": 2, "mediaType": MEDIA_TYPE, "config": layer(CONFIG_TYPE, config), "layers": layers}
    text = json.dumps(manifest, separators=(",", ":")) + "\n"
    store.write_manifest(name, text)
    return text


def digest_of(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"


def test_what_follows_the_config_is_ignored_as_in_go(store: FolderStore) -> None:
    add(store, NAME, config=CONFIG + b"more")
    found = store.find(NAME)
    assert found
    assert found.family == "llama"


def test_a_model_is_listed_and_found(store: FolderStore) -> None:
    text = add(store, NAME)
    (listed,) = store.list()
    size = len(CONFIG) + len(b"GGUF") + len("Be brief.")
    assert (listed.name, listed.digest, listed.size) == (NAME, digest_of(text.encode()), size)
    found = store.find(ModelName.parse("BOT:V1"))
    assert found
    assert (found.name, found.digest, found.model.system) == (NAME, listed.digest, "Be brief.")
    assert (found.model.weights, found.family, found.quantization) == ((digest_of(b"GGUF"),), "llama", "Q4_K_M")
    assert store.read(listed) == found
    assert store.layout.manifest(NAME).stat().st_mode & 0o777 == 0o666 & ~current_umask()
    assert sorted(path.name for path in store.layout.root.iterdir()) == ["blobs", "manifests"]


def test_a_manifest_that_a_server_is_writing_is_read_again(
    store: FolderStore, warnings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server truncates the file first."""
    add(store, NAME)
    path = store.layout.manifest(NAME)
    content = path.read_bytes()

    def truncated() -> None:
        path.write_bytes(content[:20])
        monkeypatch.setattr("time.sleep", lambda _: path.write_bytes(content))

    truncated()
    assert [listed.name for listed in store.list()] == [NAME]
    truncated()
    assert len(store.named_blobs() or ()) == 3
    truncated()
    assert store.find(NAME)
    assert warnings == []


def test_a_store_that_is_opened_to_be_written_to_is_tidied(store: FolderStore) -> None:
    add(store, NAME)
    root, blob = store.layout.root, store.blobs.path(digest_of(b"GGUF"))
    left = [root / f"mf-1-{'0' * 16}", blob.with_name(f"mf-1-{'1' * 16}"), blob.with_name(f"mf-removed-{'2' * 64}")]
    for path in left:
        path.touch()
    blob.rename(blob.with_name(f"mf-removed-{blob.name[7:]}"))
    with modelfile.open_folder(root, create=False) as opened:
        assert all(path.exists() for path in left)
        assert opened.find(NAME) is None
    with modelfile.open_folder(root) as opened:
        assert not any(path.exists() for path in left)
        assert opened.find(NAME)


def current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_copy_has_the_same_bytes_and_blobs(store: FolderStore) -> None:
    text = add(store, NAME)
    store.copy(ModelName.parse("BOT:v1"), COPY)
    assert store.layout.manifest(COPY).read_text() == text
    store.copy(NAME, ModelName.parse("Bot:V1"))
    with pytest.raises(NotFound, match="refused: model bot:v2 not found"):
        store.copy(OTHER, NAME)
    assert [model.name for model in store.list()] == [COPY, NAME]


def test_a_deletion_removes_what_no_other_model_names(store: FolderStore) -> None:
    add(store, NAME, system="one")
    add(store, OTHER, system="other")
    store.delete(NAME)
    assert not store.has_blob(digest_of(b"one"))
    assert store.find(OTHER)
    store.delete(OTHER)
    assert [*store.layout.blobs()] == []
    assert [*(store.layout.root / "manifests").iterdir()] == []
    with pytest.raises(NotFound, match="refused: model bot:v2 not found"):
        store.delete(OTHER)


def test_a_deletion_beside_a_damaged_manifest_removes_no_blobs(store: FolderStore, warnings: list[str]) -> None:
    add(store, NAME, system="one")
    add(store, OTHER, system="other")
    store.layout.manifest(OTHER).write_text("")
    store.delete(NAME)
    assert store.has_blob(digest_of(b"one"))
    path = store.layout.manifest(OTHER)
    assert warnings == [f"`{path}` is damaged: no blobs are removed, as they may be its own"]
    store.delete(OTHER)
    assert not [*store.layout.manifests()]


def test_a_manifest_needs_its_blobs(store: FolderStore) -> None:
    text = add(store, NAME)
    weights = store.blobs.path(digest_of(b"GGUF"))
    damages = ((lambda: weights.write_bytes(b"GG"), "has 2 bytes instead of 4"), (weights.unlink, "is missing"))
    for damage, what in damages:
        damage()
        error = rf"cannot make bot:v2 in {store.location}: blob sha256:\w{{12}}… \(model\) {what}"
        with pytest.raises(VerificationError, match=error):
            store.write_manifest(OTHER, text)
        assert store.find(OTHER) is None
        assert store.find(NAME) is None  # its weights are gone
    store.copy(NAME, COPY)
    assert [(model.name, model.is_whole) for model in store.list()] == [(COPY, False), (NAME, False)]


def test_a_new_manifest_removes_what_only_the_former_named(store: FolderStore) -> None:
    add(store, NAME, system="one")
    add(store, OTHER, system="other")
    add(store, NAME, system="new")
    assert [store.has_blob(digest_of(text)) for text in (b"one", b"other", b"new")] == [False, True, True]
    store.copy(NAME, OTHER)
    assert store.has_blob(digest_of(b"other"))  # as on a server


def test_blobs_removed_by_another_program_while_a_manifest_is_written(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(store, NAME, b"GGUF", "first")
    second = add(store, OTHER, b"GGUF other", "second")
    replace = Path.replace

    def remove(path: Path, target: Path) -> Path:
        store.blobs.path(digest_of(b"GGUF other")).unlink(missing_ok=True)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", remove)
    with pytest.raises(VerificationError, match="is missing"):
        store.write_manifest(NAME, second)
    assert store.layout.manifest(NAME).read_text() == first
    store.blobs.put(b"GGUF other")
    with pytest.raises(VerificationError, match="is missing"):
        store.write_manifest(COPY, second)
    assert store.find(COPY) is None


def test_a_folder_removed_by_another_program_while_a_manifest_is_written(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, replace, removed = add(store, NAME), Path.replace, list[Path]()

    def remove(path: Path, target: Path) -> Path:
        if target == store.layout.manifest(ModelName.parse("new")) and not removed:
            removed.append(target.parent)
            target.parent.rmdir()
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", remove)
    store.write_manifest(ModelName.parse("new"), text)
    assert store.find(ModelName.parse("new"))


def test_a_manifest_that_is_a_symlink_is_replaced(store: FolderStore) -> None:
    first, second = add(store, NAME, system="first"), add(store, OTHER, system="second")
    store.layout.manifest(COPY).symlink_to(store.layout.manifest(NAME))
    found = store.find(COPY)
    assert found
    assert found.model.system == "first"
    store.write_manifest(COPY, second)
    assert store.layout.manifest(NAME).read_text() == first


def test_used_blobs_are_new_but_not_what_others_own(store: FolderStore, tmp_path: Path) -> None:
    text = add(store, NAME)
    system, weights = (store.blobs.path(digest_of(content)) for content in (b"Be brief.", b"GGUF"))
    weights.replace(tmp_path / "weights.gguf")
    weights.hardlink_to(tmp_path / "weights.gguf")
    for path in (system, weights):
        os.utime(path, (1, 1))
    store.write_manifest(OTHER, text)
    assert system.stat().st_mtime > 1
    assert weights.stat().st_mtime == 1


def test_damaged_models_are_reported_once(store: FolderStore, warnings: list[str]) -> None:
    add(store, NAME)
    bad = store.layout.manifest(OTHER)
    bad.write_text("")
    bad.with_name("gone").symlink_to("nowhere")
    bad.with_name("text").write_text("x")
    bad.with_name(".v1.tmp").write_text("x")
    lacking = json.loads(store.layout.manifest(NAME).read_text())
    lacking["config"]["digest"] = f"sha256:{'1' * 64}"
    bad.with_name("lacking").write_text(json.dumps(lacking))
    for _ in range(2):
        assert {model.name.tag: model.is_whole for model in store.list()} == {"v1": True, "lacking": False}
    ignored = "` is no manifest of a model, and is ignored"
    assert [warning.removeprefix(f"`{bad.parent}/").replace(ignored, "") for warning in warnings] == [
        ".v1.tmp: it is not named as a model is",
        f"gone: cannot read `{bad.parent}/gone`: no such file or directory",
        f"bot:lacking in {store.location} is damaged: blob sha256:111111111111… (config) is missing",
        "text: it is invalid: not JSON: Expecting value at character 1",
        "v2: it is empty",
    ]
    with pytest.raises(InputError, match="it is empty"):
        store.find(OTHER)
    for name in (OTHER, ModelName.parse("bot:gone"), ModelName.parse("bot:lacking")):
        store.delete(name)
    assert len([*store.layout.manifests()]) == 3


def test_a_damaged_small_blob(store: FolderStore, warnings: list[str]) -> None:
    add(store, NAME)
    store.blobs.path(digest_of(b"Be brief.")).write_bytes(b"Be brieF.")
    with pytest.raises(InputError, match=rf"cannot read bot:v1 in {store.location}: blob sha256:\w+… is damaged"):
        store.find(NAME)
    assert store.read(store.list()[0]) is None
    assert len(warnings) == 1


def test_a_folder_is_opened_as_a_store(tmp_path: Path) -> None:
    with modelfile.open_folder(tmp_path / "store", ollama="0.9.3") as store:
        assert (str(store.location), store.ollama, store.list()) == (str(tmp_path / "store"), "0.9.3", ())
        store.interrupt()
    with pytest.raises(InputError, match="no model store at"), modelfile.open_folder(tmp_path / "no", create=False):
        pass


def test_a_blob_is_known_by_digest_and_size(store: FolderStore, tmp_path: Path) -> None:
    (tmp_path / "weights.gguf").write_bytes(b"GGUF")
    digest = digest_of(b"GGUF")
    assert not store.has_blob(digest)
    store.put_blob(digest, tmp_path / "weights.gguf", lambda _: None)
    assert store.has_blob(digest)
    assert store.has_blob(digest, 4)
    assert not store.has_blob(digest, 5)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_root_writes_files_that_their_server_can_use(store: FolderStore) -> None:
    """Since 0.21 Ollama sets the times of the blobs that it uses, which only their owner may."""
    root = store.layout.root
    for folder in (root, root / "blobs", root / "manifests"):
        os.chown(folder, 12345, 12346)
    add(store, NAME)
    store.copy(NAME, COPY)
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in root.rglob("*")}
    assert owners == {(12345, 12346)}


def test_weights_that_another_program_removes_while_a_model_is_created(
    store: FolderStore, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest, put = digest_of(tiny.read_bytes()), store.blobs.put
    store.put_blob(digest, tiny, lambda _: None)

    def remove(content: bytes) -> tuple[str, int]:
        monkeypatch.setattr(store.blobs, "put", put)
        store.blobs.path(digest).unlink()
        return put(content)

    monkeypatch.setattr(store.blobs, "put", remove)
    recipe = Recipe(files=(tiny,), template="{{ .Prompt }}")
    store.create(NAME, recipe, {tiny: digest}, ignore)
    assert store.find(NAME)
    changed = {tiny: f"sha256:{'1' * 64}"}
    with pytest.raises(NotFound, match=r"refused: blob sha256:1{12}… not found: .* has changed since"):
        store.create(OTHER, recipe, changed, ignore)
