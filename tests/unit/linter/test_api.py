"""Lints of a project whose lock is damaged."""

from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.linter.api import LintResult, lint, lint_paths

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
