"""`mf ls`, `rm`, `cp --force`, `pull` and `rollback`: what depends on the time, on a terminal, or on several models."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.contracts.backups_contract import hold
from tests.fakes.faults import ErrorLine, NoSuccess, Status
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import mf

from modelfile.names import ModelName
from modelfile.report import models
from modelfile.stores.backups import alias_of
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.staging import staging_name

V1, V2, BASE = (ModelName.parse(name) for name in ("bot:v1", "bot:v2", "team/base:v1"))


class Now(datetime):
    """A minute after the fake server's first model."""

    @classmethod
    def now(cls, tz: object = None) -> "Now":  # noqa: ARG003  # the signature is datetime's
        """Return always the same."""
        return cls(2026, 1, 1, 0, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(fake: FakeOllama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerStore]:
    """A server with bot:v1, that was overwritten once, and bot:v2."""
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "datetime", Now)
    fake.store.clock = datetime(2026, 1, 1, tzinfo=UTC)
    weights = tmp_path / "weights.gguf"
    weights.write_bytes(b"GGUF" + bytes(20))
    with Client(fake.url) as client:
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


def names(store: ServerStore) -> list[str]:
    return sorted(str(model.name) for model in store.list())


def test_ls(store: ServerStore) -> None:
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
    ("ago", "told"),
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
def test_ages(ago: timedelta, told: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert models.age(now, now - ago) == told


def test_rollback(store: ServerStore, fake: FakeOllama) -> None:
    first, second = store.list()[-1].digest, digest_of(store, V1)
    made = {digest: shown(str(alias_of(V1, digest)))["fingerprint"] for digest in (first,)}
    made[second] = shown("bot:v1")["fingerprint"]
    assert mf("rollback", "bot:v1", "--list").out == (
        "  DIGEST             SIZE  KEPT            FINGERPRINT\n"
        f"  {first[7:19]}  368 bytes  59 seconds ago  {made[first]}\n"
    )
    ran = mf("rollback", "bot:v1")
    assert (ran.code, ran.out) == (
        0,
        (
            f"bot:v1 is {first} again\n  {made[first]}, kept 59 seconds ago\n"
            f"  it was {second}, which is kept: `mf rollback bot:v1` brings it back\n"
        ),
    )
    assert mf("rollback", "bot:v1", "--list").out == (
        "   DIGEST             SIZE  KEPT            FINGERPRINT\n"
        f"   {second[7:19]}  369 bytes  56 seconds ago  {made[second]}\n"
        f"*  {first[7:19]}  368 bytes  59 seconds ago  {made[first]}\n"
    )
    already = mf("rollback", "bot:v1", "--to", first[:20])
    assert (already.code, already.err) == (
        2,
        f"error: bot:v1 holds {first} already\nhelp: see `mf rollback bot:v1 --list`\n",
    )
    other = mf("rollback", "bot:v2")
    assert (other.code, other.err) == (
        3,
        f"error: nothing is kept of bot:v2 on {fake.url}\nhelp: there is some of bot:v1\n",
    )
    answer = json.loads(mf("rollback", "bot:v1", "--to", second[7:15], "--json").out)
    kept = str(alias_of(V1, first))
    assert answer == {
        "name": "bot:v1",
        "digest": second,
        "fingerprint": made[second],
        "before": first,
        "kept": kept,
    }
    listed = json.loads(mf("rollback", "bot:v1", "--list", "--json").out)
    assert [(old["name"], old["fingerprint"], old["current"]) for old in listed] == [
        (kept, made[first], False),
        (str(alias_of(V1, second)), made[second], True),
    ]


def test_rollback_to_what_was_printed(store: ServerStore, fake: FakeOllama) -> None:
    first, second = store.list()[-1].digest, digest_of(store, V1)
    alias = str(alias_of(V1, first))
    made = shown(alias)["fingerprint"]
    ways = (alias, alias.removeprefix("bot:"), models.short_name(alias), made, f"{made[:16]}…", made[:8].upper(), first)
    for to in ways:
        assert (mf("rollback", "bot:v1", "--to", to).code, digest_of(store, V1)) == (0, first)
        assert mf("rollback", "bot:v1", "--to", second).code == 0
    for none in ("mf1:0123", "sha256-0123456789ab…-v1"):
        assert mf("rollback", "bot:v1", "--to", none).code == 3
    for several in ("mf1:", "sha256:"):
        told = f"error: --to `{several}` says nothing of which is meant\nhelp: see `mf rollback bot:v1 --list`\n"
        assert mf("rollback", "bot:v1", "--to", several).err == told
    missing = mf("rollback", "bot:v1", "--to", "mf1:0123")
    assert missing.err.startswith(f"error: no model of fingerprint mf1:0123 is kept of bot:v1 on {fake.url}\n")


def test_a_rollback_tells_what_it_passes_over_what_was_not_kept(store: ServerStore, tmp_path: Path) -> None:
    hold(store, tmp_path / "weights.gguf", V1, "third")
    first = store.list()[-1].digest
    assert mf("rollback", "bot:v1").out.splitlines()[:2] == [
        f"bot:v1 is {first} again",
        f"  {shown('bot:v1')['fingerprint']}, kept 59 seconds ago",
    ]


def test_cp_overwrites_only_by_force_and_keeps(store: ServerStore, fake: FakeOllama) -> None:
    before = digest_of(store, V2)
    refused = mf("cp", "bot:v1", "bot:v2")
    error = f"error: bot:v2 is there on {fake.url}, and holds another model\n"
    hint = "help: to overwrite it, say --force; `mf rollback bot:v2` undoes that\n"
    assert (refused.code, refused.err) == (2, error + hint)
    assert digest_of(store, V2) == before
    answer = json.loads(mf("cp", "bot:v1", "BOT:V2", "--force", "--json").out)
    assert answer == {
        "source": "bot:v1",
        "destination": "bot:v2",
        "digest": digest_of(store, V1),
        "copied": True,
        "kept": str(alias_of(V2, before)),
    }
    assert json.loads(mf("rollback", "bot:v2", "--json").out)["digest"] == before


@pytest.mark.usefixtures("store")
def test_what_is_kept_is_configured(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("keep = 0\n")
    assert mf("cp", "bot:v1", "bot:v2").err.endswith("say --force\n")
    assert json.loads(mf("cp", "bot:v1", "bot:v2", "--force", "--json").out)["kept"] is None


@pytest.mark.parametrize(("said", "gone"), [("y\n", True), ("YES\n", True), ("\n", False), ("", False), ("n\n", False)])
def test_rm_asks(store: ServerStore, fake: FakeOllama, said: str, gone: bool) -> None:  # noqa: FBT001  # a parameter
    before = names(store)
    ran = mf("rm", "bot:v1", "bot:v2", stdin=said.encode(), terminal=True)
    asked = f"bot:v1  369 bytes\nbot:v2  368 bytes\ntake these 2 away from {fake.url}? [y/N] "
    assert ran.err == asked + (
        "1 kept for `mf rollback` stays; --kept takes them too\n" if gone else "nothing was taken away\n"
    )
    assert (ran.code, ran.out) == ((0, "bot:v1: gone (369 bytes)\nbot:v2: gone (368 bytes)\n") if gone else (1, ""))
    assert names(store) == (before[:1] if gone else before)


def test_rm_takes_what_is_kept_too(store: ServerStore, fake: FakeOllama) -> None:
    store.copy(V1, ModelName.parse("bot:prod"))
    assert mf("rm", "bot:v1", "BOT:V1", "--kept", "--yes").out.splitlines()[0] == (
        "bot:v1: gone (369 bytes); its layers stay, for bot:prod has the same"
    )
    assert names(store) == ["bot:prod", "bot:v2"]
    assert fake.models.keys() == {"bot:prod", "bot:v2"}


def test_rm_that_cannot_take_one_takes_none(store: ServerStore, fake: FakeOllama) -> None:
    before = names(store)
    ran = mf("rm", "bot:v3", "bot:v1", "k:v1", "--yes")
    errors = [f"there is no {name} on {fake.url}" for name in ("bot:v3", "k:v1")]
    hints = ["did you mean `bot:v2` or `bot:v1`?", "`mf ls` lists what it has"]
    told = "".join(f"error: {error}\nhelp: {hint}\n" for error, hint in zip(errors, hints, strict=True))
    assert (ran.code, ran.out, ran.err) == (3, "", f"{told}nothing was taken away\n")
    assert json.loads(mf("rm", "bot:v3", "bot:v1", "k:v1", "--json").out) == {
        "removed": [],
        "failed": [
            {"name": name, "error": error, "hint": hint}
            for name, error, hint in zip(("bot:v3", "k:v1"), errors, hints, strict=True)
        ],
    }
    assert mf("rm", "bot:v1").code == 2
    assert names(store) == before


def test_rm_takes_a_history_that_is_all_there_is_left(store: ServerStore, fake: FakeOllama) -> None:
    assert mf("rm", "bot:v1", "--yes").err == "1 kept for `mf rollback` stays; --kept takes them too\n"
    again = mf("rm", "bot:v1", "--yes")
    hint = "1 of it is kept for `mf rollback`: --kept takes what is kept"
    assert (again.code, again.err) == (3, f"error: there is no bot:v1 on {fake.url}\nhelp: {hint}\n")
    (alias,) = (name for name in names(store) if "sha256" in name)
    ran = mf("rm", "bot:v1", "--kept", stdin=b"y\n", terminal=True)
    assert (ran.code, ran.out) == (0, f"{alias}: gone (368 bytes)\n")
    assert ran.err == f"{alias}  368 bytes\ntake it away from {fake.url}? [y/N] "
    assert names(store) == ["bot:v2"]
    assert mf("rm", "bot:v1", "--kept", "--yes").code == 3


@pytest.mark.parametrize("command", ["ls -a", "--help", "show none --json", "show bot:v1", "rollback bot:v1 --list"])
@pytest.mark.usefixtures("store")
def test_nobody_reads_the_result(command: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "modelfile", *command.split()]
    ran = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (ran.returncode, b"Traceback" in ran.stderr, b"Broken" in ran.stderr) == (141, False, False)


def test_only_names_that_are_close_are_suggested(store: ServerStore) -> None:
    for alias in ("x:v1", "support-bot:v1"):
        store.copy(V1, ModelName.parse(alias))
    assert mf("show", "k:v1").err.endswith("help: `mf ls` lists what it has\n")
    assert mf("show", "suport-bot:v2").err.endswith("help: did you mean `support-bot:v1`?\n")
    assert mf("show", "x:v2").err.endswith("help: did you mean `x:v1`?\n")


def test_a_broken_configuration_hints_only_what_the_command_has(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("keep = \n")
    for words in (("build", "bot:v1"), ("cp", "a:b", "c:d")):
        ran = mf(*words, cwd=tmp_path)
        assert (ran.code, ran.err.count("\n"), "help" in ran.err) == (2, 1, False)
    for word in ("lint", "config"):
        assert mf(word, cwd=tmp_path).err.endswith("help: mend it, or leave it out with --isolated\n")


def test_pull(store: ServerStore, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="a")
    assert mf("pull", "team/base:v1").out.endswith("  (new)\n")
    digest = digest_of(store, ModelName.parse("team/base:v1"))
    assert mf("pull", "team/base:v1").out == f"team/base:v1  {digest}  (unchanged)\n"
    fake.registry["team/base:v1"] = published(b"GGUF", system="b")
    assert mf("pull", "team/base:v1").out.endswith("  (changed)\n")
    now = digest_of(store, ModelName.parse("team/base:v1"))
    assert json.loads(mf("pull", "team/base:v1", "--json").out) == [
        {"name": "team/base:v1", "digest": now, "before": now}
    ]


@pytest.mark.parametrize("fault", [ErrorLine(after_lines=1, error="disk full"), NoSuccess()])
def test_a_pull_that_fails(store: ServerStore, fake: FakeOllama, fault: ErrorLine | NoSuccess) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    fake.fault("/api/pull", fault)
    ran = mf("pull", "team/base:v1", "--json")
    (answer,) = json.loads(ran.out)
    assert (ran.code, answer.keys()) == (3, {"name", "error", "hint"})
    assert ran.err == f"error: {answer['error']}\nhelp: {answer['hint']}\n"
    assert mf("pull", "team/base:v1").code == 0
    assert store.find(ModelName.parse("team/base:v1"))


def test_a_pull_that_fails_keeps_no_other_from_it(store: ServerStore, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF")
    ran = mf("pull", "team/none:v1", "team/base:v1", "--json")
    failed, pulled = json.loads(ran.out)
    message = f"team/none:v1 cannot be pulled: {fake.url} refused: pull model manifest: file does not exist"
    assert (ran.code, failed["name"], failed["error"]) == (3, "team/none:v1", message)
    assert pulled == {"name": "team/base:v1", "digest": digest_of(store, BASE), "before": None}
    told = mf("pull", "team/none:v1", "team/base:v1")
    assert (told.code, told.out) == (3, f"team/base:v1  {pulled['digest']}  (unchanged)\n")
    assert told.err.startswith(f"error: {message}\n")


def test_an_rm_that_fails_tells_what_is_gone(store: ServerStore, fake: FakeOllama) -> None:
    fake.fault("/api/delete", Status(500, '{"error": "boom"}'))
    ran = mf("rm", "bot:v1", "bot:v2", "--yes", "--json")
    answer = json.loads(ran.out)
    assert ran.code == 3
    assert [model["name"] for model in answer["removed"]] == ["bot:v2"]
    (failed,) = answer["failed"]
    assert (failed["name"], failed["error"]) == ("bot:v1", f"{fake.url} refused: boom")
    assert ran.err == f"error: bot:v1 is not gone: {failed['error']}\nhelp: {failed['hint']}\n"
    assert "bot:v1" in names(store)
    refused = mf("rm", "bot:v1", "--json", stdin=b"n\n", terminal=True)
    assert (refused.code, json.loads(refused.out)) == (1, {"removed": [], "failed": []})


@pytest.mark.parametrize(
    ("arguments", "code", "error", "hint"),
    [
        (("show", "bot:v3"), 3, "there is no bot:v3 on ", "did you mean `bot:v2` or `bot:v1`?"),
        (("show", "bot:v1", "--host", "127.0.0.1:9"), 3, "no Ollama server answers at ", "start one with "),
        (("cp", "bot:v1", "bot:v2"), 2, "bot:v2 is there on ", "to overwrite it, say --force"),
        (("show", "bot:v1", "--host", "a", "--host", "b"), 2, "takes one --host", "only `mf build` takes several"),
        (("rm", "bot:v1", "-y", "--host", "a", "--host", "a"), 2, "takes one --host", "only `mf build` takes several"),
        (("rollback", "bot:v1", "--to", ""), 2, "--to `` says nothing of which is meant", "see `mf rollback bot:v1 "),
        (("cp", "bot:v1", "c"), 2, "`c` has no tag", "write c:v1, or c:latest if that is meant"),
        (("build", "bot:v1", "--plan-out", "-"), 2, "--plan-out wants a file: ", "`--dry-run --json` prints "),
        (("rm", "bot:v1"), 2, "there is nobody to ask ", "say --yes"),
        (("pull", "a b"), 2, "`a b` is not a model name", "its model `a b` is at fault"),
        (("pull", "bot:v1", "--host", "127.0.0.1:9"), 3, "no Ollama server answers at ", "start one with "),
        (("rollback", "bot:v2"), 3, "nothing is kept of bot:v2 on ", "there is some of bot:v1"),
        (("ls", "--host", "ftp://x"), 2, "`ftp://x` is not the address of a server", "write "),
        (("build", "bot:v1"), 3, "`Modelfile` cannot be read: ", "name the Modelfile, as in `--file bot/Modelfile`"),
        (("build", "bot:v1", "-f", "bad.Modelfile"), 1, "`bad.Modelfile` has errors", "`mf lint bad.Modelfile` tells"),
        (("diff", "./none", "bot:v1"), 3, "`./none` does not exist", None),
        (("explain", "temprature"), 2, "", "did you mean `temperature`?"),
        (("config", "--config", "none.toml"), 2, "`none.toml` is no configuration file", None),
        (("show",), 2, "Missing argument 'NAME'.", None),
        (("shwo",), 2, "there is no command `shwo`", "did you mean `mf show`?"),
    ],
)
@pytest.mark.usefixtures("store")
def test_with_json_what_goes_wrong_is_json_too(
    tmp_path: Path, arguments: tuple[str, ...], code: int, error: str, hint: str | None
) -> None:
    (tmp_path / "bad.Modelfile").write_text("FROM bot:v1\nPARAMETER num_ctx many\n")
    plain, ran = mf(*arguments), mf(*arguments, "--json")
    assert (ran.code, ran.err) == (code, plain.err)
    answer = json.loads(ran.out)
    assert answer.keys() == {"error", "hint"}
    assert answer["error"].startswith(error)
    assert answer["hint"] is None if hint is None else answer["hint"].startswith(hint)
    assert plain.out == ""


@pytest.mark.parametrize("said", [("--format", "json"), ("--format=json",)])
def test_a_lint_that_cannot_begin_says_so_in_json(tmp_path: Path, said: tuple[str, ...]) -> None:
    ran = mf("lint", *said, cwd=tmp_path)
    assert (ran.code, json.loads(ran.out)["error"]) == (3, "no Modelfile in `.`")
    assert mf("lint", "--format", "concise", cwd=tmp_path).out == ""


@pytest.mark.live
def test_the_verbs_on_a_real_server(real: str, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", real)
    with Client(real) as client:
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
    assert "127.0.0.1:9/nobody/nothing:v1 cannot be pulled: " in pulled.err
    assert mf("rm", "verbs:v1", "verbs:prod", "--yes").code == 0
    assert mf("show", "verbs:v1").code == 3
