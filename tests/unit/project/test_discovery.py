"""Discovery of Modelfiles, and reading them."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.project.discovery import LOCK_FILE, find_modelfiles, read_source
from modelfile.project.project import Project

FILES = ("Modelfile", "b/Modelfile.bot", "b/bot.Modelfile", "c/x.modelfile", "ignored/Modelfile", "Modelfile-notes.md")


def find(paths: list[str], excluded: str = "none") -> list[str]:
    return find_modelfiles(paths, lambda path: path.match(excluded))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("FROM x:y\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_modelfiles_that_git_does_not_ignore(folder: Path) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / ".gitignore").write_text("ignored/\n")
    assert find(["."]) == [*FILES[:4]]
    assert find(["ignored/Modelfile"]) == ["ignored/Modelfile"]


def test_names_of_modelfiles(tmp_path: Path) -> None:
    names = ("ModelFile", "Modelfile", "Modelfile.x", "modelfile", "x.Modelfile", "y.modelfile")
    for name in (*names, "MODELFILE", "Modelfile_notes", "Modelfiles", "modelfile.py", "xModelfile"):
        (tmp_path / name).touch()
    assert find([str(tmp_path)]) == [str(tmp_path / name) for name in names]


def test_hidden_folders_are_skipped_outside_of_a_repository(folder: Path) -> None:
    for name in (".hidden", "node_modules"):
        (folder / name).mkdir()
        (folder / name / "Modelfile").touch()
    assert find(["."]) == sorted(FILES[:5])


def test_a_file_that_is_found_twice_is_listed_once(folder: Path) -> None:
    (folder / "link").symlink_to("b/bot.Modelfile")
    assert find(["b/bot.Modelfile", "link", "b", "-", "-"]) == ["b/bot.Modelfile", "b/Modelfile.bot", "-"]


@pytest.mark.usefixtures("folder")
def test_excluded_files_are_skipped_unless_they_are_named() -> None:
    assert find(["b"], "*.bot") == ["b/bot.Modelfile"]
    assert find(["b/bot.Modelfile"], "b/*") == ["b/bot.Modelfile"]
    with pytest.raises(InputError, match="`b`"):
        find(["b"], "b/*")


def test_a_folder_without_modelfiles_is_an_error(folder: Path) -> None:
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="`empty`"):
        find(["empty"])


def test_binary_files_folders_and_missing_files_are_errors(folder: Path) -> None:
    (folder / "w.gguf").write_bytes(b"GGUF\0\0")
    for path in ("w.gguf", "b", "missing"):
        with pytest.raises(InputError, match=f"`{path}`"):
            read_source(path, io.BytesIO())


def test_standard_input_and_utf_16_are_texts() -> None:
    assert read_source("-", io.BytesIO("FROM é".encode("utf-16"))).text == "FROM é"


def test_a_lock_is_looked_for_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repository" / "bot"
    inner.mkdir(parents=True)
    (tmp_path / "repository" / ".git").mkdir()
    (tmp_path / LOCK_FILE).touch()
    project = Project()
    assert project.find_lock(inner) is None
    (tmp_path / "repository" / LOCK_FILE).touch()
    found = project.find_lock(inner)
    assert found
    assert found.path == tmp_path / "repository" / LOCK_FILE


@pytest.mark.parametrize("is_repository", [True, False])
def test_symlinks_that_leave_the_root_are_skipped_unless_they_are_named(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, *, is_repository: bool
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "bashrc").write_text("FROM x:y\n")
    (outside / "Modelfile").write_text("FROM x:y\n")
    (folder / "b" / "out.Modelfile").symlink_to(outside / "bashrc")
    (folder / "b" / "in.Modelfile").symlink_to("../c/x.modelfile")
    (folder / "b" / "folder").symlink_to(outside)
    (folder / "b" / "gone.Modelfile").symlink_to("gone")
    if is_repository:
        subprocess.run(["git", "init", "-q"], check=True)
    warnings: list[str] = []
    found = find_modelfiles(["b"], warn=warnings.append)
    inside = ["b/in.Modelfile"] if is_repository else []
    assert found == ["b/Modelfile.bot", "b/bot.Modelfile", "b/gone.Modelfile", *inside]  # to read it is an error
    root = folder if is_repository else folder / "b"
    skipped = {f"skipped `b/out.Modelfile`: it is a symlink to `{outside}/bashrc`, outside of `{root}`"}
    if not is_repository:
        skipped.add(f"skipped `b/in.Modelfile`: it is a symlink to `{folder}/c/x.modelfile`, outside of `{root}`")
    assert {*warnings} == skipped
    assert find_modelfiles(["b/out.Modelfile"]) == ["b/out.Modelfile"]


def test_a_file_that_the_index_has_behind_a_symlink_is_skipped(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", "add", "b"], check=True)
    outside = tmp_path_factory.mktemp("outside")
    (folder / "b").rename(outside / "b")
    (folder / "b").symlink_to(outside / "b")
    warnings: list[str] = []
    assert "b/bot.Modelfile" not in find_modelfiles(["."], warn=warnings.append)
    assert [warning.partition(":")[0] for warning in warnings] == [
        "skipped `b/Modelfile.bot`",
        "skipped `b/bot.Modelfile`",
    ]


def test_a_repository_that_git_rejects_is_searched_by_its_gitignore(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "init", "-q"], check=True)
    (folder / ".gitignore").write_text("ignored/\n")
    expected = find(["."])
    monkeypatch.setenv("PATH", "/nowhere")
    warnings: list[str] = []
    assert find_modelfiles(["."], warn=warnings.append) == expected == [*FILES[:4]]
    assert warnings == ["git is not installed: `.` is searched without it, by the .gitignore files"]


@pytest.mark.parametrize("has_git", [True, False])
def test_nested_repositories_with_modelfiles_are_skipped_with_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, has_git: bool
) -> None:
    for name in (".", "b", "c/in", "c/in/deep", "without", "ignored"):
        subprocess.run(["git", "init", "-q", name], check=True)
    (folder / "c" / "in" / "deep" / "Modelfile").touch()
    (folder / "without" / "notes.md").touch()
    (folder / "c" / "in" / "Modelfile").mkdir()
    (folder / ".gitignore").write_text("ignored/\n")
    (folder / "half" / ".git").mkdir(parents=True)
    (folder / "half" / "Modelfile").touch()
    if not has_git:
        monkeypatch.setenv("PATH", "/nowhere")
    warnings: list[str] = []

    def skipped(*paths: str, excluded: str = "none") -> list[str]:
        warnings.clear()
        find_modelfiles(paths, lambda path: path.match(excluded), warnings.append)
        return sorted(warning for warning in warnings if not warning.startswith("git is not installed"))

    advice = "it is a repository of its own; name it to search it"
    others = ["c/in/deep"] if has_git else ["c/in", "without"]  # the latter may have Modelfiles
    assert skipped(".") == [f"skipped `{name}`: {advice}" for name in ("b", *others)]
    assert skipped("b", ".", "c") == [f"skipped `{name}`: {advice}" for name in others]
    unknown = [] if has_git else ["b"]  # nor what of it is excluded
    assert skipped(".", excluded="b/*") == [f"skipped `{name}`: {advice}" for name in (*unknown, *others)]
    monkeypatch.setattr("modelfile.project.discovery._MAX_NESTED", 1)
    assert skipped(".") == [f"skipped `{name}`: {advice}" for name in ("b", "c/in", "without")]
    assert find_modelfiles(["."]) == ["Modelfile", "c/x.modelfile", "half/Modelfile"]
    assert find_modelfiles(["b", "c/in/deep"]) == ["b/Modelfile.bot", "b/bot.Modelfile", "c/in/deep/Modelfile"]


@pytest.fixture
def deep(tmp_path: Path) -> Iterator[list[Path]]:
    """Folders nested more deeply than Python calls functions, each with patterns; removed again, as pytest cannot."""
    folders = [tmp_path.joinpath("top", *["d"] * depth) for depth in range(1050)]
    for folder in folders:
        folder.mkdir()
        (folder / ".gitignore").write_text("x\n")
    yield folders
    for folder in reversed(folders):
        for file in (*folder.glob("Modelfile"), folder / ".gitignore", folder / ".git" / "HEAD"):
            file.unlink(missing_ok=True)
        for inner in (folder / ".git", folder):
            if inner.exists():
                inner.rmdir()


@pytest.mark.skipif(sys.platform != "linux", reason="paths are shorter elsewhere")
@pytest.mark.parametrize("head", ["nothing", None], ids=["broken repository", "no repository"])
def test_deep_folders_are_searched(deep: list[Path], head: str | None) -> None:
    modelfiles = [deep[0] / "Modelfile", deep[-1] / "Modelfile"]
    for path in modelfiles:
        path.write_text("FROM a:b\n")
    if head:
        (deep[0] / ".git").mkdir()
        (deep[0] / ".git" / "HEAD").write_text(head)
    warnings: list[str] = []
    assert {*map(Path, find_modelfiles([str(deep[0])], warn=warnings.append))} == {*modelfiles}
    assert len(warnings) == bool(head)


def test_a_long_chain_of_symlinks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0").touch()
    for number in range(1, 1200):
        (tmp_path / str(number)).symlink_to(str(number - 1))
    (tmp_path / "Modelfile").symlink_to("1199")
    for path in (tmp_path, tmp_path / "Modelfile"):
        assert find_modelfiles([str(path)]) == [str(tmp_path / "Modelfile")]
    with pytest.raises(InputError, match=r"[Tt]oo many levels of symbolic links"):
        read_source(str(tmp_path / "Modelfile"), io.BytesIO())


def test_a_descriptor_that_is_named_is_read(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"FROM x:y\n")
    os.close(writer)
    assert read_source(f"/dev/fd/{reader}", io.BytesIO()).text == "FROM x:y\n"
    os.close(reader)
    with pytest.raises(InputError, match="bad file descriptor"):
        read_source(f"/dev/fd/{reader}", io.BytesIO())
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="it is a pipe, not a file"):
        read_source(str(tmp_path / "pipe"), io.BytesIO())


def test_a_modelfile_over_the_limit_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_bytes(b"#" * 10_000_001)
    with pytest.raises(InputError, match="it has more than 10,000,000 bytes, the limit for such a file"):
        read_source(str(tmp_path / "Modelfile"), io.BytesIO())
    with pytest.raises(InputError, match="it has more than"):
        read_source("-", io.BytesIO(b"#" * 10_000_001))
