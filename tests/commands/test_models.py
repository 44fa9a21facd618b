"""`mf ls`, `rm`, `cp --replace`, `pull` and `rollback`: ages, questions, several models, JSON errors."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from tests.contracts.backups_contract import hold
from tests.fakes.faults import ErrorLine, Garbage, NoSuccess, Status
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
BACKUP_HINT = "it has 1 backup: restore one with `mf rollback bot:v1`, or pass --backups to remove them"


class MinuteLater(StoppedClock):
    """A minute after the fake server's first model."""

    def now(self) -> datetime:
        """Return the same time always."""
        return datetime(2026, 1, 1, 0, 1, 1, tzinfo=UTC)


mf = partial(cli.mf, clock=MinuteLater())


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
    none = mf("ls", "bo")
    assert (none.code, none.out, none.err) == (0, "", f"no model on {store.location} matches `bo`\n")
    assert mf("ls", "bo", "--json").out == "[]\n"
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


@pytest.mark.usefixtures("store")
def test_ls_ignores_invalid_names(fake: FakeOllama) -> None:
    names = ("a b:v1", "\x1b[2J", "x" * 90 + ":v1", "", "bot:v1")
    rest = {"digest": "0" * 64, "size": 1, "modified_at": "2026-01-01T00:00:00Z"}
    tags = [{"name": name, **rest} for name in names]
    fake.fault("/api/tags", Garbage(json.dumps({"models": tags}).encode()), times=2)
    shown = f"`a b:v1`, `<U+001B>[2J`, `{'x' * 80}` and 1 more"
    warning = f"warning: {fake.url} lists invalid model names, which are ignored: {shown}\n"
    listed = mf("ls")
    assert (listed.code, listed.err) == (0, warning)
    assert listed.out.startswith("NAME    ")
    assert [model["name"] for model in json.loads(mf("ls", "--json").out)] == ["bot:v1"]


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
    assert (already.code, already.out, already.err) == (0, f"bot:v1 is already {first}\n", "")
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
        assert error == {
            "message": f"--to `{prefix}` matches every backup",
            "hint": "run `mf rollback bot:v1 --list` to list them",
            "code": "usage-error",
        }
    assert failure("rollback", "bot:v1", "--to", "mf1:0123") == {
        "message": f"no backup of bot:v1 on {store.location} has a fingerprint starting with mf1:0123",
        "hint": "run `mf rollback bot:v1 --list` to list them",
        "code": "not-found",
    }


def test_rollback_prints_the_age_of_the_backup(store: ServerStore, tmp_path: Path) -> None:
    hold(store, tmp_path / "weights.gguf", V1, "third")
    first = store.list()[-1].digest
    assert mf("rollback", "bot:v1").out.splitlines()[:2] == [
        f"bot:v1 is again {first}",
        f"  {shown('bot:v1')['fingerprint']}, backed up 59 seconds ago",
    ]


def test_cp_replaces_only_if_asked_to_and_backs_up(store: ServerStore) -> None:
    before = digest_of(store, V2)
    old, new = (shown(name)["fingerprint"][:16] for name in ("bot:v2", "bot:v1"))
    assert failure("cp", "bot:v1", "bot:v2") == {
        "message": f"bot:v2 on {store.location} already has another model: {old}…, not {new}…\n"
        "  changes: system (may change answers)",
        "hint": "use a new tag, or pass --replace to replace the model",
        "code": "would-replace",
    }
    assert mf("cp", "bot:v1", "bot:v2").code == 3
    assert digest_of(store, V2) == before
    answer = json.loads(mf("cp", "bot:v1", "BOT:V2", "--replace", "--json").out)
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
    assert failure("cp", "bot:v1", "bot:v2")["code"] == "would-replace"
    assert json.loads(mf("cp", "bot:v1", "bot:v2", "--replace", "--json").out)["backup"] is None


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
    assert errors[1]["hint"] == "run `mf ls` to list its models"
    ran = mf("rm", "bot:v3", "bot:v1", "k:v1", "--yes")
    printed = "".join(f"error: {error['message']}\nhelp: {error['hint']}\n" for error in errors)
    assert (ran.code, ran.out, ran.err) == (3, "", f"{printed}nothing was removed\n")
    assert mf("rm", "bot:v1").code == 2
    assert names(store) == before


def test_rm_backups_removes_the_backups_of_a_removed_model(store: ServerStore, fake: FakeOllama) -> None:
    assert mf("rm", "bot:v1", "--yes").err == "1 backup remains; pass --backups to remove them\n"
    again = json.loads(mf("rm", "bot:v1", "--yes", "--json").out)["failed"][0]["error"]
    assert (again["code"], again["hint"]) == ("not-found", BACKUP_HINT)
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
    assert failure("show", "k:v1")["hint"] == "run `mf ls` to list its models"
    assert failure("show", "suport-bot:v2")["hint"] == "did you mean `support-bot:v1`?"
    assert failure("show", "x:v2")["hint"] == "did you mean `x:v1`?"


def test_show_takes_a_tag_of_the_model_here_as_diff_does(tmp_path: Path, store: ServerStore) -> None:
    only = mf("show", "v2", cwd=tmp_path)
    assert (only.code, only.out.splitlines()[0], only.err) == (0, "bot:v2", "`v2` is a tag of bot\n")
    for tag in (V1, V2):  # neither tag belongs to a single model then
        store.copy(tag, ModelName.parse(f"other:{tag.tag}"))
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot" / "Modelfile").write_text("FROM bot:v1\n")
    shown = mf("show", "v2", cwd=tmp_path / "bot")
    assert (shown.code, shown.out.splitlines()[0]) == (0, "bot:v2")
    assert mf("diff", "v1", "v2", cwd=tmp_path / "bot").code == 1
    missing = mf("show", "v3", cwd=tmp_path / "bot")
    assert (missing.code, missing.err.splitlines()[0].partition(" on ")[0]) == (3, "error: v3:latest not found")
    assert mf("show", "v2", cwd=tmp_path).code == 3
    (tmp_path / "no name").mkdir()
    (tmp_path / "no name" / "Modelfile").write_text("FROM bot:v1\n")
    assert mf("show", "v2", cwd=tmp_path / "no name").code == 3
    assert mf("diff", "v1", "bot:v2", cwd=tmp_path / "no name").code == 3


def test_invalid_configuration_has_the_same_help_everywhere(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("keep = \n")
    (tmp_path / "Modelfile").touch()
    for words in (("build", "bot:v1"), ("cp", "a:b", "c:d"), ("fmt", "."), ("lint",), ("config",)):
        ran = mf(*words, cwd=tmp_path)
        assert (ran.code, ran.err.count("\n")) == (2, 2)
        assert ran.err.endswith("help: fix the file; `mf lint --isolated` reads no configuration\n")


def test_pull_reports_new_unchanged_and_changed(store: ServerStore, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="a")
    assert mf("pull", "team/base:v1").out.endswith("  (new)\n")
    digest = digest_of(store, ModelName.parse("team/base:v1"))
    assert mf("pull", "team/base:v1").out == f"team/base:v1  {digest}  (unchanged)\n"
    fake.registry["team/base:v1"] = published(b"GGUF", system="b")
    assert mf("pull", "team/base:v1").out.endswith("  (changed)\n")
    now = digest_of(store, ModelName.parse("team/base:v1"))
    assert json.loads(mf("pull", "team/base:v1", "--json").out) == [
        {"name": "team/base:v1", "digest": now, "previous": now, "backup": None}
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
    assert error["message"] == f"cannot pull team/none:v1: {fake.url} refused: pull model manifest: file does not exist"
    assert pulled == {"name": "team/base:v1", "digest": digest_of(store, BASE), "previous": None, "backup": None}
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
    assert error["message"] == f"{fake.url} refused: boom"
    assert ran.err == f"error: cannot remove bot:v1: {error['message']}\nhelp: {error['hint']}\n"
    assert "bot:v1" in names(store)
    declined = mf("rm", "bot:v1", "--json", stdin=b"n\n", terminal=True)
    assert (declined.code, json.loads(declined.out)) == (1, {"removed": [], "failed": []})


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
