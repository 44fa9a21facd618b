"""Folders of models that are damaged or none: one clear error, and the next build puts right what it can."""

import os
import re
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.folder import contents, damages, temporary_files
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.names import ModelName
from modelfile.stores.disk.layout import Layout

MODELFILE = "# For tests.\nFROM ./weights.gguf\nSYSTEM hello\nTEMPLATE {{ .System }} {{ .Prompt }}\n"
NAME = ModelName.parse("bot:v1")


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Build a model in a folder, and change to that of its Modelfile."""
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / "Modelfile").write_text(MODELFILE)
    write_tiny_gguf(project / "weights.gguf")
    monkeypatch.chdir(project)
    monkeypatch.setenv("MF_STORE", str(tmp_path / "store"))
    assert mf("build", "bot:v1").code == 0
    return Layout(tmp_path / "store")


def weights(layout: Layout) -> Path:
    return layout.blob(f"sha256:{sha256(Path('weights.gguf').read_bytes()).hexdigest()}")


def system(layout: Layout) -> Path:
    return layout.blob(f"sha256:{sha256(b'hello').hexdigest()}")


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def link_nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("nowhere")


@pytest.mark.parametrize(
    ("damage", "warning"),
    [
        (lambda layout: weights(layout).unlink(), r"bot:v1 in .* is damaged: blob sha256:\w{12}… \(model\) is missing"),
        (lambda layout: truncate(weights(layout)), r"\(model\) has [\d,]+ bytes instead of [\d,]+"),
        (lambda layout: link_nowhere(weights(layout)), r"\(model\) is missing"),
        (lambda layout: system(layout).unlink(), r"\(system\) is missing"),
        (
            lambda layout: layout.manifest(NAME).write_text('{"schemaVersion":2,'),
            "no manifest of a model, and is ignored: .*not JSON",
        ),
        (lambda layout: layout.manifest(NAME).write_text(""), "no manifest of a model, and is ignored: it is empty"),
        (lambda layout: link_nowhere(layout.manifest(NAME)), "is ignored: cannot read .*: no such file"),
    ],
)
def test_a_damaged_model_is_built_again(layout: Layout, damage: Callable[[Layout], None], warning: str) -> None:
    before = contents(layout.root)
    damage(layout)
    listed = mf("ls")
    assert listed.code == 0
    assert re.search(warning, listed.err), listed.err
    shown = mf("show", "bot:v1")
    assert shown.code == 3, shown
    assert shown.err.count("error: ") == 1
    assert mf("build", "bot:v1", "--replace").code == 0
    assert contents(layout.root).items() >= before.items()
    assert damages(layout.root) == []
    assert temporary_files(layout.root) == []


def test_a_damaged_model_is_removed(layout: Layout) -> None:
    weights(layout).unlink()
    assert mf("rm", "bot:v1", "--yes").code == 0
    assert contents(layout.root) == {}


def test_a_damaged_neighbor_keeps_nothing_from_being_built(layout: Layout) -> None:
    """Its blobs are not removed, as nobody knows which they are."""
    neighbors = layout.manifest(NAME).parent
    (neighbors / "empty").write_text("")
    (neighbors / "gone").symlink_to("nowhere")
    (neighbors / ".v1.tmp").write_text("{}")
    orphan = layout.blob(f"sha256:{sha256(b'of the empty manifest').hexdigest()}")
    orphan.write_bytes(b"of the empty manifest")
    Path("Modelfile").write_text(f"{MODELFILE}PARAMETER temperature 0.5\n")
    assert mf("build", "bot:v1", "--replace", "--keep", "0").code == 0
    assert mf("build", "bot:v2").code == 0
    assert mf("rm", "bot:v2", "--yes").code == 0
    assert orphan.exists()
    assert (neighbors / "empty").read_text() == ""
    assert (neighbors / "gone").is_symlink()


def test_symlinks_of_others_are_replaced_and_not_written_through(layout: Layout, tmp_path: Path) -> None:
    """A blob that is a symlink is used as it is, as Ollama does."""
    elsewhere, manifest = tmp_path / "elsewhere", layout.manifest(NAME)
    elsewhere.mkdir()
    weights(layout).rename(elsewhere / "weights")
    weights(layout).symlink_to(elsewhere / "weights")
    manifest.rename(elsewhere / "manifest")
    manifest.symlink_to(elsewhere / "manifest")
    before = contents(elsewhere)
    assert "bot:v1 is up to date" in mf("build", "bot:v1").out
    Path("Modelfile").write_text(f"{MODELFILE}PARAMETER temperature 0.5\n")
    assert mf("build", "bot:v1", "--replace").code == 0
    assert contents(elsewhere) == before
    assert not manifest.is_symlink()
    assert mf("rm", "bot:v1", "--backups", "--yes").code == 0
    assert contents(elsewhere) == before
    assert contents(layout.root) == {}


def test_names_that_differ_in_case_are_one_model(layout: Layout) -> None:
    Path("Modelfile").write_text(f"{MODELFILE}PARAMETER temperature 0.5\n")
    assert mf("build", "BOT:V1", "--replace", "--keep", "0").code == 0
    assert [str(name) for name, _ in layout.manifests()] == ["bot:v1"]
    assert mf("cp", "Bot:v1", "other:V1").code == 0
    assert [str(name) for name, _ in layout.manifests()] == ["bot:v1", "other:v1"]


def test_blobs_of_an_old_ollama_are_renamed(layout: Layout) -> None:
    before = contents(layout.root)
    for _, path in [*layout.blobs()]:
        path.rename(path.with_name(path.name.replace("-", ":")))
    assert mf("show", "bot:v1").code == 0
    assert ":" in "".join(path.name for path in (layout.root / "blobs").iterdir())
    assert "bot:v1 is up to date" in mf("build", "bot:v1").out
    assert contents(layout.root) == before


@pytest.mark.parametrize(
    ("store", "message"),
    [
        ("project", "`{}` is no model store: it has no folders `blobs` and `manifests`"),
        ("project/Modelfile", "no model store at `{}`: a file is in its place"),
    ],
)
def test_what_is_no_store(layout: Layout, store: str, message: str) -> None:
    path = layout.root.with_name(store.partition("/")[0]) / store.partition("/")[2]
    before = contents(layout.root.parent)
    for command in (("build", "bot:v2"), ("ls",), ("rm", "bot:v1", "--yes")):
        ran = mf(*command, "--store", str(path))
        assert ran.code == 3, ran
        assert f"error: {message.format(str(path).rstrip('/'))}" in ran.err
    assert contents(layout.root.parent) == before


def test_store_of_another_user(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, before = layout.root.stat().st_uid, contents(layout.root)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    for command in (("build", "bot:v2"), ("rm", "bot:v1", "--yes"), ("cp", "bot:v1", "bot:v2")):
        ran = mf(*command)
        assert ran.code == 3, ran
        assert f"cannot write to the model store `{layout.root}`: it belongs to user " in ran.err
    assert contents(layout.root) == before
    assert mf("show", "bot:v1").code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a path is text")
def test_a_folder_whose_path_is_no_utf_8(layout: Layout) -> None:
    root = layout.root.with_name("caf\udce9")
    assert mf("build", "bot:v1", "--store", str(root)).code == 0
    text = Layout(root).manifest(NAME).read_text(encoding="utf-8")
    assert f"caf\\ufffd/blobs/{weights(layout).name}" in text  # as Go writes a byte that is no UTF-8
    assert mf("store", "check", "--store", str(root)).code == 0
    assert mf("rm", "bot:v1", "--yes", "--store", str(root)).code == 0
