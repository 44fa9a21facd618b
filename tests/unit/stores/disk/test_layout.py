"""The layout of a model store."""

import os
from pathlib import Path

import pytest
from tests.support.folder import digest_of

from modelfile.errors import InputError
from modelfile.names import ModelName
from modelfile.stores.disk.integrity import find_damage
from modelfile.stores.disk.layout import Layout, models_folder, open_layout
from modelfile.stores.disk.store import FolderStore

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
NAME = ModelName.parse("bot:v1")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return open_layout(tmp_path / "store", create=True)


def add(layout: Layout, *names: str) -> None:
    """Make manifests of names."""
    for name in names:
        path = layout.manifest(ModelName.parse(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")


def test_paths_are_those_of_ollama(layout: Layout) -> None:
    assert layout.blob(DIGEST) == layout.root / "blobs" / f"sha256-{'0123456789abcdef' * 4}"
    manifests = layout.root / "manifests"
    assert layout.manifest(NAME) == manifests / "registry.ollama.ai" / "library" / "bot" / "v1"
    name = ModelName.parse("127.0.0.1:5000/Team/Bot")
    assert layout.manifest(name) == manifests / "127.0.0.1:5000" / "Team" / "Bot" / "latest"


def test_manifests_are_the_files_at_depth_four(layout: Layout) -> None:
    add(layout, "b:v1", "a:v1", "127.0.0.1:5000/Team/Bot:V1")
    (layout.root / "manifests" / "host" / "namespace").mkdir(parents=True)
    for path in ("file", "host/file", "host/namespace/file"):
        (layout.root / "manifests" / path).write_text("")
    deep = layout.manifest(ModelName.parse("a:deep"))
    deep.mkdir()
    (deep / "deeper").write_text("")
    layout.manifest(ModelName.parse("a:gone")).symlink_to("nowhere")
    layout.manifest(NAME).parent.symlink_to(layout.manifest(ModelName.parse("a:v1")).parent)
    layout.manifest(ModelName.parse("a:v1")).with_name(".v1.tmp").write_text("")
    found = [(str(name) if name else None, path.name) for name, path in layout.manifests()]
    assert found == [
        ("127.0.0.1:5000/Team/Bot:V1", "V1"),
        (None, ".v1.tmp"),
        ("a:gone", "gone"),
        ("a:v1", "v1"),
        ("b:v1", "v1"),
        (None, ".v1.tmp"),
        ("bot:gone", "gone"),
        ("bot:v1", "v1"),
    ]


def test_blobs_are_the_files_named_by_a_digest(layout: Layout) -> None:
    names = (
        f"sha256-{'a' * 64}",
        f"sha256-{'A' * 64}",
        "sha256-123",
        f"sha256-{'b' * 64}-partial",
        "mf-1-0123456789abcdef",
    )
    for name in (*names, f"sha256-{'0' * 64}"):
        (layout.root / "blobs" / name).write_text("")
    (layout.root / "blobs" / f"sha256-{'f' * 64}").mkdir()
    assert [digest[7] for digest, _ in layout.blobs()] == ["0", "a"]


def test_names_are_spelled_as_in_the_store(layout: Layout) -> None:
    add(layout, "kid:v1", "host/Team/Other:New")

    def spelled(text: str) -> str:
        return str(layout.spelled(ModelName.parse(text)))

    assert spelled("KID:New") == "kid:New"
    assert spelled("KID:V1") == "kid:v1"
    assert spelled("HOST/team/bot:new") == "host/Team/bot:New"
    assert spelled("another:v2") == "another:v2"
    add(layout, "KID:v1", "KID:V2")
    assert spelled("kid:v1") == "kid:v1"
    assert spelled("KID:v1") == "KID:v1"
    assert spelled("Kid:V1") == "KID:v1"
    assert spelled("kid:v2") == "KID:V2"
    assert spelled("kid:v3") == "kid:v3"
    assert spelled("Kid:v3") == "KID:v3"


def test_folder_of_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert models_folder({}) == tmp_path / ".ollama" / "models"
    assert models_folder({"OLLAMA_MODELS": " '/srv/models' "}) == Path("/srv/models")
    assert models_folder({"OLLAMA_MODELS": "~/models"}) == tmp_path / "~" / "models"
    monkeypatch.setenv("HOME", "nowhere")
    assert models_folder({}) is None


def test_a_store_is_made_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "volume" / "lost+found").mkdir(parents=True)
    for root in (tmp_path / "volume", tmp_path / "new" / "store"):
        assert open_layout(root, create=True).root == root
        assert {path.name for path in root.iterdir()} - {"lost+found"} == {"blobs", "manifests"}
        assert all(path.stat().st_mode & 0o777 == 0o755 for path in (root / "blobs", root / "manifests"))
        assert open_layout(root, create=False) == Layout(root)


@pytest.mark.parametrize("create", [True, False])
def test_other_folders_are_no_stores(tmp_path: Path, *, create: bool) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "letter").write_text("")
    with pytest.raises(InputError, match="documents` is no model store: it has no folders `blobs` and `manifests`"):
        open_layout(tmp_path / "documents", create=create)
    with pytest.raises(InputError, match=r"no model store at `.*letter`: a file is in its place"):
        open_layout(tmp_path / "documents" / "letter", create=create)
    open_layout(tmp_path / ".ollama" / "models", create=True)
    with pytest.raises(InputError) as caught:
        open_layout(tmp_path / ".ollama", create=create)
    assert caught.value.hint == f"did you mean `{tmp_path}/.ollama/models`?"
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "blobs").write_text("")
    with pytest.raises(InputError, match=r"odd` is no model store: `blobs` is not a folder"):
        open_layout(tmp_path / "odd", create=create)
    assert not (tmp_path / "documents" / "blobs").exists()


def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"no model store at `{tmp_path}/none`: there is no such folder"):
        open_layout(tmp_path / "none", create=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty` is no model store"):
        open_layout(tmp_path / "empty", create=False)
    assert not (tmp_path / "none").exists()


def test_store_of_another_user_is_read_only(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = layout.root.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert open_layout(layout.root, create=False) == layout
    with pytest.raises(InputError, match=r"cannot write to the model store `.*`: it belongs to user \w+") as caught:
        open_layout(layout.root, create=True)
    assert str(caught.value.hint).startswith("run it as that user, as in `sudo -u ")


def test_old_names_of_blobs_are_replaced(layout: Layout) -> None:
    old, both = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    for digest in (old, both):
        (layout.root / "blobs" / digest).write_text("old")
    layout.blob(both).write_text("new")
    assert [*open_layout(layout.root, create=False).blobs()] == [(both, layout.blob(both))]
    assert dict(open_layout(layout.root, create=True).blobs()).keys() == {old, both}
    assert [layout.blob(digest).read_text() for digest in (old, both)] == ["old", "new"]
    assert len([*(layout.root / "blobs").iterdir()]) == 2


def test_of_two_files_of_a_blob_the_whole_one_stays(layout: Layout) -> None:
    content = b"GGUF whole"
    digest = digest_of(content)
    old = layout.root / "blobs" / digest
    for texts in ((content, b"GGUF"), (b"GGUF", content), (content, content)):
        for path, text in zip((old, layout.blob(digest)), texts, strict=True):
            path.write_bytes(text)
        open_layout(layout.root, create=True)
        assert layout.blob(digest).read_bytes() == content
        assert not old.exists()


def test_symlinks_that_lead_to_themselves_are_dangling(layout: Layout) -> None:
    manifests = layout.root / "manifests"
    (manifests / "h" / "n" / "m").mkdir(parents=True)
    loops = ("loop", "h/loop", "h/n/loop", "h/n/m/loop")
    for loop in loops:
        (manifests / loop).symlink_to("loop")
    layout.blob(DIGEST).symlink_to(layout.blob(DIGEST).name)
    assert [path for _, path in layout.manifests()] == [manifests / loops[-1]]
    assert [*layout.blobs()] == [(DIGEST, layout.blob(DIGEST))]
    damage = {one.path: one.code for one in find_damage(FolderStore(layout))}
    assert damage == {manifests / loops[-1]: "dangling-manifest", layout.blob(DIGEST): "dangling-blob"}


def test_a_folder_that_cannot_be_looked_at_is_an_error(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "host"
        path = str(layout.root / "manifests" / "host")

        def is_dir(self) -> bool:
            raise PermissionError(13, "Permission denied", self.path)

    monkeypatch.setattr(os, "scandir", lambda _: [Entry()])
    with pytest.raises(InputError, match="permission denied"):
        [*layout.manifests()]
