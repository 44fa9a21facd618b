"""Lints of a project whose lock is damaged, and the rejection of Modelfiles with errors."""

from pathlib import Path

import pytest

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError, ModelfileHasErrors
from modelfile.linter.api import LintResult, lint, lint_paths, reject_errors
from modelfile.linter.settings import resolve_settings
from modelfile.project.config import Config
from modelfile.project.project import Project
from modelfile.project.target import Target

UNPINNED = "# For tests.\nFROM llama3.2\nPARAMETER num_ctx many\n"


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project of two Modelfiles with errors and a damaged lock."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    for name in ("Modelfile", "other.Modelfile"):
        (tmp_path / name).write_text(UNPINNED)
    (tmp_path / "mf.lock").write_text("[]")
    return tmp_path


@pytest.mark.usefixtures("damaged")
def test_findings_are_yielded_besides_the_error_of_the_lock_which_is_yielded_once() -> None:
    found = [*lint_paths()]
    results = [result for result in found if isinstance(result, LintResult)]
    assert [[item.name for item in result.diagnostics] for result in results] == [["invalid-parameter-value"]] * 2
    (error,) = (result for result in found if isinstance(result, InputError))
    assert "mf.lock` is damaged" in error.message
    assert {result.lock_error.message for result in results if result.lock_error} == {error.message}


def test_a_lint_of_a_text_raises_the_error_of_the_lock(damaged: Path) -> None:
    with pytest.raises(InputError, match="is damaged"):
        lint(UNPINNED, "Modelfile")
    (damaged / "mf.lock").unlink()
    assert [found.name for found in lint(UNPINNED, "Modelfile")] == ["unpinned-base", "invalid-parameter-value"]


@pytest.mark.parametrize("severity", [None, Severity.ERROR])
def test_only_errors_are_looked_for(severity: Severity | None, tmp_path: Path) -> None:
    path = tmp_path / "Modelfile"
    path.write_text(UNPINNED)
    target, found = Project(isolated=True).at(path), list[str]()
    severities = {"unpinned-base": severity} if severity else {}
    settings = resolve_settings(Project(isolated=True), Config(severities=severities))

    def note(_: Target, every: tuple[Diagnostic, ...]) -> None:
        found.extend(each.name for each in every)

    for only_errors in (False, True):
        with pytest.raises(ModelfileHasErrors):
            reject_errors(target, settings, note, only_errors=only_errors)
    both = ["unpinned-base", "invalid-parameter-value"]
    assert found == both + (both if severity else both[1:])
