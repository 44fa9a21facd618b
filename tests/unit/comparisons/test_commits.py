"""The Modelfiles and locks of a project between two commits, or a commit and the working tree."""

import hashlib
from pathlib import Path

import pytest
from tests.support.repository import git

from modelfile.comparisons.commits import diff_project
from modelfile.project.project import Project
from modelfile.revisions import commit_of

TEXT = "FROM a:v1\nPARAMETER top_k {}\nPARAMETER top_p 0.4\nSYSTEM {}\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    return tmp_path


def save(root: Path, files: dict[str, str | None], revision: str = "") -> None:
    """Write files, or remove those that are None, and commit them under a tag."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if text is None:
            (root / name).unlink()
        else:
            (root / name).write_text(text)
    if revision:
        git(root, "add", "-A")
        git(root, "commit", "-q", "--allow-empty", "-m", "x")
        git(root, "tag", revision)


def names(root: Path, *revisions: str) -> list[tuple[str, str]]:
    old, *new = (commit_of(root, revision) for revision in revisions)
    found = diff_project(Project(), old, *new)
    return [(each.old.name.removeprefix("git:"), each.new.name.removeprefix("git:")) for each in found]


def test_two_files_that_moved_are_paired_by_what_they_have_in_common(root: Path) -> None:
    save(root, {"a.Modelfile": TEXT.format(1, "One."), "b.Modelfile": TEXT.format(2, "Two."), "c": ""}, "v1")
    save(root, {"a.Modelfile": None, "b.Modelfile": None})
    save(
        root,
        {"x/Modelfile": TEXT.format(2, "Two!"), "y/Modelfile": TEXT.format(1, "One."), "z/Modelfile": "FROM z\n"},
        "v2",
    )
    expected = [
        ("v1:b.Modelfile", "v2:x/Modelfile"),
        ("v1:a.Modelfile", "v2:y/Modelfile"),
        ("", "v2:z/Modelfile"),
    ]
    assert names(root, "v1", "v2") == expected
    assert names(root, "v1") == [(old, new.removeprefix("v2:")) for old, new in expected]
    assert sorted(names(root, "v2", "v1")) == sorted((new, old) for old, new in expected)


def test_only_modelfiles_that_the_configuration_does_not_exclude(root: Path) -> None:
    save(root, {"mf.toml": 'exclude = ["old/**"]\n[models.bot]\nmodelfile = "prompts/bot.txt"\ntag = "v1"\n'})
    every = ["old/Modelfile", "prompts/bot.txt", "Modelfile", "readme.txt"]
    save(root, dict.fromkeys(every, "FROM a\n"), "v1")
    save(root, dict.fromkeys(every, "FROM b\n"))
    expected = [("v1:Modelfile", "Modelfile"), ("v1:prompts/bot.txt", "prompts/bot.txt")]
    assert names(root, "v1") == expected
    save(root, {}, "v2")
    assert names(root, "v1", "v2") == [(old, f"v2:{new}") for old, new in expected]


def test_a_symlink_to_a_modelfile_is_that_modelfile(root: Path) -> None:
    save(root, {"x/Modelfile": "FROM a\n"})
    (root / "a.Modelfile").symlink_to("x/Modelfile")
    save(root, {}, "v1")
    assert names(root, "v1") == []
    save(root, {"x/Modelfile": "FROM b\n"})
    assert names(root, "v1") == [("v1:x/Modelfile", "x/Modelfile")]


def test_the_lock_of_each_folder_is_compared(root: Path) -> None:
    empty = '{"version": "1.1", "modelfiles": {}}'
    save(root, {"x/Modelfile": "FROM a\n", "x/mf.lock": empty, "mf.lock": empty}, "v1")
    save(root, {"x/mf.lock": None, "mf.lock": empty + "\n"})
    assert names(root, "v1") == [("v1:mf.lock", "mf.lock"), ("v1:x/mf.lock", "")]


def test_a_hundred_files_are_compared_in_a_few_calls_of_git(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(root, {f"m{number}/Modelfile": TEXT.format(number, "Old.") for number in range(100)}, "v1")
    save(root, {f"m{number}/Modelfile": TEXT.format(number, "New.") for number in range(100)}, "v2")
    from modelfile import git as module

    calls: list[tuple[str, ...]] = []
    run = module._run  # noqa: SLF001  # counted, not replaced

    def count(*words: str, stdin: str = "") -> bytes:
        calls.append(words)
        return run(*words, stdin=stdin)

    monkeypatch.setattr(module, "_run", count)
    assert len(names(root, "v1", "v2")) == 100
    assert len(calls) <= 8


def test_a_file_that_is_too_large_is_reported(root: Path) -> None:
    save(root, {"Modelfile": "FROM a\n"}, "v1")
    save(root, {"Modelfile": "FROM a\nSYSTEM " + "x" * 11_000_000})
    (found,) = diff_project(Project(), commit_of(root, "v1"))
    assert found.note.startswith("cannot read `")
    assert found.changes[0].new is None


def test_what_cannot_be_read_stops_nothing_else(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(root, {"a.Modelfile": "FROM a\n" + "# x\n" * 40, "b.Modelfile": "FROM b\n", "c.Modelfile": "FROM c\n"}, "v1")
    save(root, {"a.Modelfile": "FROM z\n", "b.Modelfile": "FROM z\n", "c.Modelfile": None})
    monkeypatch.setattr("modelfile.revisions.MAX_TEXT", 99)
    found = diff_project(Project(), commit_of(root, "v1"))
    assert [(each.path, each.note) for each in found] == [
        ("a.Modelfile", "`v1:a.Modelfile` is larger than 99 bytes"),
        ("b.Modelfile", ""),
        ("c.Modelfile", ""),
    ]


def test_a_binary_file_is_compared_by_its_size_and_digest(root: Path) -> None:
    save(root, {"Modelfile": "FROM a:v1\n"}, "v1")
    (root / "Modelfile").write_bytes(b"FROM a\0\x01\xff:v1\n")
    (found,) = diff_project(Project(), commit_of(root, "v1"))
    assert found.note == "compared by line: `Modelfile` is binary, not a Modelfile"
    (change,) = found.changes
    digest = hashlib.sha256((root / "Modelfile").read_bytes()).hexdigest()
    assert (change.old, change.new) == ("FROM a:v1", f"binary, 13 bytes, sha256:{digest}")
