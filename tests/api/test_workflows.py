"""The workflows run only code that is pinned or verified, with the least permissions."""

import re

import pytest
from tests.support.paths import ROOT

WORKFLOWS = sorted(path for folder in ("", "examples/*/") for path in ROOT.glob(f"{folder}.github/workflows/*.y*ml"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/**/*.md"))]
TEXTS = {
    **{str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in WORKFLOWS},
    **{
        f"{path.relative_to(ROOT)} {number}": f"\n{block}"
        for path in PAGES
        for number, block in enumerate(re.findall(r"```ya?ml\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL))
    },
}
"""Workflows, and those that pages show, by their path."""

USES = re.compile(r"^\s*(?:-\s+)?uses:\s*(?P<action>.*)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
DOWNLOAD = r"\b(?:curl|wget)\b"
SHELL = r"(?:\S*/)?(?:ba|da|k|z)?sh\b"
PREFIX = r"(?:sudo\s+|env\s+|\w+=\S*\s+|-\S+\s+)*"
PIPED = re.compile(
    rf"{DOWNLOAD}[^\n]*\|\s*{PREFIX}{SHELL}"  # curl … | sudo sh
    rf"|\b{SHELL}[^\n]*[<$]\([^)\n]*{DOWNLOAD}"  # sh -c "$(curl …)", bash <(curl …)
    rf"|(?:\beval\b|\bsource\b)[^\n]*{DOWNLOAD}"
)


RUN = re.compile(
    r"^(?P<indent> *)(?P<dash>- )?run:(?P<first>.*(?:\n(?P=indent)(?(dash)   | ) *\S.*|\n *$)*)", re.MULTILINE
)
TRIGGERS = re.compile(r"^ *(?:on:.*\b)?(?:pull_request_target|workflow_run|issue_comment)\b", re.MULTILINE)
"""Triggers that give a workflow secrets or rights while others choose its input."""
WRITES = re.compile(r"^ *(?P<permission>[\w-]+: *write|write-all)\b", re.MULTILINE)


def expanded(workflow: str) -> list[str]:
    """Return the commands into which an expression is expanded: others may choose its value, and so the command."""
    return [match["first"] for match in RUN.finditer(workflow) if "${{" in match["first"]]


def unpinned(workflow: str) -> list[str]:
    """Return the actions of a workflow that are not pinned by a commit with its version beside it."""
    actions = (match["action"].strip() for match in USES.finditer(workflow))
    return [action for action in actions if not action.startswith("./") and not PINNED.fullmatch(action)]


def piped(workflow: str) -> str | None:
    """Return the first command that gives a download to a shell."""
    commands = re.sub(r"\\\n\s*|(?<=\|)\s*\n\s*|\n\s*(?=\|)", " ", workflow)  # continued lines
    found = PIPED.search(commands)
    return found[0] if found else None


@pytest.mark.parametrize("name", TEXTS)
def test_workflow_runs_only_pinned_actions(name: str) -> None:
    assert USES.search(TEXTS[name])
    assert unpinned(TEXTS[name]) == []


@pytest.mark.parametrize("name", TEXTS)
def test_workflow_pipes_no_download_to_a_shell(name: str) -> None:
    assert piped(TEXTS[name]) is None


@pytest.mark.parametrize("name", TEXTS)
def test_workflow_has_the_least_permissions(name: str) -> None:
    text = TEXTS[name]
    assert "\npermissions:\n  contents: read\n" in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")
    writes = [match["permission"] for match in WRITES.finditer(text)]
    assert writes == (["id-token: write"] if name == ".github/workflows/release.yml" else [])


@pytest.mark.parametrize("name", TEXTS)
def test_nobody_else_chooses_what_a_workflow_runs(name: str) -> None:
    assert TRIGGERS.search(TEXTS[name]) is None
    assert expanded(TEXTS[name]) == []
    assert "secrets." not in TEXTS[name]
    assert "secrets: inherit" not in TEXTS[name]


def test_only_the_job_that_publishes_may_and_it_runs_no_code() -> None:
    build, _, publish = TEXTS[".github/workflows/release.yml"].partition("\n  publish:\n")
    assert "id-token" not in build
    assert "environment:\n      name: pypi\n" in publish
    assert "attestations: true" in publish
    assert RUN.search(publish) is None
    assert "actions/checkout@" not in publish
    assert "cache" not in build + publish


def test_programs_from_the_package_index_are_pinned_by_checksum() -> None:
    for name in ("real_ollama.txt", "gemma.txt"):
        for line in (ROOT / "tests" / "support" / name).read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[\w-]+==[\w.]+ --hash=sha256:[0-9a-f]{64}", line)


def test_all_workflows_are_found() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "models.yml", "audit.yml", "release.yml"}
    assert "README.md 0" in TEXTS


@pytest.mark.parametrize(
    "action",
    [
        "actions/checkout@v5",
        "actions/checkout@main # v5.0.0",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1",
        "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # newest",
        "actions/checkout@3d3c42e # v7.0.1",
        "docker://alpine:3",
    ],
)
def test_unpinned_action_is_found(action: str) -> None:
    assert unpinned(f"steps:\n  - uses: {action}\n  - name: x\n    uses: {action}\n") == [action, action]


def test_pinned_and_local_actions_are_allowed() -> None:
    pinned = "actions/cache/save@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
    assert unpinned(f"steps:\n  - uses: {pinned}\n  - uses: ./.github/actions/x\n") == []


@pytest.mark.parametrize(
    "command",
    [
        "curl --fail https://example.com/install.sh | sh",
        "curl https://example.com/x | sudo bash -s -- --yes",
        "wget -qO- https://example.com/x | MODE=ci /bin/sh",
        "curl https://example.com/x \\\n  | sh",
        "curl https://example.com/x |\n  sh",
        "curl https://example.com/x\n  | sh",
        "curl 'https://example.com/?a=1&b=2' | sh",
        'sh -c "$(curl https://example.com/x)"',
        "bash <(curl https://example.com/x)",
        'eval "$(wget -qO- https://example.com/x)"',
    ],
)
def test_download_piped_to_a_shell_is_found(command: str) -> None:
    block = "\n".join(f"          {line}" for line in command.splitlines())
    assert piped(f"      - run: |\n{block}\n") is not None


@pytest.mark.parametrize(
    "command",
    [
        "curl --remote-name https://example.com/install.sh",
        "curl https://example.com/x | sha256sum --check",
        "curl --remote-name https://example.com/x\nsh ./build.sh | tee log",
    ],
)
def test_other_downloads_are_allowed(command: str) -> None:
    block = "\n".join(f"          {line}" for line in command.splitlines())
    assert piped(f"      - run: |\n{block}\n") is None


@pytest.mark.parametrize(
    "step",
    [
        "- run: echo ${{ github.event.issue.title }}",
        "- name: x\n  run: |\n    make\n\n    echo '${{ github.head_ref }}'",
        "- run: >-\n    git log\n    ${{inputs.x}}",
    ],
)
def test_expression_in_a_command_is_found(step: str) -> None:
    block = "\n".join(f"      {line}" for line in step.splitlines())
    assert len(expanded(f"    steps:\n{block}\n      - uses: a/b@c\n")) == 1


def test_expression_outside_of_a_command_is_allowed() -> None:
    assert expanded("      - run: make\n        env:\n          X: ${{ runner.temp }}\n") == []
    assert expanded("      - name: x\n        run: |\n          make\n      - with:\n          x: ${{ y }}\n") == []


@pytest.mark.parametrize(
    "text", ["on: pull_request_target", "on: [push, workflow_run]", "on:\n  push:\n  issue_comment:\n    types: [a]"]
)
def test_dangerous_trigger_is_found(text: str) -> None:
    assert TRIGGERS.search(text)
