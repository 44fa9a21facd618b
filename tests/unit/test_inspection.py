"""The public function behind `mf check`; tests/api/test_conditions.py checks its codes."""

from pathlib import Path

import pytest
from tests.support.cli import mf

import modelfile
from modelfile.diagnostics import Severity
from modelfile.errors import InputError
from modelfile.events import Progress
from modelfile.inspection import UNFORMATTED, check
from modelfile.project.project import Project
from modelfile.stores.memory import MemoryStore

GOOD = "# Answers questions.\nFROM llama3.2:3b\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text(GOOD)
    return tmp_path


def pin(*paths: str) -> None:
    modelfile.pin(Project().modelfiles(paths or (".",)), MemoryStore.with_models("llama3.2:3b", "llama3.2:1b"))


def found(*paths: str) -> list[tuple[str, str, int]]:
    return [
        (file.source.path, one.name, file.source.line_of(one.span.start))
        for file in check(paths or None).files
        for one in file.diagnostics
    ]


def test_a_clean_project_passes(project: Path) -> None:
    pin()
    result = check()
    assert (result.passed, result.modelfiles, result.unread) == (True, 1, ())
    assert [(file.source.path, file.diagnostics) for file in result.files] == [("Modelfile", ())]
    assert project.joinpath("mf.lock").exists()


def test_a_modelfile_that_would_be_reformatted_is_one_finding_at_the_first_such_line(project: Path) -> None:
    (project / "Modelfile").write_text(
        "# Answers questions.\nFROM llama3.2:3b\nparameter num_ctx 4096\nparameter top_k 20\n"
    )
    pin()
    (file,) = check().files
    (one,) = file.diagnostics
    assert (one.code, one.severity, file.source.line_of(one.span.start)) == ("FMT001", Severity.WARNING, 3)
    assert one.hint == UNFORMATTED.hint


def test_the_rules_that_say_the_same_add_no_second_finding(project: Path) -> None:
    (project / "mf.toml").write_text('extend-select = ["unformatted"]\n')
    pin()
    (project / "Modelfile").write_text("# Answers questions.\nfrom llama3.2:1b\n")
    (project / "new.Modelfile").write_text(GOOD)
    assert {name for _, name, _ in _lint()} == {"stale-lock", "missing-from-lock", "unformatted"}
    assert found() == [
        ("Modelfile", "would-reformat", 2),
        ("Modelfile", "changed-text", 2),
        ("new.Modelfile", "not-in-lock", 2),
    ]


def _lint() -> list[tuple[str, str, int]]:
    results = [result for result in modelfile.lint_paths() if not isinstance(result, InputError)]
    return [(str(result.target.path), one.name, 0) for result in results for one in result.diagnostics]


def test_a_modelfile_with_errors_is_checked_no_further(project: Path) -> None:
    pin()
    (project / "Modelfile").write_text('from llama3.2:1b\nSYSTEM """x\n')
    assert [name for _, name, _ in found()] == ["unclosed-quote"]
    assert check().unread == ()


def test_an_entry_of_a_removed_modelfile_is_placed_in_the_lock(project: Path) -> None:
    (project / "old.Modelfile").write_text(GOOD)
    pin()
    (project / "old.Modelfile").unlink()
    (path, name, line) = found()[0]
    assert (path, name) == ("mf.lock", "unused-entry")
    assert '"old.Modelfile": {' in (project / "mf.lock").read_text().splitlines()[line - 1]
    assert check().modelfiles == 1
    assert found("Modelfile") == []  # only what is named


def test_each_lock_is_compared_with_its_own_modelfiles(project: Path) -> None:
    for name in ("a", "b"):
        (project / name / ".git").mkdir(parents=True)
        (project / name / "Modelfile").write_text(GOOD)
    pin("a", "b")
    (project / "b" / "Modelfile").write_text(GOOD + "PARAMETER num_ctx 4096\n")
    assert found("a", "b") == [("b/Modelfile", "changed-text", 2)]


def test_a_base_that_is_not_named_is_placed_in_its_own_modelfile(project: Path) -> None:
    (project / "base.Modelfile").write_text(GOOD)
    (project / "Modelfile").write_text("# Answers questions.\nFROM base:v1\n")
    (project / "mf.toml").write_text('[models.base]\nmodelfile = "base.Modelfile"\ntag = "v1"\n')
    pin()
    (project / "base.Modelfile").write_text(GOOD + "PARAMETER num_ctx 4096\n")
    assert found("Modelfile") == [("base.Modelfile", "changed-text", 2)]
    (project / "base.Modelfile").write_text('FROM x:1\nSYSTEM """x\n')
    assert [error.message for error in check(["Modelfile"]).unread] == ["`base.Modelfile` has errors"]


def test_a_missing_file_is_one_finding(project: Path) -> None:
    (project / "w.gguf").write_bytes(b"GGUF" + bytes(60))
    (project / "Modelfile").write_text("# Answers questions.\nFROM ./w.gguf\n")
    pin()
    (project / "w.gguf").unlink()
    assert [name for _, name, _ in found()] == ["missing-file"]
    assert check().unread == ()
    (project / "mf.toml").write_text('ignore = ["missing-file"]\n')
    assert [name for _, name, _ in found()] == ["changed-file"]


def test_a_carriage_return_in_a_value_is_one_finding(project: Path) -> None:
    (project / "Modelfile").write_bytes(b'# Answers questions.\nFROM llama3.2:3b\nSYSTEM """a\r\nb"""\n')
    pin()
    assert [name for _, name, _ in found()] == ["crlf-in-value"]
    assert check().unread == ()
    (project / "mf.toml").write_text('ignore = ["crlf-in-value"]\n')
    assert [error.message.partition(":")[0] for error in check().unread] == ["cannot format `Modelfile`"]


def test_suppressed_and_ignored_findings_are_not_reported(project: Path) -> None:
    text = "# Answers questions.\n# mf: ignore[unpinned-base] newest\nFROM llama3.2\n"
    (project / "Modelfile").write_text(text)
    assert [name for _, name, _ in found()] == ["no-lock"]
    (project / "Modelfile").write_text(text.replace("# mf: ignore[unpinned-base] newest\n", ""))
    assert [name for _, name, _ in found()] == ["unpinned-base", "no-lock"]


@pytest.mark.parametrize(("level", "passed"), [("info", False), ("warning", False), ("error", True)])
def test_the_fail_level_of_the_configuration_holds(project: Path, level: str, passed: bool) -> None:
    (project / "mf.toml").write_text(f'fail-level = "{level}"\n')
    assert check().passed is passed
    assert mf("check").code == (not passed)


def test_progress_is_reported(project: Path) -> None:
    (project / "b.Modelfile").write_text(GOOD)
    events: list[Progress] = []
    check(events=events.append)
    assert [event.status for event in events] == ["checked 1 of 2", "checked 2 of 2"]
