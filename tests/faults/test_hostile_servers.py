"""Hostile servers against every command that talks to one: nothing hangs, nothing crashes, no key is printed."""

import random
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
from tests.contracts.backups_contract import hold
from tests.fakes.hostile import BEHAVIORS, KEY, SIGNED
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import Ran, mf
from tests.support.server import connect

from modelfile.cli.app import COMMANDS
from modelfile.cli.commands import app
from modelfile.errors import ExitCode
from modelfile.names import ModelName
from modelfile.stores.backups import back_up
from modelfile.stores.ollama.store import ServerStore

LIMITS = ("--timeout", "0.3", "--idle-timeout", "0.3")
MOST_REQUESTS = 30
"""Requests that a command may make; each ends by a limit."""
EVERYWHERE = ""
CREATES = ("/api/tags", "/api/version", "HEAD /api/blobs", "POST /api/blobs", "/api/create", "/api/show", "/api/delete")
RUNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "build": (("build", "new:v1", "-f", "Modelfile"), (*CREATES, "/api/copy")),
    "pin": (("pin", "Modelfile"), CREATES),
    "update": (("update",), CREATES),
    "outdated": (("outdated",), ()),
    "diff": (("diff", "bot:v1", "bot:v2"), ("/api/tags", "/api/show")),
    "show": (("show", "bot:v1"), ("/api/tags", "/api/show")),
    "ls": (("ls",), ()),
    "tree": (("tree",), ("/api/tags", "/api/show")),
    "init": (("init", "bot:v1", "-o", "new.Modelfile"), ("/api/tags", "/api/show")),
    "cp": (("cp", "bot:v1", "copy:v1"), ("/api/copy",)),
    "rm": (("rm", "bot:v1", "--yes"), ("/api/delete",)),
    "pull": (("pull", "team/base:v1"), ("/api/pull",)),
    "push": (("push", "bot:v1"), ("/api/tags", "/api/show", "/api/push")),
    "rollback": (("rollback", "bot:v1", "--replace"), ("/api/copy", "/api/show")),
    "find": (("find", "0123456789ab"), ("/api/tags",)),
    "verify": (("verify",), ("/api/tags", "/api/show")),
    "doctor": (("doctor", "--offline"), ("/api/version", "/api/tags")),
}
"""The arguments of each command that talks to a server, and the requests that it makes of one that works."""
DOCUMENTED = {ExitCode.CLEAN, ExitCode.FINDINGS, ExitCode.FAILED}
SAMPLE = 6
"""Runs of each command in a plain run of the tests."""


def talkers() -> Iterator[str]:
    """Yield the commands that talk to a server."""
    group = typer.main.get_command(app)
    for name in COMMANDS:
        command = group.get_command(None, name)  # type: ignore[attr-defined]  # a group
        if any(option.name == "host" for option in command.params):
            yield name


def test_every_command_that_talks_to_a_server_is_attacked() -> None:
    assert {*talkers()} == RUNS.keys()
    assert len(BEHAVIORS) >= 84


@dataclass(frozen=True, slots=True)
class Attack:
    """One run of a command."""

    command: str
    where: str
    behavior: str
    key: bool
    as_json: bool


def attacks(command: str) -> Iterator[Attack]:
    for where in (EVERYWHERE, *RUNS[command][1]):
        for number, behavior in enumerate(BEHAVIORS):
            for key in (True, False):
                yield Attack(command, where, behavior, key, as_json=bool(number % 2) == key)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(100_000))
    (tmp_path / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\nSYSTEM hi\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(attack: Attack, folder: Path) -> tuple[Ran, int]:
    (folder / "mf.lock").unlink(missing_ok=True)
    with FakeOllama() as fake:
        fake.registry["team/base:v1"] = published(b"GGUF base")
        with connect(fake.url) as client:
            store = ServerStore(client)
            name, weights = ModelName.parse("bot:v1"), folder / "weights.gguf"
            hold(store, weights, name, "one")
            back_up(name, store, 3)
            hold(store, weights, name, "two")
            client.copy("bot:v1", "bot:v2")
        fake.fault(attack.where, BEHAVIORS[attack.behavior], times=999, required=False)
        arguments = [*RUNS[attack.command][0], *LIMITS, *(("--json",) if attack.as_json else ())]
        environ = {"OLLAMA_HOST": fake.url} | ({"OLLAMA_API_KEY": KEY} if attack.key else {})
        before = len(fake.requests)
        ran = mf(*arguments, environ=environ)
        requests = len(fake.requests) - before
        fake.violations.clear()  # the client may hang up at any time
    return ran, requests


def wrong(attack: Attack, ran: Ran, requests: int) -> Iterator[str]:
    """Yield what must not be."""
    text = ran.out + ran.err
    if requests > MOST_REQUESTS:
        yield f"{requests} requests"
    if ran.code not in DOCUMENTED:
        yield f"exit code {ran.code}"
    if "Traceback" in text or "internal error" in text:
        yield "an internal error"
    if attack.key and any(part in text for part in (KEY, KEY[3:-3], KEY.replace("/", "%2F"))):
        yield "the key"
    if attack.behavior == "a signed URL" and any(part in text for part in (SIGNED, "user:pw", "0123456789abcdef")):
        yield "a signed URL"
    if controls := {char for char in text if unicodedata.category(char) == "Cc" and char != "\n"}:
        yield f"control characters {controls}"
    if (
        ran.code == ExitCode.FAILED
        and attack.command != "doctor"
        and "error: " not in ran.err
        and '"error"' not in ran.out
    ):
        yield "no error message"


@pytest.mark.parametrize("command", RUNS)
def test_no_server_harms_a_command(command: str, folder: Path, rounds: int) -> None:
    tried = [*attacks(command)]
    if rounds == 1:
        chance = random.Random(command)  # noqa: S311  # not for secrets
        tried = chance.sample(tried, SAMPLE)
    failed: list[str] = []
    most = 0
    for attack in tried:
        ran, requests = run(attack, folder)
        most = max(most, requests)
        failed += [f"{attack}: {what}\n{ran.out[:500]}{ran.err[:1500]}" for what in wrong(attack, ran, requests)]
    print(f"{len(tried)} runs of {command}, at most {most} requests, {len(failed)} failed")  # noqa: T201  # seen in long runs
    assert not failed, "\n\n".join(failed[:20])
