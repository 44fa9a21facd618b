"""The GitHub Action: its steps run the script .ci/action, which these tests run as GitHub does."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.api.test_workflows import PIPED, RUN, expanded, unpinned
from tests.fakes.registry import FakeRegistry
from tests.fakes.values import Published
from tests.support.paths import ROOT

from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.encoding import write_model

yaml: Any = pytest.importorskip("yaml", reason="PyYAML is in the dependency group `test`")

TEXT = (ROOT / "action.yml").read_text(encoding="utf-8")
ACTION = yaml.safe_load(TEXT)
STEPS = ACTION["runs"]["steps"]
SCRIPT = ROOT / ".ci" / "action"
WITHOUT_PROGRESS = """
from modelfile.events import Clock
Clock.monotonic = lambda _: 0.0
from modelfile.__main__ import main
main()
"""
"""Runs mf with a clock that stands still: on a busy machine, a check takes so long that its progress is printed."""
GOOD = "# Answers questions.\nFROM llama3.2:3b\n"
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """Make the folders of a runner: `temp` with mf installed, `programs` before PATH, and a repository in `work`."""
    for name in ("temp/mf/bin", "programs", "work"):
        (tmp_path / name).mkdir(parents=True)
    write_program(tmp_path / "temp/mf/bin/mf", f"exec {sys.executable} -P -c '{WITHOUT_PROGRESS}' \"$@\"")
    git(tmp_path / "work", "init", "--quiet", "--initial-branch=main")
    (tmp_path / "work" / "Modelfile").write_text(GOOD)
    return tmp_path


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/bash\n{text}\n")
    path.chmod(0o755)


def git(folder: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *IDENTITY, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return ran.stdout


def run(runner: Path, step: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{runner / 'programs'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "HOME": str(runner),
        "RUNNER_TEMP": str(runner / "temp"),
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTION_PATH": str(ROOT),
        "GITHUB_OUTPUT": str(runner / "output"),
        "GITHUB_PATH": str(runner / "path"),
        "GITHUB_REF_NAME": "main",
        "GITHUB_REPOSITORY": "owner/project",
        "GITHUB_SERVER_URL": f"file://{runner}",
        **inputs,
    }
    return subprocess.run(
        [str(SCRIPT), step], cwd=runner / "work", env=environment, capture_output=True, text=True, check=False
    )


def outputs(runner: Path) -> Mapping[str, str]:
    path = runner / "output"
    return dict(line.split("=", 1) for line in path.read_text().splitlines()) if path.exists() else {}


def test_the_action_runs_only_pinned_actions_and_no_input_as_a_command() -> None:
    assert unpinned(TEXT) == []
    assert expanded(TEXT) == []
    assert PIPED.search(TEXT) is None
    assert "secrets." not in TEXT


def test_each_step_is_one_of_the_script_and_gets_the_inputs_that_it_reads() -> None:
    commands = [step["run"].split() for step in STEPS if "run" in step]
    assert commands == [['"$GITHUB_ACTION_PATH/.ci/action"', name] for name in ("install", "check", "update")]
    assert len(RUN.findall(TEXT)) == len(commands)
    assert all(step["shell"] == "bash" for step in STEPS if "run" in step)
    used = {name for step in STEPS for name in ACTION["inputs"] if f"inputs.{name} " in f"{step}"}
    assert used == {*ACTION["inputs"]}
    assert all(entry["description"] and "default" in entry for entry in ACTION["inputs"].values())
    given = {name for step in STEPS for name in step.get("env", {}) if name.startswith("MF_")}
    read = {word for word in ("MF_PYTHON", "MF_VERSION", "MF_PATHS", "MF_SARIF") if f"${word}" in SCRIPT.read_text()}
    assert given == read


def test_findings_are_annotations_and_sarif(runner: Path) -> None:
    (runner / "work" / "Modelfile").write_text(GOOD.replace("FROM", "from"))
    ran = run(runner, "check", MF_PATHS="", MF_SARIF="true")
    assert ran.returncode == 1
    assert [line.partition(",")[0] for line in ran.stdout.splitlines()] == ["::warning file=Modelfile"] * 2
    sarif = Path(outputs(runner)["sarif"])
    assert '"ruleId": "FMT001"' in sarif.read_text(encoding="utf-8")
    assert ran.stderr == ""


def test_without_sarif_none_is_written(runner: Path) -> None:
    assert run(runner, "check", MF_PATHS="", MF_SARIF="false").returncode == 1
    assert outputs(runner) == {}


def test_paths_are_one_a_line_and_never_options_or_commands(runner: Path) -> None:
    for name in ("a b", "--fix", "$(touch gone)"):
        (runner / "work" / name).mkdir()
        (runner / "work" / name / "Modelfile").write_text(GOOD.replace("FROM", "from"))
    ran = run(runner, "check", MF_PATHS="a b\n\n--fix\n$(touch gone)\n", MF_SARIF="false")
    files = [line.partition("file=")[2].partition(",")[0] for line in ran.stdout.splitlines() if "FMT001" in line]
    assert files == ["a b/Modelfile", "--fix/Modelfile", "$(touch gone)/Modelfile"]
    assert not (runner / "work" / "gone").exists()


def test_what_cannot_be_checked_fails_with_the_code_of_mf(runner: Path) -> None:
    ran = run(runner, "check", MF_PATHS="missing", MF_SARIF="true")
    assert ran.returncode == 3
    assert "::error title=mf check::cannot read `missing`" in ran.stdout
    (runner / "work" / "Modelfile").unlink()
    ran = run(runner, "check", MF_PATHS="", MF_SARIF="true")
    assert (ran.returncode, "no Modelfile" in ran.stderr) == (3, True)


@pytest.mark.parametrize(("version", "source"), [("", str(ROOT)), ("1.2.3", "modelfile==1.2.3")])
def test_install_takes_the_version_asked_for_or_that_of_the_action(runner: Path, version: str, source: str) -> None:
    log = runner / "log"
    write_program(runner / "programs" / "python", f'echo "$@" >> {log}')
    write_program(runner / "temp/mf/bin/python", f'echo "$@" >> {log}')
    ran = run(runner, "install", MF_PYTHON=str(runner / "programs" / "python"), MF_VERSION=version)
    assert (ran.returncode, ran.stdout[:3]) == (0, "mf ")
    environment, installed = log.read_text().splitlines()
    assert environment == f"-m venv {runner / 'temp' / 'mf'}"
    assert installed == f"-m pip install --quiet --disable-pip-version-check {source}"
    assert (runner / "path").read_text() == f"{runner / 'temp' / 'mf' / 'bin'}\n"


def test_an_unknown_step_is_a_usage_error(runner: Path) -> None:
    ran = run(runner, "publish")
    assert (ran.returncode, ran.stderr) == (2, "usage: action install|check|update\n")


@pytest.fixture
def moved(runner: Path) -> Path:
    """Let `mf outdated` exit with the code in `code`, `mf update` change mf.lock, and `gh` record its arguments."""
    (runner / "owner").mkdir()
    git(runner, "init", "--quiet", "--bare", "owner/project.git")
    (runner / "work" / "mf.lock").write_text("old\n")
    git(runner / "work", "add", ".")
    git(runner / "work", "commit", "--quiet", "--message=Start")
    (runner / "code").write_text("1")
    write_program(
        runner / "temp/mf/bin/mf",
        f'if [[ $1 == outdated ]]; then exit "$(cat {runner}/code)"; fi\n'
        f"[[ $* == 'update --message' ]] || exit 70\n"
        "echo new >> mf.lock\nprintf 'Update llama3.2:3b\\n\\nIts `template` has changed; $(touch gone)\\n'",
    )
    write_program(runner / "programs" / "gh", f'printf "%s\\n" "$1 $2" "${{@:3}}" >> {runner}/gh\ncat {runner}/open')
    (runner / "open").write_text("")
    return runner


def test_a_moved_base_opens_a_pull_request(moved: Path) -> None:
    ran = run(moved, "update")
    assert (ran.returncode, ran.stderr) == (0, "")
    bare = moved / "owner" / "project.git"
    assert git(bare, "log", "--format=%an: %B", "-1", "mf/update").strip() == (
        "github-actions[bot]: Update llama3.2:3b\n\nIts `template` has changed; $(touch gone)"
    )
    assert git(bare, "diff", "--name-only", "mf/update~", "mf/update") == "mf.lock\n"
    called = (moved / "gh").read_text()
    assert "pr create\n--base\nmain\n--head\nmf/update\n--title\nUpdate llama3.2:3b\n--body\nUpdate" in called
    assert not (moved / "work" / "gone").exists()


def test_an_open_pull_request_is_brought_up_to_date(moved: Path) -> None:
    (moved / "open").write_text("7\n")
    assert run(moved, "update").returncode == 0
    git(moved / "work", "reset", "--quiet", "--hard", "HEAD~")
    assert run(moved, "update").returncode == 0
    called = (moved / "gh").read_text()
    assert (called.count("pr edit\nmf/update\n"), "pr create" in called) == (2, False)


@pytest.mark.parametrize("code", [0, 2, 3])
def test_nothing_is_proposed_unless_a_base_has_moved(moved: Path, code: int) -> None:
    (moved / "code").write_text(str(code))
    assert run(moved, "update").returncode == code
    assert not (moved / "gh").exists()
    assert git(moved / "work", "status", "--porcelain") == ""


def test_other_changes_are_not_proposed(moved: Path) -> None:
    (moved / "work" / "Modelfile").write_text("FROM x:1\n")
    (moved / "work" / "new.txt").write_text("new")
    assert run(moved, "update").returncode == 0
    assert git(moved / "owner" / "project.git", "diff", "--name-only", "mf/update~", "mf/update") == "mf.lock\n"


def test_updates_are_those_of_mf(moved: Path) -> None:
    write_program(moved / "temp/mf/bin/mf", f"exec {sys.executable} -P -c '{WITHOUT_PROGRESS}' \"$@\"")
    work = moved / "work"
    (work / "mf.lock").unlink()
    with FakeRegistry() as registry:
        base = ModelName.parse(f"{registry.host}/team/base:main")
        (work / "Modelfile").write_text(f"# Answers questions.\nFROM {base}\n")
        push(registry, base, "Be brief.")
        pinned = subprocess.run(
            [moved / "temp/mf/bin/mf", "pin"], cwd=work, capture_output=True, text=True, check=False
        )
        assert pinned.returncode == 0, pinned
        git(work, "add", ".")
        git(work, "commit", "--quiet", "--message=Pin")
        current = run(moved, "update")
        assert (current.returncode, current.stdout, current.stderr) == (0, "", "1 base is as pinned\n")
        push(registry, base, "Be quick.")
        ran = run(moved, "update")
    assert ran.returncode == 0, ran
    message = git(moved / "owner" / "project.git", "log", "--format=%B", "-1", "mf/update")
    assert message.startswith(f"Update {base} in mf.lock\n\n")
    assert f"--title\nUpdate {base} in mf.lock\n--body\n{message.strip()}" in (moved / "gh").read_text()
    assert git(moved / "owner" / "project.git", "diff", "--name-only", "mf/update~", "mf/update") == "mf.lock\n"


def push(registry: FakeRegistry, name: ModelName, system: str) -> None:
    manifest, blobs = write_model(Model(weights=(f"sha256:{'1' * 64}",), system=system))
    registry.push(f"{name.namespace}/{name.model}", name.tag, Published(manifest.text.encode(), blobs))
