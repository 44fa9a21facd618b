"""`mf ls`, `rm`, `cp --force`, `pull` and `rollback`: ages, questions, several models, JSON errors."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.contracts.backups_contract import hold
from tests.fakes.faults import ErrorLine, NoSuccess, Status
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support import cli
from tests.support.cli import StoppedClock
from tests.support.server import connect

from modelfile.names import ModelName
from modelfile.report import models
from modelfile.stores.backups import alias_of
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.staging import staging_name

V1, V2, BASE = (ModelName.parse(name) for name in ("bot:v1", "bot:v2", "team/base:v1"))


class MinuteLater(StoppedClock):
    """A minute after the fake server's first model."""

    def now(self) -> datetime:
        """Return the same time always."""
        return datetime(2026, 1, 1, 0, 1, 1, tzinfo=UTC)


mf = partial(cli.mf, clock=MinuteLater())


@pytest.fixture
def store(fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerStore]:
    """Start a server with bot:v1, which was overwritten once, and bot:v2."""
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(tmp_path)
    fake.store.clock = datetime(2026, 1, 1, tzinfo=UTC)
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF" + bytes(20))
    with connect(fake.url) as client:
        store = ServerStore(client)
        hold(store, weights, V1, "first")
        store.copy(V1, alias_of(V1, store.list()[0].digest))
        hold(store, weights, V1, "second")
        hold(store, weights, V2, "other")
        yield store


def digest_of(store: ServerStore, name: ModelName) -> str:
    return next(model.digest for model in store.list() if model.name == name)


def shown(name: str) -> dict[str, str]:
    answer: dict[str, str] = json.loads(mf("show", name, "--json").out)
    return answer


def failure(*arguments: str) -> dict[str, str]:
    """Return the error of a command that fails."""
    error: dict[str, str] = json.loads(mf(*arguments, "--json").out)["error"]
    return error


def names(store: ServerStore) -> list[str]:
    return sorted(str(model.name) for model in store.list())


def test_ls_lists_models_by_age_and_pattern(store: ServerStore) -> None:
    store.copy(V1, staging_name(V2))
    v1, v2, first = digest_of(store, V1), digest_of(store, V2), store.list()[-1]
    assert mf("ls").out == (
        "NAME    DIGEST             SIZE  MODIFIED\n"
        f"bot:v2  {v2[7:19]}  368 bytes  57 seconds ago\n"
        f"bot:v1  {v1[7:19]}  369 bytes  58 seconds ago\n"
    )
    everything = mf("ls", "-a", "BOT").out.splitlines()
    assert [line.split()[0] for line in everything] == [
        "NAME",
        str(staging_name(V2)),
        str(V2),
        str(V1),
        str(first.name),
    ]
    assert len({line.rindex("  ") for line in everything}) == 1
    assert mf("ls", "bot:*2").out.count("\n") == 2
    assert mf("ls", "bo").out == "NAME  DIGEST  SIZE  MODIFIED\n"
    assert [model["name"] for model in json.loads(mf("ls", "--json").out)] == ["bot:v2", "bot:v1"]


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(days=-1), "just now"),
        (timedelta(seconds=1), "1 second ago"),
        (timedelta(seconds=59.9), "59 seconds ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(days=13), "1 week ago"),
        (timedelta(days=59), "1 month ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_ages(ago: timedelta, text: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert models.age(now, now - ago) == text


def test_rollback_restores_and_undoes(store: ServerStore) -> None:
    first, second = store.list()[-1].digest, digest_of(store, V1)
    made = {digest: shown(str(alias_of(V1, digest)))["fingerprint"] for digest in (first,)}
    made[second] = shown("bot:v1")["fingerprint"]
    assert mf("rollback", "bot:v1", "--list").out == (
        "  DIGEST             SIZE  BACKED UP       FINGERPRINT\n"
        f"  {first[7:19]}  368 bytes  59 seconds ago  {made[first]}\n"
    )
    ran = mf("rollback", "bot:v1")
    assert (ran.code, ran.out) == (
        0,
        (
            f"bot:v1 is again {first}\n  {made[first]}, backed up 59 seconds ago\n"
            f"  it was {second}; `mf rollback bot:v1` restores that\n"
        ),
    )
    assert mf("rollback", "bot:v1", "--list").out == (
        "   DIGEST             SIZE  BACKED UP       FINGERPRINT\n"
        f"   {second[7:19]}  369 bytes  56 seconds ago  {made[second]}\n"
        f"*  {first[7:19]}  368 bytes  59 seconds ago  {made[first]}\n"
    )
    already = mf("rollback", "bot:v1", "--to", first[:20])
    assert (already.code, first in already.err) == (2, True)
    assert "`mf rollback bot:v1 --list`" in already.err
    answer = json.loads(mf("rollback", "bot:v1", "--to", second[7:15], "--json").out)
    backup = str(alias_of(V1, first))
    assert answer == {
        "name": "bot:v1",
        "digest": second,
        "fingerprint": made[second],
        "previous": first,
        "backup": backup,
    }
    listed = json.loads(mf("rollback", "bot:v1", "--list", "--json").out)
    assert [(old["name"], old["fingerprint"], old["current"]) for old in listed] == [
        (backup, made[first], False),
        (str(alias_of(V1, second)), made[second], True),
    ]


def test_rollback_accepts_digests_fingerprints_and_aliases_as_printed(store: ServerStore) -> None:
    first, second = store.list()[-1].digest, digest_of(store, V1)
    alias = str(alias_of(V1, first))
    made = shown(alias)["fingerprint"]
    spellings = (
        alias,
        alias.removeprefix("bot:"),
        models.short_name(alias),
        made,
        f"{made[:16]}…",
        made[:8].upper(),
        first,
    )
    for to in spellings:
        assert (mf("rollback", "bot:v1", "--to", to).code, digest_of(store, V1)) == (0, first)
        assert mf("rollback", "bot:v1", "--to", second).code == 0
    for none in ("mf1:0123", "sha256-0123456789ab…-v1"):
        assert mf("rollback", "bot:v1", "--to", none).code == 3
    for prefix in ("mf1:", "sha256:"):
        error = failure("rollback", "bot:v1", "--to", prefix)
        assert (error["code"], f"`{prefix}`" in error["message"]) == ("usage-error", True)
    missing = failure("rollback", "bot:v1", "--to", "mf1:0123")
    assert (missing["code"], "mf1:0123" in missing["message"]) == ("not-found", True)


def test_rollback_prints_the_age_of_the_backup(store: ServerStore, tmp_path: Path) -> None:
    hold(store, tmp_path / "weights.gguf", V1, "third")
    first = store.list()[-1].digest
    assert mf("rollback", "bot:v1").out.splitlines()[:2] == [
        f"bot:v1 is again {first}",
        f"  {shown('bot:v1')['fingerprint']}, backed up 59 seconds ago",
    ]


def test_cp_replaces_only_with_force_and_backs_up(store: ServerStore) -> None:
    before = digest_of(store, V2)
    rejected = failure("cp", "bot:v1", "bot:v2")
    assert (rejected["code"], "bot:v2" in rejected["message"]) == ("usage-error", True)
    assert "--force" in rejected["hint"]
    assert "`mf rollback bot:v2`" in rejected["hint"]
    assert digest_of(store, V2) == before
    answer = json.loads(mf("cp", "bot:v1", "BOT:V2", "--force", "--json").out)
    assert answer == {
        "source": "bot:v1",
        "destination": "bot:v2",
        "digest": digest_of(store, V1),
        "copied": True,
        "backup": str(alias_of(V2, before)),
    }
    assert json.loads(mf("rollback", "bot:v2", "--json").out)["digest"] == before


@pytest.mark.usefixtures("store")
def test_keep_0_makes_no_backups(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("keep = 0\n")
    assert "rollback" not in failure("cp", "bot:v1", "bot:v2")["hint"]
    assert json.loads(mf("cp", "bot:v1", "bot:v2", "--force", "--json").out)["backup"] is None


@pytest.mark.parametrize(
    ("answer", "removed"), [("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("n\n", False)]
)
def test_rm_asks(store: ServerStore, fake: FakeOllama, answer: str, *, removed: bool) -> None:
    before = names(store)
    ran = mf("rm", "bot:v1", "bot:v2", stdin=answer.encode(), terminal=True)
    question = f"bot:v1  369 bytes\nbot:v2  368 bytes\nremove these 2 from {fake.url}? [y/N] "
    assert ran.err == question + (
        "1 backup remains; pass --backups to remove them\n" if removed else "nothing was removed\n"
    )
    out = "removed bot:v1  369 bytes\nremoved bot:v2  368 bytes\n"
    assert (ran.code, ran.out) == ((0, out) if removed else (1, ""))
    assert names(store) == (before[:1] if removed else before)


def test_rm_backups_removes_the_backups_too(store: ServerStore, fake: FakeOllama) -> None:
    store.copy(V1, ModelName.parse("bot:prod"))
    assert mf("rm", "bot:v1", "BOT:V1", "--backups", "--yes").out.splitlines()[0] == (
        "removed bot:v1  369 bytes; its layers stay, shared with bot:prod"
    )
    assert names(store) == ["bot:prod", "bot:v2"]
    assert fake.models.keys() == {"bot:prod", "bot:v2"}


def test_rm_removes_nothing_if_one_does_not_exist(store: ServerStore) -> None:
    before = names(store)
    answer = json.loads(mf("rm", "bot:v3", "bot:v1", "k:v1", "--json").out)
    errors = [failed["error"] for failed in answer["failed"]]
    assert (answer["removed"], [failed["name"] for failed in answer["failed"]]) == ([], ["bot:v3", "k:v1"])
    assert [error["code"] for error in errors] == ["not-found", "not-found"]
    assert errors[0]["hint"] == "did you mean `bot:v2` or `bot:v1`?"
    assert "`mf ls`" in errors[1]["hint"]
    ran = mf("rm", "bot:v3", "bot:v1", "k:v1", "--yes")
    printed = "".join(f"error: {error['message']}\nhelp: {error['hint']}\n" for error in errors)
    assert (ran.code, ran.out, ran.err) == (3, "", f"{printed}nothing was removed\n")
    assert mf("rm", "bot:v1").code == 2
    assert names(store) == before


def test_rm_backups_removes_the_backups_of_a_removed_model(store: ServerStore, fake: FakeOllama) -> None:
    assert mf("rm", "bot:v1", "--yes").err == "1 backup remains; pass --backups to remove them\n"
    again = json.loads(mf("rm", "bot:v1", "--yes", "--json").out)["failed"][0]["error"]
    assert (again["code"], "--backups" in again["hint"]) == ("not-found", True)
    (alias,) = (name for name in names(store) if "sha256" in name)
    ran = mf("rm", "bot:v1", "--backups", stdin=b"y\n", terminal=True)
    assert (ran.code, ran.out) == (0, f"removed {alias}  368 bytes\n")
    assert ran.err == f"{alias}  368 bytes\nremove it from {fake.url}? [y/N] "
    assert names(store) == ["bot:v2"]
    assert mf("rm", "bot:v1", "--backups", "--yes").code == 3


@pytest.mark.parametrize("command", ["ls -a", "--help", "show none --json", "show bot:v1", "rollback bot:v1 --list"])
@pytest.mark.usefixtures("store")
def test_closed_pipe_exits_141_without_traceback(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "modelfile", *command.split()]
    ran = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ran.returncode, b"Traceback" in ran.stderr, b"Broken" in ran.stderr) == (141, False, False)


def test_only_similar_names_are_suggested(store: ServerStore) -> None:
    for alias in ("x:v1", "support-bot:v1"):
        store.copy(V1, ModelName.parse(alias))
    assert "did you mean" not in failure("show", "k:v1")["hint"]
    assert failure("show", "suport-bot:v2")["hint"] == "did you mean `support-bot:v1`?"
    assert failure("show", "x:v2")["hint"] == "did you mean `x:v1`?"


def test_invalid_configuration_suggests_isolated_only_where_it_exists(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("keep = \n")
    for words in (("build", "bot:v1"), ("cp", "a:b", "c:d")):
        ran = mf(*words, cwd=tmp_path)
        assert (ran.code, ran.err.count("\n"), "help" in ran.err) == (2, 1, False)
    for word in ("lint", "config"):
        assert mf(word, cwd=tmp_path).err.endswith("help: fix it, or pass --isolated to read no configuration\n")


def test_pull_reports_new_unchanged_and_changed(store: ServerStore, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="a")
    assert mf("pull", "team/base:v1").out.endswith("  (new)\n")
    digest = digest_of(store, ModelName.parse("team/base:v1"))
    assert mf("pull", "team/base:v1").out == f"team/base:v1  {digest}  (unchanged)\n"
    fake.registry["team/base:v1"] = published(b"GGUF", system="b")
    assert mf("pull", "team/base:v1").out.endswith("  (changed)\n")
    now = digest_of(store, ModelName.parse("team/base:v1"))
    assert json.loads(mf("pull", "team/base:v1", "--json").out) == [
        {"name": "team/base:v1", "digest": now, "previous": now}
    ]


@pytest.mark.parametrize("fault", [ErrorLine(after_lines=1, error="disk full"), NoSuccess()])
def test_failed_pull_can_be_repeated(store: ServerStore, fake: FakeOllama, fault: ErrorLine | NoSuccess) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", fault)
    ran = mf("pull", "team/base:v1", "--json")
    (answer,) = json.loads(ran.out)
    assert (ran.code, answer.keys()) == (3, {"name", "error"})
    assert ran.err == f"error: {answer['error']['message']}\nhelp: {answer['error']['hint']}\n"
    assert mf("pull", "team/base:v1").code == 0
    assert store.find(ModelName.parse("team/base:v1"))


def test_failed_pull_does_not_stop_the_others(store: ServerStore, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    ran = mf("pull", "team/none:v1", "team/base:v1", "--json")
    failed, pulled = json.loads(ran.out)
    error = failed["error"]
    assert (ran.code, failed["name"], error["code"]) == (3, "team/none:v1", "server-error")
    assert "pull model manifest: file does not exist" in error["message"]
    assert pulled == {"name": "team/base:v1", "digest": digest_of(store, BASE), "previous": None}
    again = mf("pull", "team/none:v1", "team/base:v1")
    assert (again.code, again.out) == (3, f"team/base:v1  {pulled['digest']}  (unchanged)\n")
    assert again.err == f"error: {error['message']}\nhelp: {error['hint']}\n"


def test_failed_rm_reports_what_was_removed(store: ServerStore, fake: FakeOllama) -> None:
    fake.fault("/api/delete", Status(500, '{"error": "boom"}'))
    ran = mf("rm", "bot:v1", "bot:v2", "--yes", "--json")
    answer = json.loads(ran.out)
    assert ran.code == 3
    assert [model["name"] for model in answer["removed"]] == ["bot:v2"]
    (failed,) = answer["failed"]
    error = failed["error"]
    assert (failed["name"], error["code"]) == ("bot:v1", "server-error")
    assert error["message"].endswith("boom")
    assert ran.err == f"error: cannot remove bot:v1: {error['message']}\nhelp: {error['hint']}\n"
    assert "bot:v1" in names(store)
    declined = mf("rm", "bot:v1", "--json", stdin=b"n\n", terminal=True)
    assert (declined.code, json.loads(declined.out)) == (1, {"removed": [], "failed": []})


HOST_9 = ("--host", "127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "exit_code", "code", "message", "hint"),
    [
        (("show", "bot:v3"), 3, "not-found", "bot:v3", "did you mean `bot:v2` or `bot:v1`?"),
        (("show", "bot:v1", *HOST_9), 3, "server-unreachable", "http://127.0.0.1:9", "`ollama serve`"),
        (("pull", "bot:v1", "bot:v2", *HOST_9), 3, "server-unreachable", "http://127.0.0.1:9", "`ollama serve`"),
        (("cp", "bot:v1", "bot:v2"), 2, "usage-error", "bot:v2", "--force"),
        (("cp", "bot:v1", "c"), 2, "usage-error", "`c` has no tag", "c:v1"),
        (("show", "bot:v1", "--host", "a", "--host", "b"), 2, "usage-error", "--host", "`mf build`"),
        (("rm", "bot:v1", "-y", "--host", "a", "--host", "a"), 2, "usage-error", "--host", "`mf build`"),
        (("rollback", "bot:v1", "--to", ""), 2, "usage-error", "--to ``", "`mf rollback bot:v1 --list`"),
        (("rollback", "bot:v2"), 3, "not-found", "bot:v2", "bot:v1"),
        (
            ("build", "bot:v1", "--plan-out", "-"),
            2,
            "usage-error",
            "--plan-out cannot write to standard output",
            "pass a file",
        ),
        (("rm", "bot:v1"), 2, "usage-error", "standard input is not a terminal", "--yes"),
        (("pull", "a b"), 2, "usage-error", "invalid model name `a b`", "invalid model `a b`"),
        (("ls", "--host", "ftp://x"), 2, "usage-error", "`ftp://x`", "write "),
        (("build", "bot:v1"), 3, "input-error", "cannot read `Modelfile`: ", "`--file bot/Modelfile`"),
        (
            ("build", "bot:v1", "-f", "bad.Modelfile"),
            1,
            "modelfile-has-errors",
            "`bad.Modelfile` has errors",
            "`mf lint bad.Modelfile`",
        ),
        (("diff", "./none", "bot:v1"), 3, "input-error", "`./none`", None),
        (("explain", "temprature"), 2, "usage-error", "`temprature`", "did you mean `temperature`?"),
        (("config", "--config", "none.toml"), 2, "usage-error", "file not found: `none.toml`", None),
        (("show",), 2, "usage-error", "Missing argument 'NAME'.", None),
        (("shwo",), 2, "usage-error", "`shwo`", "did you mean `mf show`?"),
    ],
)
@pytest.mark.usefixtures("store")
def test_errors_are_json_with_json(
    tmp_path: Path, arguments: tuple[str, ...], exit_code: int, code: str, message: str, hint: str | None
) -> None:
    (tmp_path / "bad.Modelfile").write_text("FROM bot:v1\nPARAMETER num_ctx many\n")
    plain, ran = mf(*arguments), mf(*arguments, "--json")
    assert (ran.code, ran.err, plain.out) == (exit_code, plain.err, "")
    answer = json.loads(ran.out)
    assert answer.keys() == {"error"}
    error = answer["error"]
    assert list(error) == ["message", "hint", "code"]
    assert (error["code"], message in error["message"]) == (code, True), error
    assert error["hint"] is None if hint is None else hint in error["hint"], error


@pytest.mark.parametrize("output_format", [("--format", "json"), ("--format=json",)])
def test_lint_that_finds_no_modelfile_fails_in_json(tmp_path: Path, output_format: tuple[str, ...]) -> None:
    ran = mf("lint", *output_format, cwd=tmp_path)
    error = json.loads(ran.out)["error"]
    assert (ran.code, error["message"], error["code"]) == (3, "no Modelfile in `.`", "input-error")
    assert mf("lint", "--format", "concise", cwd=tmp_path).out == ""


@pytest.mark.live
def test_verbs_on_a_real_server(real: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", real)
    with connect(real) as client:
        hold(ServerStore(client), tiny, ModelName.parse("verbs:v1"), 'Say "hi"\nand no more.')
    assert mf("cp", "verbs:v1", "verbs:prod").code == 0
    (prod, v1) = json.loads(mf("ls", "verbs", "--json").out)
    assert (prod["name"], v1["name"]) == ("verbs:prod", "verbs:v1")
    assert prod["digest"] == v1["digest"]
    assert "verbs:v1  " in mf("ls").out
    shown = json.loads(mf("show", "verbs:prod", "--json").out)
    assert (shown["digest"], shown["system"]) == (v1["digest"], 'Say "hi"\nand no more.')
    assert 'SYSTEM """Say "hi"\nand no more."""' in mf("show", "verbs:v1", "--modelfile").out
    pulled = mf("pull", "127.0.0.1:9/nobody/nothing:v1")
    assert pulled.code == 3
    assert "127.0.0.1:9/nobody/nothing:v1" in pulled.err
    assert mf("rm", "verbs:v1", "verbs:prod", "--yes").code == 0
    assert mf("show", "verbs:v1").code == 3
