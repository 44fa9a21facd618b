"""The workflows run only code that is pinned or verified, with the least permissions."""

import re
from pathlib import Path

import pytest
from tests.support.paths import ROOT

WORKFLOWS = sorted(path for folder in ("", "examples/*/") for path in ROOT.glob(f"{folder}.github/workflows/*.y*ml"))

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


def unpinned(workflow: str) -> list[str]:
    """Return the actions of a workflow that are not pinned by a commit with its version beside it."""
    actions = (match["action"].strip() for match in USES.finditer(workflow))
    return [action for action in actions if not action.startswith("./") and not PINNED.fullmatch(action)]


def piped(workflow: str) -> str | None:
    """Return the first command that gives a download to a shell."""
    commands = re.sub(r"\\\n\s*|(?<=\|)\s*\n\s*|\n\s*(?=\|)", " ", workflow)  # continued lines
    found = PIPED.search(commands)
    return found[0] if found else None


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflow_runs_only_pinned_actions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert USES.search(text)
    assert unpinned(text) == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflow_pipes_no_download_to_a_shell(path: Path) -> None:
    assert piped(path.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: str(path.relative_to(ROOT)))
def test_workflow_has_the_least_permissions(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "\npermissions:\n  contents: read\n" in text
    assert text.count("persist-credentials: false") == text.count("actions/checkout@")


def test_both_workflows_are_found() -> None:
    assert {path.name for path in WORKFLOWS} >= {"ci.yml", "models.yml"}


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
