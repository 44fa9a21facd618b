"""Immutable tags: no command replaces a different model under one unless it is asked to."""

import json
import os
import shutil
from pathlib import Path

import pytest
from tests.contracts.backups_contract import hold
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.building import BASE, LOCAL, UPON, digests
from tests.support.cli import Ran, mf
from tests.support.server import connect

from modelfile.names import ModelName
from modelfile.stores.backups import replace_tag
from modelfile.stores.ollama.store import ServerStore

HINT = "use a new tag, or pass --replace to replace the model"


@pytest.fixture(autouse=True)
def folder(project: Path) -> Path:
    """Return a project with a base, where the default tags are immutable."""
    (project / "mf.toml").unlink()
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(UPON)
    assert mf("build", "base:latest", "-f", "base.Modelfile", "--latest").code == 0
    (project / "Modelfile").write_text(UPON.replace("base:v1", "base:latest"))
    return project


def edit(folder: Path, text: str) -> None:
    with (folder / "Modelfile").open("a") as file:
        file.write(text)


def fingerprint(name: str) -> str:
    return str(json.loads(mf("show", name, "--json").out)["fingerprint"])


def is_refused(ran: Ran, fake: FakeOllama, name: str, old: str, new: str, *details: str) -> bool:
    message = f"{name} on {fake.url} is an immutable tag and has another model: {old[:16]}…, not {new[:16]}…"
    lines = [f"error: {message}", *(f"  {detail}" for detail in details), f"help: {HINT}"]
    return (ran.code, ran.out, ran.err.splitlines()[-len(lines) :]) == (3, "", lines)


def test_a_build_replaces_a_different_model_only_if_asked_to(folder: Path, fake: FakeOllama) -> None:
    for name in ("bot:v1.2", "bot:vision"):
        assert mf("build", name).code == 0
    old = fingerprint("bot:v1.2")
    edit(folder, "PARAMETER seed 1\n")
    before = digests(fake)
    planned = mf("build", "bot:v1.2", "--dry-run")
    assert planned.code == 0
    assert "  immutable    would replace the model of bot:v1.2: needs --replace\n" in planned.out
    assert json.loads(mf("build", "bot:v1.2", "--dry-run", "--json").out)["replaces"] is True
    since = len(fake.requests)
    assert mf("build", "BOT:V1.2").code == 3
    assert is_refused(
        mf("build", "bot:v1.2"),
        fake,
        "bot:v1.2",
        old,
        "mf1:2e664b311f51",
        "changes: parameter seed (may change answers)",
    )
    assert {logged.method for logged in fake.requests[since:]} == {"GET"}
    assert digests(fake) == before
    assert mf("build", "bot:vision").code == 0
    assert fingerprint("bot:vision").startswith("mf1:2e664b311f51")
    agreed = "  immutable    replaces the model of bot:v1.2 (--replace)\n"
    assert agreed in mf("build", "bot:v1.2", "--dry-run", "--replace").out
    done = json.loads(mf("build", "bot:v1.2", "--replace", "--json").out)
    assert done["replaced"] == old
    assert fingerprint(done["backup"]) == old
    assert mf("build", "bot:v1.2").out.startswith("bot:v1.2 is up to date")


@pytest.mark.usefixtures("fake")
def test_a_refusal_says_that_the_lock_is_stale(folder: Path) -> None:
    assert mf("build", "bot:v1").code == 0
    assert mf("pin").code == 0
    edit(folder, "PARAMETER seed 1\n")
    ran = mf("build", "bot:v1")
    changes, stale = ran.err.splitlines()[-3:-1]
    assert (ran.code, changes) == (3, "  changes: parameter seed (may change answers)")
    assert stale.startswith("  mf.lock is out of date for bot:v1: ")


@pytest.mark.parametrize(("answer", "replaced"), [("y\n", True), ("n\n", False), ("\n", False), ("", False)])
def test_a_terminal_is_asked(folder: Path, fake: FakeOllama, answer: str, *, replaced: bool) -> None:
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    edit(folder, "PARAMETER seed 1\n")
    ran = mf("build", "bot:v1", stdin=answer.encode(), terminal=True)
    assert f"bot:v1 on {fake.url} is an immutable tag and has another model: " in ran.err
    assert "\n  changes: parameter seed (may change answers)\nreplace it? [y/N] " in ran.err
    assert ran.code == (0 if replaced else 3)
    assert ("  immutable    replaces the model of bot:v1 (--replace)\n" in ran.err) is replaced
    assert "needs --replace" not in ran.err
    assert (digests(fake)["bot:v1"] != before["bot:v1"]) is replaced
    edit(folder, "PARAMETER top_k 1\n")
    quiet = mf("build", "bot:v1", "--json", stdin=b"y\n", terminal=True)
    assert (quiet.code, "[y/N]" in quiet.err) == (3, False)
    assert json.loads(quiet.out)["error"]["code"] == "would-replace"


def test_a_model_of_unknown_fingerprint_is_compared_before_it_is_published(folder: Path, fake: FakeOllama) -> None:
    (folder / "Modelfile").write_text(LOCAL)
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    planned = mf("build", "bot:v1", "--dry-run").out
    assert "  immutable    may replace the model of bot:v1: needs --replace\n" in planned
    agreed = mf("build", "bot:v1", "--dry-run", "--replace").out
    assert "  immutable    may replace the model of bot:v1 (--replace)\n" in agreed
    assert mf("build", "bot:v1").code == 0  # it is the same model
    assert digests(fake) == before
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    edit(folder, "SYSTEM other\n")
    ran = mf("build", "bot:v1")
    assert (ran.code, "is an immutable tag" in ran.err) == (3, True)
    assert (
        f"\n  changes: system (may change answers)\nhelp: {HINT}\n" in ran.err
    )  # as far as it is known without the weights
    assert digests(fake) == before
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert mf("build", "bot:v1", stdin=b"y\n", terminal=True).code == 0
    assert digests(fake)["bot:v1"] != before["bot:v1"]


def test_a_refusal_by_the_fingerprint_of_the_lock_names_the_known_changes(folder: Path, fake: FakeOllama) -> None:
    (folder / "Modelfile").write_text(LOCAL)
    assert mf("build", "bot:v1").code == 0
    old = fingerprint("bot:v1")
    edit(folder, "SYSTEM other\n")
    assert mf("pin", "Modelfile").code == 0
    new = json.loads((folder / "mf.lock").read_text())["modelfiles"]["Modelfile"]["fingerprint"]
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    fake.requests.clear()
    assert is_refused(mf("build", "bot:v1"), fake, "bot:v1", old, new, "changes: system (may change answers)")
    assert not any(logged.path == "/api/create" for logged in fake.requests)


TWO = (
    '[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n[models.other]\nmodelfile = "other.Modelfile"\ntag = "v1"\n'
    '[models.base]\nmodelfile = "base.Modelfile"\ntag = "v1"\n'
)


def test_nothing_of_a_project_is_built_on_any_server_if_one_model_would_be_replaced(
    folder: Path, fake: FakeOllama
) -> None:
    (folder / "mf.toml").write_text(TWO)
    (folder / "Modelfile").write_text(UPON)
    (folder / "other.Modelfile").write_text(LOCAL)
    assert mf("build", "base:v1").code == 0
    assert mf("build", "bot:v1").code == 0
    edit(folder, "SYSTEM other\n")
    before = digests(fake)
    with FakeOllama() as new:
        both = ("--host", new.url, "--host", fake.url)
        ran = mf("build", "--json", *both)
        assert ran.code == 3
        assert [item.get("skipped", item.get("error", {}).get("code")) for item in json.loads(ran.out)] == [
            *["bot:v1 is ruled out"] * 5,
            "would-replace",
        ]
        assert (new.models, digests(fake)) == ({}, before)
        error = f"error: bot:v1 on {fake.url} is an immutable tag and has another model: "
        assert [line for line in ran.err.splitlines() if line.startswith("error")] == []
        assert [line.startswith(error) for line in mf("build", *both).err.splitlines()[-3:]] == [True, False, False]
        assert mf("build", *both, stdin=b"y\n", terminal=True).code == 0
        assert {*new.models} == {"base:v1", "bot:v1", "other:v1"}
    edit(folder, "SYSTEM again\n")
    (folder / "base.Modelfile").write_text(BASE + "SYSTEM again\n")
    asked = mf("build", stdin=b"y\n", terminal=True)
    assert (asked.code, asked.err.count("is an immutable tag"), "\nreplace them? [y/N]" in asked.err) == (0, 2, True)


def test_a_plan_that_replaces_has_to_be_made_with_the_option(folder: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    before = digests(fake)
    edit(folder, "SYSTEM other\n")
    ran = mf("build", "bot:v1", "--plan-out", "plan.json", stdin=b"y\n", terminal=True)
    assert (ran.code, "is an immutable tag" in ran.err, (folder / "plan.json").exists()) == (3, True, False)
    assert mf("build", "bot:v1", "--plan-out", "plan.json", "--replace").code == 0
    plan = json.loads((folder / "plan.json").read_text())
    assert (plan["replace"], plan["plans"][0]["replaces"]) == (True, True)
    (folder / "plan.json").write_text(json.dumps(plan | {"replace": False}))
    assert mf("build", "--plan", "plan.json", stdin=b"y\n", terminal=True).code == 3
    assert digests(fake) == before
    (folder / "plan.json").write_text(json.dumps(plan))
    assert mf("build", "--plan", "plan.json").code == 0
    assert digests(fake)["bot:v1"] != before["bot:v1"]


def test_a_pull_gives_the_tag_its_model_back(fake: FakeOllama) -> None:
    fake.registry["team/base:1.2"] = published(b"GGUF", system="a")
    assert mf("pull", "team/base:1.2").code == 0
    before, old = digests(fake), fingerprint("team/base:1.2")
    fake.registry["team/base:1.2"] = published(b"GGUF", system="b")
    ran = mf("pull", "team/base:1.2", "--json", stdin=b"y\n", terminal=True)
    (answer,) = json.loads(ran.out)
    assert (ran.code, answer["error"]["code"], answer["error"]["hint"]) == (3, "would-replace", HINT)
    assert old[:16] in answer["error"]["message"]
    assert digests(fake) == before
    assert mf("pull", "team/base:1.2", stdin=b"n\n", terminal=True).code == 3
    assert digests(fake) == before
    pulled = mf("pull", "team/base:1.2", stdin=b"y\n", terminal=True)
    assert (pulled.code, pulled.out.splitlines()[0].endswith("  (changed)")) == (0, True)
    assert "; `mf rollback team/base:1.2 --replace` restores it" in pulled.out
    assert mf("rollback", "team/base:1.2", "--replace").code == 0
    assert fingerprint("team/base:1.2") == old
    fake.registry["team/base:1.2"] = published(b"GGUF", system="c")
    (done,) = json.loads(mf("pull", "team/base:1.2", "--replace", "--json").out)
    assert fingerprint(done["backup"]) == old


def test_a_pull_that_changes_nothing_leaves_no_backup(folder: Path, fake: FakeOllama) -> None:
    fake.registry["team/base:v1"] = published(b"GGUF", system="a")
    for _ in range(2):
        assert mf("pull", "team/base:v1").code == 0
    before = digests(fake)
    (folder / "mf.toml").write_text("keep = 0\n")
    fake.registry["team/base:v1"] = published(b"GGUF", system="b")
    (done,) = json.loads(mf("pull", "team/base:v1", "--replace", "--json").out)
    assert done["backup"] is None
    assert digests(fake).keys() == before.keys()


def test_a_rollback_and_a_copy_ask_too(folder: Path, fake: FakeOllama) -> None:
    assert mf("build", "bot:v1").code == 0
    first = fingerprint("bot:v1")
    edit(folder, "PARAMETER seed 1\n")
    assert mf("build", "bot:v1", "--replace").code == 0
    second = fingerprint("bot:v1")
    assert is_refused(
        mf("rollback", "bot:v1"), fake, "bot:v1", second, first, "changes: parameter seed (may change answers)"
    )
    assert fingerprint("bot:v1") == second
    restored = mf("rollback", "bot:v1", stdin=b"y\n", terminal=True)
    assert (restored.code, restored.out.endswith("; `mf rollback bot:v1 --replace` restores that\n")) == (0, True)
    assert fingerprint("bot:v1") == first
    assert mf("rollback", "bot:v1", "--replace").code == 0
    assert fingerprint("bot:v1") == second
    assert mf("cp", "base:latest", "bot:v1").code == 3
    copied = mf("cp", "base:latest", "bot:v1", stdin=b"y\n", terminal=True)
    assert copied.out.splitlines()[0] == "base:latest -> bot:v1"
    assert copied.out.splitlines()[1].endswith("; `mf rollback bot:v1 --replace` restores it")
    assert fingerprint("bot:v1") == fingerprint("base:latest")


@pytest.mark.parametrize(
    ("configured", "name", "code"),
    [
        ("immutable = []\n", "bot:v1", 0),
        ('immutable = ["prod-*"]\n', "bot:v1", 0),
        ('immutable = ["prod-*"]\n', "bot:PROD-1", 3),
        ("immutable = true\n", "bot:v1", 2),
        ("immutable = [1]\n", "bot:v1", 2),
    ],
)
def test_the_patterns_are_configured(folder: Path, configured: str, name: str, code: int) -> None:
    assert mf("build", name).code == 0
    edit(folder, "PARAMETER seed 1\n")
    (folder / "mf.toml").write_text(configured)
    ran = mf("build", name)
    assert ran.code == code
    if code == 2:
        assert 'write a list of patterns of tags, as in ["v[0-9]*", "[0-9]*.[0-9]*"]' in ran.err


def test_a_model_that_another_machine_publishes_meanwhile_is_not_replaced(
    folder: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_another_build(source: ModelName, name: ModelName, *arguments: object, **named: object) -> object:
        with connect(fake.url) as client:
            hold(ServerStore(client), folder / "weights.gguf", name, "other")
        return replace_tag(source, name, *arguments, **named)  # type: ignore[arg-type]  # passed on

    monkeypatch.setattr("modelfile.builder.execute.replace_tag", after_another_build)
    ran = mf("build", "bot:v1")
    assert (ran.code, "bot:v1 on" in ran.err, "is an immutable tag" in ran.err) == (3, True, True)
    assert json.loads(mf("show", "bot:v1", "--json").out)["system"] == "other"
    assert digests(fake).keys() == {"base:latest", "bot:v1"}
