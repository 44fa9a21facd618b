"""`mf build --plan-out` and `--plan`: plans that are kept, and done later if the world is still the same."""

import json
import re
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, LOCAL, UPON, digests
from tests.support.cli import mf
from tests.support.tiny_gguf import write_tiny_gguf
from tests.unit.weights.test_checks import write_gguf

from modelfile.builder.planfile import BuildRequest, PlanFile
from modelfile.names import ModelName


def test_a_plan_is_done_as_it_was_shown(project: Path, fake: FakeOllama) -> None:
    shown = mf("build", "bot:v1", "--plan-out", "plan.json", "--json")
    assert json.loads((project / "plan.json").read_text())["plans"] == [json.loads(shown.out)]
    assert not fake.models
    assert mf("build", "bot:v1", "--plan", "plan.json").code == 0
    assert [*fake.models] == ["bot:v1"]


@pytest.mark.parametrize(
    ("moved", "told"),
    [
        ("name", "what the name holds: nothing then, bot:v1 (mf1:"),
        ("base", "the base: base:v1 (mf1:"),
        ("version", "the server's version: 0.9.3 then, 0.9.6 now"),
        ("text", '  license[0]: nothing then, "MIT" now\nhelp:'),
        ("blob", "now to be done: upload weights.gguf (sha256:"),
    ],
)
def test_a_plan_is_refused_when_the_world_has_moved(project: Path, fake: FakeOllama, moved: str, told: str) -> None:
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(UPON)
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    if moved == "blob":
        (project / "Modelfile").write_text(BASE + "LICENSE MIT\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    match moved:
        case "name":
            (project / "other.Modelfile").write_text(UPON + "LICENSE MIT\n")
            assert mf("build", "bot:v1", "-f", "other.Modelfile").code == 0
        case "base":
            (project / "base.Modelfile").write_text(BASE + "SYSTEM moved\n")
            assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
        case "version":
            fake.version = "0.9.6"
        case "text":
            (project / "Modelfile").write_text(UPON + "LICENSE MIT\n")
        case _:
            (weights,) = (digest for digest, blob in fake.blobs.items() if blob.startswith(b"GGUF"))
            del fake.blobs[weights]
    before = digests(fake)
    refused = mf("build", "bot:v1", "--plan", "plan.json")
    assert refused.code == 3
    assert "the plan for bot:v1 in `plan.json` no longer holds:" in refused.err
    assert told in refused.err
    assert digests(fake) == before


def test_what_is_no_plan(project: Path) -> None:
    (project / "plan.json").write_text("[]")
    assert "is not a plan" in mf("build", "bot:v1", "--plan", "plan.json").err
    (project / "plan.json").write_text('{"version": 1, "plans": []}')
    old = mf("build", "bot:v1", "--plan", "plan.json")
    assert (old.code, old.err) == (
        3,
        "error: `plan.json` is a plan of version 1\nhelp: write it again with --plan-out\n",
    )
    (project / "plan.json").write_text('{"version": 2, "models": [], "plans": []}')
    assert "has no plan for any model" in mf("build", "--plan", "plan.json").err
    assert "cannot be read" in mf("build", "bot:v1", "--plan", "missing").err
    for spoiled in ('"keep": "3"', '"name": "a b"', '"modelfile": null', '"name": "x:v1"'):
        assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
        text = (project / "plan.json").read_text()
        key = spoiled.partition(":")[0]
        (project / "plan.json").write_text(re.sub(f"{key}: [^,\n]+", spoiled, text, count=1))
        ran = mf("build", "--plan", "plan.json")
        assert (ran.code, "x:v1" in ran.err or "`plan.json` is not a plan" in ran.err) == (3, True)


def test_the_plan_of_a_project_is_done_or_refused_as_a_whole(models: Path, fake: FakeOllama) -> None:
    assert mf("build", "--plan-out", "plan.json").code == 0
    assert mf("build", "--plan", "plan.json").code == 0
    before = digests(fake)
    assert before.keys() == {"base:v1", "bot:v1"}
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 1\n")
    refused = mf("build", "--plan", "plan.json")
    assert refused.code == 3
    assert "the plan for base:v1 in `plan.json` no longer holds" in refused.err
    assert digests(fake) == before


def test_a_plan_for_two_servers_is_done_on_both_or_on_none(project: Path, fake: FakeOllama) -> None:
    with FakeOllama() as other:
        both = ("--host", fake.url, "--host", other.url)
        assert mf("build", "bot:v1", "--plan-out", "plan.json", *both).code == 0
        assert mf("build", "bot:v1", "--host", other.url).code == 0
        assert project.exists()
        assert mf("build", "bot:v1", "--plan", "plan.json", *both).code == 3
    assert not fake.models


@pytest.mark.parametrize("whole", [True, False])
def test_a_plan_needs_nothing_but_its_file(  # as a job after an approval has it
    models: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, *, whole: bool
) -> None:
    (models / "plans").mkdir()
    named = () if whole else ("base:v1",)
    assert mf("build", *named, "--plan-out", "plans/now.json", "--keep", "1").code == 0
    planned = json.loads((models / "plans" / "now.json").read_text())
    base = {"name": "base:v1", "modelfile": "../base.Modelfile", "quantize": "", "keep": 1}
    bot = {"name": "bot:v1", "modelfile": "../Modelfile", "quantize": "", "keep": 1}
    assert planned["models"] == ([bot, base] if whole else [base])
    (models / "mf.toml").unlink()
    (models / "elsewhere").mkdir()
    monkeypatch.chdir(models / "elsewhere")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    ran = mf("build", "--plan", "../plans/now.json", "--json")
    assert ran.code == 0, ran
    assert [(made["name"], made["host"]) for made in json.loads(ran.out)] == [
        (model["name"], fake.url) for model in planned["models"]
    ]
    assert {*fake.models} == {model["name"] for model in planned["models"]}


def test_a_plan_holds_what_was_said(models: Path) -> None:
    write_tiny_gguf(models / "weights.gguf")
    (models / "mf.toml").write_text((models / "mf.toml").read_text() + 'quantize = "q4_K_M"\n')
    assert mf("build", "base:v1", "--plan-out", "plan.json", "--keep", "1").code == 0
    (asked,) = PlanFile((models / "plan.json").read_bytes(), "plan.json").asked(None)
    path = models.resolve() / "base.Modelfile"
    assert asked == BuildRequest(name=ModelName.parse("base:v1"), path=path, quantize="q4_K_M", keep=1)


def test_a_plan_is_found_by_way_of_links(project: Path, fake: FakeOllama, tmp_path: Path) -> None:
    (project / "deep" / "er").mkdir(parents=True)
    (project / "deep" / "linked.Modelfile").symlink_to(project / "Modelfile")
    (project / "deep" / "weights.gguf").symlink_to(project / "weights.gguf")
    (project / "link").symlink_to(project / "deep" / "er")
    assert mf("build", "bot:v1", "-f", "deep/linked.Modelfile", "--plan-out", "link/plan.json").code == 0
    (asked,) = json.loads((tmp_path / "deep" / "er" / "plan.json").read_text())["models"]
    assert asked["modelfile"] == "../linked.Modelfile"
    assert mf("build", "--plan", "link/plan.json").code == 0
    assert [*fake.models] == ["bot:v1"]


def test_what_a_plan_says_cannot_be_said_otherwise(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    for said in (("-f", "Modelfile"), ("-q", "q4_K_M"), ("--keep", "3"), ("--no-keep",)):
        for named in ((), ("bot:v1",)):
            ran = mf("build", *named, "--plan", "plan.json", *said)
            told = "--plan says what is built and how: it goes with neither --file, --quantize, --keep nor --no-keep"
            assert (ran.code, ran.err.splitlines()[0]) == (2, f"error: {told}")
    elsewhere = mf("build", "--plan", "plan.json", "--host", "127.0.0.1:9")
    told = f"error: --plan says on which server: {fake.url}, not http://127.0.0.1:9"
    hint = "help: leave --host out; to build on another, plan it with --plan-out"
    assert (elsewhere.code, elsewhere.err.splitlines()) == (2, [told, hint])
    other = mf("build", "bot:v2", "--plan", "plan.json")
    assert (other.code, other.err) == (
        3,
        f"error: `plan.json` has no plan for bot:v2\nhelp: it has bot:v1 on {fake.url}\n",
    )
    assert not fake.models
    assert mf("build", "BOT:V1", "--plan", "plan.json", "--host", fake.url).code == 0


def test_standard_input_is_not_planned_of(project: Path) -> None:
    ran = mf("build", "bot:v1", "-f", "-", "--plan-out", "plan.json")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: standard input is not there later")
    assert not (project / "plan.json").exists()


def test_a_plan_of_a_project_is_refused_when_one_cannot_be_planned_any_more(models: Path, fake: FakeOllama) -> None:
    assert mf("build", "--plan-out", "plan.json").code == 0
    (models / "base.Modelfile").unlink()
    ran = mf("build", "--plan", "plan.json", "--json")
    assert (ran.code, json.loads(ran.out)["error"]) == (3, "`base.Modelfile` cannot be read: No such file or directory")
    assert not fake.models


ASKED = (
    '# The bot.\nFROM ./weights.gguf\nPARAMETER stop a\nPARAMETER num_ctx 64\nSYSTEM """One.\nTwo.\n"""\n'
    f"MESSAGE user {'x' * 200}\nTEMPLATE {'{{ .Prompt }}' * 20}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Two.", "2.", r'system, line 2: "Two.\n" then, "2.\n" now'),
        ('Two.\n"""', 'Two."""', r'system, line 2: "Two.\n" then, "Two." now'),
        ("num_ctx 64", "num_ctx 65\nPARAMETER seed 1", "parameters.num_ctx: 64 then, 65 now"),
        ("num_ctx 64", "num_ctx 64\nPARAMETER seed 1", "parameters.seed: nothing then, 1 now"),
        ("stop a", "stop a\nPARAMETER stop b", 'parameters.stop[1]: nothing then, "b" now'),
        ("PARAMETER stop a\n", "", 'parameters.stop[0]: "a" then, nothing now'),
        ("MESSAGE user x", "MESSAGE assistant x", 'messages[0].role: "user" then, "assistant" now'),
        (f"{'x' * 200}\n", f"{'x' * 200}y\n", f'messages[0].content: …"{"x" * 80}" then, …"{"x" * 79}y" now'),
        (f"{'x' * 200}\n", f"{'x' * 99}y{'x' * 100}\n", f'"{"x" * 80}"… then, …"{"x" * 40}y{"x" * 39}"… now'),
        (f"TEMPLATE {'{{ .Prompt }}' * 20}\n", "", f'template: "{("{{ .Prompt }}" * 7)[:80]}"… then, nothing now'),
    ],
)
def test_what_of_the_request_is_another_is_told(project: Path, fake: FakeOllama, old: str, new: str, told: str) -> None:
    assert old in ASKED
    (project / "Modelfile").write_text(ASKED)
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    (project / "Modelfile").write_text(ASKED.replace(old, new))
    ran = mf("build", "--plan", "plan.json")
    assert ran.code == 3
    assert told in ran.err
    assert "to be done" not in ran.err
    assert not fake.models


def test_other_weights_are_told(project: Path) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    (project / "weights.gguf").write_bytes(b"GGUF" + bytes(60) + b"others")
    lines = [line.split("sha256:")[0] for line in mf("build", "--plan", "plan.json").err.splitlines()]
    assert "  no longer to be done: upload weights.gguf (" in lines
    assert "  now to be done: upload weights.gguf (" in lines
    assert '  files.weights.gguf: "' in lines


def test_where_a_plan_is_written_is_told(project: Path) -> None:
    for json_too in ((), ("--json",)):
        ran = mf("build", "bot:v1", "--plan-out", "my plan.json", *json_too)
        assert ran.err == "plan written to `my plan.json`; `mf build --plan 'my plan.json'` does it\n"
    assert mf("build", "bot:v1", "--plan-out", "-").code == 2
    assert not (project / "-").exists()


def test_a_missing_modelfile_tells_how_to_name_one(models: Path) -> None:
    (models / "Modelfile").unlink()
    told = "error: `Modelfile` cannot be read: No such file or directory\nhelp: name the Modelfile, as in "
    name_lock = "`--file bot/Modelfile`; `mf build` alone builds bot:v1, base:v1\n"
    assert mf("build", "x:v1").err == told + name_lock


def test_a_plan_tells_adapters_and_says_once_what_is_let_go(project: Path) -> None:
    write_gguf(project / "ad.gguf", {"general.type": "adapter"})
    (project / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\nADAPTER ./ad.gguf\n")
    assert "  create       from weights.gguf, with the adapter ad.gguf, and" in mf("build", "bot:v1", "--dry-run").out
    kept = []
    for number in range(4):
        (project / "Modelfile").write_text(f"# For tests.\nFROM ./weights.gguf\nPARAMETER seed {number}\n")
        made = json.loads(mf("build", "bot:v1", "--json").out)
        kept.append(re.sub(r"(sha256-.{12})[^-]*", r"\1…", made["kept"] or ""))
    (project / "Modelfile").write_text(LOCAL)
    ran = mf("build", "bot:v1", "--keep", "1")
    assert f"  let go       what was kept longest: {kept[3]}, {kept[2]}, {kept[1]}\n" in ran.err
    assert re.search(r"  kept         what it held, as bot:sha256-[0-9a-f]{12}…-v1\n", ran.out)
