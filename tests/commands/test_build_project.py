"""`mf build` of a whole project, and on several servers."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, UPON, digests
from tests.support.cli import mf
from tests.support.server import connect

from modelfile.weights import digests as files


def test_a_project_is_built_bases_first(models: Path, fake: FakeOllama) -> None:
    planned = json.loads(mf("build", "--dry-run", "--json").out)
    assert [plan["name"] for plan in planned] == ["base:v1", "bot:v1"]
    assert planned[1]["pending"] == "base:v1 is built"
    assert [step["do"] for step in planned[1]["steps"]] == ["create", "publish"]
    ran = mf("build", "--json")
    assert ran.code == 0, ran
    assert [result["built"] for result in json.loads(ran.out)] == [True, True]
    assert not any(result["built"] for result in json.loads(mf("build", "--json").out))
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 1\n")
    (models / "Modelfile").write_text(UPON + "PARAMETER seed 2\n")
    assert mf("build").code == 0
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 3\nLICENSE MIT\n")
    assert mf("build", "base:v1", "-f", "base.Modelfile", "--keep", "0").code == 0
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 4\nLICENSE BSD\n")
    planned = json.loads(mf("build", "--dry-run", "--json").out)
    assert [change["aspect"] for change in planned[1]["changes"]] == ["license"]
    assert mf("build").code == 0
    with connect(fake.url) as client:
        assert client.show("bot:v1").license == "BSD"


def test_models_based_on_a_failed_one_are_skipped(models: Path, fake: FakeOllama) -> None:
    assert models.exists()
    fake.fault("/api/create", Status(500, '{"error": "boom"}'))
    ran = mf("build")
    assert ran.code == 3
    assert [line.split()[0] for line in ran.out.splitlines()] == ["MODEL", "base:v1", "bot:v1"]
    assert "skipped: base:v1 failed" in ran.out
    assert "refused: boom" in ran.err
    assert mf("build", "--json").code == 0


def test_weights_of_several_models_are_hashed_and_uploaded_once(
    project: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = "abcd"
    for name in names:
        (project / f"{name}.Modelfile").write_text(f"# For tests.\nFROM ./weights.gguf\nSYSTEM {name}\n")
    tables = (f'[models.{name}]\nmodelfile = "{name}.Modelfile"\ntag = "v1"\n' for name in names)
    (project / "mf.toml").write_text("".join(tables))
    os.utime(project / "weights.gguf", (1e9, 1e9))
    monkeypatch.setattr(files, "_RACY", 0)  # the file was written just now
    hashed: list[Path] = []
    hash_: Callable[..., str] = vars(files)["_hash"]

    def count(*arguments: Any) -> str:
        hashed.append(project)
        return hash_(*arguments)

    monkeypatch.setattr(files, "_hash", count)
    ran = mf("build")
    assert ran.code == 0, ran
    assert len(hashed) == 1
    assert sum(logged.method == "POST" and "/blobs/" in logged.path for logged in fake.requests) == 1


def test_a_model_is_built_on_two_servers(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    with FakeOllama("0.24.0") as other:
        both = ("--host", fake.url, "--host", other.url, "--host", fake.url)
        planned = json.loads(mf("build", "bot:v1", "--dry-run", "--json", *both).out)
        assert [plan["host"] for plan in planned] == [fake.url, other.url]
        ran = mf("build", "bot:v1", *both)
        assert ran.code == 0, ran
        assert [line.split()[1:3] for line in ran.out.splitlines()[1:]] == [[fake.url, "built"], [other.url, "built"]]
        one_dead = mf("build", "bot:v1", "--json", *both, "--host", "127.0.0.1:9")
    assert one_dead.code == 3
    fine, new, dead = json.loads(one_dead.out)
    assert (fine["built"], new["built"]) == (False, False)
    assert fine["fingerprint"] == new["fingerprint"]
    assert dead["error"]["message"] == "no Ollama server answers at http://127.0.0.1:9"


def test_one_model_of_the_project_is_built_from_its_own_modelfile(project: Path, fake: FakeOllama) -> None:
    (project / "one").mkdir()
    (project / "Modelfile").rename(project / "one" / "Modelfile")
    (project / "weights.gguf").rename(project / "one" / "weights.gguf")
    (project / "mf.toml").write_text('[models.one]\nmodelfile = "one/Modelfile"\ntag = "v1"\n')
    ran = mf("build", "one:v1")
    assert ran.code == 0, ran
    assert "one:v1" in fake.models


BAD = "# Bad.\nFROM ./weights.gguf\nPARAMETER num_ctx many\n"
BY_HAND = (
    '[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n[models.base]\nmodelfile = "bots/Modelfile"\ntag = "v1"\n'
    '[models.other]\nmodelfile = "other.Modelfile"\ntag = "v1"\n'
)
HINT = "`mf lint bots/Modelfile` shows them, and --fix fixes what it safely can"
ERROR = {"message": "`bots/Modelfile` has errors", "hint": HINT, "code": "modelfile-has-errors"}


@pytest.fixture
def broken(models: Path) -> Path:
    """Return a project of three models: one has an error, one is based on it, one is fine."""
    (models / "mf.toml").write_text(BY_HAND)
    (models / "base.Modelfile").rename(models / "other.Modelfile")
    (models / "bots").mkdir()
    (models / "bots" / "Modelfile").write_text(BAD.replace("./", "../"))
    return models


@pytest.mark.usefixtures("broken")
def test_an_error_in_one_modelfile_fails_that_model_alone(fake: FakeOllama) -> None:
    ran = mf("build")
    assert ran.code == 3
    assert [line.split("  mf1:")[0].split(maxsplit=1) for line in ran.out.splitlines()] == [
        ["MODEL", "RESULT                   FINGERPRINT"],
        ["base:v1", "failed"],
        ["other:v1", "built                  "],
        ["bot:v1", "skipped: base:v1 failed"],
    ]
    assert ran.err.startswith("bots/Modelfile:3:19: error MF302")
    assert ran.err.endswith(f"error: base:v1: `bots/Modelfile` has errors\nhelp: {HINT}\n")
    assert [*fake.models] == ["other:v1"]
    again = mf("build", "--json")
    failed, fine, skipped = json.loads(again.out)
    assert again.code == 3
    assert skipped == {"name": "bot:v1", "host": fake.url, "skipped": "base:v1 failed"}
    assert failed == {"name": "base:v1", "host": fake.url, "error": ERROR}
    assert (fine["name"], fine["built"]) == ("other:v1", False)
    assert "MF302" in again.err


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "`mf.toml`: `models.base.modelfile`: cannot read `bots/Modelfile`: no such file or directory"),
        ("GGUF\0", "`bots/Modelfile` is binary, not a Modelfile"),
        ("# Base.\nFROM ~nobody-at-all/weights.gguf\n", "no such user: `~nobody-at-all/weights.gguf`"),
        ("# Base.\nFROM a@b\n", "invalid model name `a@b`"),
    ],
)
def test_an_unusable_modelfile_fails_that_model_alone(
    broken: Path, fake: FakeOllama, text: str | None, error: str
) -> None:
    (broken / "mf.toml").write_text('ignore = ["MF2"]\n' + BY_HAND)
    (broken / "bots" / "Modelfile").unlink()
    if text:
        (broken / "bots" / "Modelfile").write_text(text)
    ran = mf("build", "--json")
    assert (ran.code, json.loads(ran.out)[0]["error"]["message"]) == (3, error)
    assert [*fake.models] == ["other:v1"]


def test_an_error_of_local_files_is_printed_once_for_all_models_and_servers(broken: Path, fake: FakeOllama) -> None:
    (broken / "bots" / "Modelfile").unlink()
    (broken / "weights.gguf").write_bytes(b"GGUF")
    with (broken / "mf.toml").open("a") as file:
        file.write('[models.last]\nmodelfile = "other.Modelfile"\ntag = "v1"\n')
    with FakeOllama() as other:
        ran = mf("build", "--host", fake.url, "--host", other.url)
    assert ran.code == 3
    assert ran.err == (
        "error: base:v1: `mf.toml`: `models.base.modelfile`: cannot read `bots/Modelfile`: no such file or directory\n"
        "help: correct the path, which is relative to the configuration, or delete the table\n"
        "error: other:v1, last:v1: `weights.gguf` is truncated: it has 4 bytes, its header alone is longer\n"
        "help: download it again\n"
    )


def test_a_plan_with_a_failed_model_is_printed_and_not_written(broken: Path, fake: FakeOllama) -> None:
    ran = mf("build", "--plan-out", "plan.json", "--dry-run", "--exit-code")
    assert ran.code == 3
    assert ran.out.startswith(f"other:v1 on {fake.url}, Ollama 0.9.3\n")
    assert ran.out.endswith(f"bot:v1 on {fake.url}\n  skipped      base:v1 cannot be built\n")
    assert ran.err.endswith(
        f"error: base:v1: `bots/Modelfile` has errors\nhelp: {HINT}\n"
        "error: `plan.json` was not written: a model could not be planned\n"
        "help: fix the error, or name a single model to plan\n"
    )
    assert not (broken / "plan.json").exists()
    plans = {plan["name"]: plan for plan in json.loads(mf("build", "--dry-run", "--json").out)}
    assert plans["other:v1"]["steps"]
    assert plans["base:v1"] == {"name": "base:v1", "host": fake.url, "error": ERROR}
    assert plans["bot:v1"] == {"name": "bot:v1", "host": fake.url, "skipped": "base:v1 failed"}
    assert not fake.models


def test_models_based_on_a_skipped_one_are_skipped(broken: Path) -> None:
    (broken / "other.Modelfile").write_text("# The last.\nFROM bot:v1\n")
    for options in ((), ("--dry-run",)):
        items = {item["name"]: item for item in json.loads(mf("build", "--json", *options).out)}
        assert items["other:v1"]["skipped"] == "base:v1 failed"


def test_a_dry_run_names_the_server_that_does_not_answer(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    ran = mf("build", "bot:v1", "--dry-run", "--json", "--host", "127.0.0.1:9", "--host", fake.url)
    dead, fine = json.loads(ran.out)
    assert (ran.code, dead["error"]["message"]) == (3, "no Ollama server answers at http://127.0.0.1:9")
    assert fine["steps"]


def test_errors_of_a_single_model_exit_as_those_of_several(broken: Path, fake: FakeOllama) -> None:
    (broken / "bots" / "Modelfile").write_text(BAD)
    ran = mf("build", "base:v1")
    assert (ran.code, ran.out) == (mf("build", "base:v1", "bot:v1").code, "") == (3, "")
    assert ran.err.startswith("bots/Modelfile:2:6: error MF207")
    assert ran.err.endswith(f"error: `bots/Modelfile` has errors\nhelp: {HINT}\n")
    assert not fake.models


def test_quantize_needs_a_name(models: Path, fake: FakeOllama) -> None:
    ran = mf("build", "--quantize", "q4_K_M", "--plan-out", "plan.json")
    hint = 'name the model, as in `mf build my-bot:v1`, or set `quantize = "…"` in mf.toml under [models.my-bot]'
    assert (ran.code, ran.err) == (2, f"error: --quantize needs a NAME\nhelp: {hint}\n")
    assert not (models / "plan.json").exists()
    assert not fake.requests


def test_nothing_of_a_project_is_built_if_the_lock_rules_out_a_model(models: Path, fake: FakeOllama) -> None:
    (models / "other.Modelfile").write_text("# Another.\nFROM ./weights.gguf\nSYSTEM other\n")
    with (models / "mf.toml").open("a") as file:
        file.write('[models.other]\nmodelfile = "other.Modelfile"\ntag = "v1"\n')
    assert mf("build").code == 0
    assert mf("pin").code == 0
    (models / "base.Modelfile").write_text(BASE + "SYSTEM changed\n")
    (models / "other.Modelfile").write_text("# Another.\nFROM ./weights.gguf\nSYSTEM changed\n")
    before = digests(fake)
    ran = mf("build")
    assert ran.code == 3
    assert [line.split(maxsplit=1) for line in ran.out.splitlines()] == [
        ["MODEL", "RESULT                        FINGERPRINT"],
        ["base:v1", "skipped: bot:v1 is ruled out"],
        ["other:v1", "skipped: bot:v1 is ruled out"],
        ["bot:v1", "failed"],
    ]
    assert ran.err.startswith(f"error: bot:v1 on {fake.url}: base:v1 has changed since `mf pin` ")
    assert "run `mf pin` if " in ran.err
    assert digests(fake) == before
    items = json.loads(mf("build", "--json").out)
    assert [item.get("skipped") for item in items] == ["bot:v1 is ruled out", "bot:v1 is ruled out", None]


def test_several_models_are_built_by_name_each_with_the_tag_that_is_listed(models: Path, fake: FakeOllama) -> None:
    (models / "mf.toml").write_text((models / "mf.toml").read_text().replace('"v1"', '"v2"', 1))
    ran = mf("build", "bot", "base:v1", "--json")
    assert [item["name"] for item in json.loads(ran.out)] == ["base:v1", "bot:v2"]
    assert {*fake.models} == {"base:v1", "bot:v2"}
    one = mf("build", "bot", "BOT:v2", "--file", "Modelfile")
    assert (one.code, one.err.splitlines()[0]) == (2, "error: --file can be used with a single NAME only")
    assert mf("build", "base").out.startswith("base:v1 is up to date")
    unknown = mf("build", "bot", "other")
    assert (unknown.code, unknown.err.splitlines()[0]) == (2, "error: `other` has no tag")


def test_an_option_for_scripts_needs_a_dry_run(project: Path) -> None:
    ran = mf("build", "bot:v1", "--plan-out", "plan.json", "--exit-code")
    assert (ran.code, ran.err) == (2, "error: --exit-code needs --dry-run\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json", "--dry-run", "--exit-code").code == 1
    assert (project / "plan.json").exists()


@pytest.mark.parametrize("on_server", [True, False])
def test_a_base_of_unknown_fingerprint_is_not_replaced_if_the_lock_needs_another(
    models: Path, fake: FakeOllama, *, on_server: bool
) -> None:
    assert mf("build").code == 0
    assert mf("pin").code == 0
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 1\n")  # only a build tells what it gives
    if not on_server:
        fake.models.clear()
    before = digests(fake)
    planned = json.loads(mf("build", "--dry-run", "--json").out)
    assert [(plan["nothing_to_do"], plan["expected_fingerprint"]) for plan in planned] == [(False, None)] * 2
    assert planned[1]["pending"] == "base:v1 is built"
    ran = mf("build", "--json")
    failed, skipped = json.loads(ran.out)
    assert ran.code == 3
    assert failed["error"]["message"].startswith("base:v1 has changed since `mf pin` (mf1:")
    assert skipped["skipped"] == "base:v1 failed"
    assert digests(fake) == before
    assert mf("pin").code == 0
    assert mf("build").code == 0


def test_the_rest_of_a_locked_project_is_built_if_a_modelfile_has_errors(broken: Path, fake: FakeOllama) -> None:
    (broken / "mf.lock").write_text('{"version": "1.0", "modelfiles": {}}')
    ran = mf("build", "--json")
    assert (ran.code, [*fake.models]) == (3, ["other:v1"])


def test_changed_weights_are_named_from_the_current_folder(models: Path) -> None:
    assert mf("pin").code == 0
    (models / "weights.gguf").write_bytes(b"GGUF" + bytes(60) + b"other")
    ran = mf("build", "base:v1")
    assert (ran.code, ran.err.split(":")[1]) == (3, " `weights.gguf` has changed since `mf pin` (sha256")


@pytest.mark.parametrize("path", ["one", "./one", "one/"])
def test_a_folder_is_built_from_its_modelfile(project: Path, fake: FakeOllama, path: str) -> None:
    (project / "one").mkdir()
    for name in ("Modelfile", "weights.gguf"):
        (project / name).rename(project / "one" / name)
    assert mf("build", "bot:v1", "-f", path).code == 0
    (project / "one" / "Modelfile").rename(project / "one" / "other.Modelfile")
    ran = mf("build", "bot:v1", "-f", path)
    assert (ran.code, [*fake.models]) == (3, ["bot:v1"])
    assert ran.err.startswith(f"error: `{Path(path)}` is a folder, not a Modelfile\nhelp: name the file in it")
