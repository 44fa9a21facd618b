"""The hooks for pre-commit and the job for GitLab CI; tests/live/test_ci.py runs pre-commit itself."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT

from modelfile.project.discovery import find_modelfiles

yaml: Any = pytest.importorskip("yaml", reason="PyYAML is in the dependency group `test`")

HOOKS = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))}
GITLAB = yaml.safe_load((ROOT / "examples" / "ci" / "gitlab-ci.yml").read_text(encoding="utf-8"))["mf-check"]
NAMES = (
    *("Modelfile", "modelfile", "ModelFile", "Modelfile.prod", "bot.Modelfile", "bot.modelfile", ".Modelfile"),
    *("MODELFILE", "Modelfiles", "modelfile.prod", "bot.ModelFile", "xModelfile", "Modelfile.d/x", "a/Modelfile"),
    *("README.md", "Modelfile~", "mf.lock.bak", "bot.Modelfile.txt"),
)
QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {"severity": {"enum": ["info", "minor", "major", "critical", "blocker"]}},
    },
}
"""Keys that a report must have: GitLab Docs, "Code Quality report format"."""


@pytest.mark.parametrize("name", ["mf-lint", "mf-fmt"])
def test_hooks_get_the_files_that_mf_finds(name: str, tmp_path: Path) -> None:
    for path in NAMES:
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("FROM x:1\n")
    found = {str(Path(path).relative_to(tmp_path)) for path in find_modelfiles([str(tmp_path)])}
    assert {path for path in NAMES if re.search(HOOKS[name]["files"], path)} == found
    assert "Modelfile" in found


def test_the_hook_of_check_runs_on_all_that_it_reads() -> None:
    pattern = HOOKS["mf-check"]["files"]
    for path in (
        "Modelfile",
        "a/b.Modelfile",
        "mf.lock",
        "a/mf.toml",
        "pyproject.toml",
        "w/model.gguf",
        "a.safetensors",
    ):
        assert re.search(pattern, path), path
    for path in ("README.md", "xmf.lock", "src/x.py"):
        assert not re.search(pattern, path), path
    assert HOOKS["mf-check"]["pass_filenames"] is False


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_run_commands_and_options_that_exist(name: str, tmp_path: Path) -> None:
    program, command, *options = shlex.split(HOOKS[name]["entry"])
    assert (program, f"mf-{command}", HOOKS[name]["language"]) == ("mf", name, "python")
    (tmp_path / "Modelfile").write_text("# Answers questions.\nFROM llama3.2:3b\n")
    assert mf(command, *options, "Modelfile", cwd=tmp_path).code in (0, 1)


def run_gitlab(folder: Path) -> int:
    """Run the lines of the job as GitLab does, in one shell that stops at the first error; pip does nothing."""
    programs = folder.parent / "programs"
    programs.mkdir(exist_ok=True)
    for name, text in (
        ("pip", "[[ $* == 'install --quiet modelfile' ]]"),
        ("mf", f'{sys.executable} -Pm modelfile "$@"'),
    ):
        (programs / name).write_text(f"#!/bin/bash\n{text}\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}
    script = "\n".join(GITLAB["script"])
    return subprocess.run(["/bin/bash", "-e", "-c", script], cwd=folder, env=environment, check=False).returncode


def test_the_gitlab_job_fails_on_findings_and_leaves_its_reports(tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    (project / ".git").mkdir()
    (project / "Modelfile").write_text("# Answers questions.\nfrom llama3.2:3b\n")
    assert run_gitlab(project) == 1
    reports = GITLAB["artifacts"]["reports"]
    quality = yaml.safe_load((project / reports["codequality"]).read_text(encoding="utf-8"))
    jsonschema.validate(quality, QUALITY)
    assert [each["check_name"] for each in quality] == ["FMT001 would-reformat", "PIN001 no-lock"]
    assert '<testcase classname="Modelfile" name="PIN001 no-lock 2:6">' in (project / reports["junit"]).read_text()
    assert GITLAB["artifacts"]["when"] == "always"


def test_the_gitlab_job_fails_if_there_is_nothing_to_check(tmp_path: Path) -> None:
    (project := tmp_path / "project").mkdir()
    assert run_gitlab(project) == 3
