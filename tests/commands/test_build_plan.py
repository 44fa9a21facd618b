"""`mf build --plan-out` and `--plan`: plans that are saved, and executed later if nothing has changed."""

import json
import re
from pathlib import Path

import pytest
from tests.fakes.faults import Status
from tests.fakes.ollama import FakeOllama
from tests.support.building import BASE, LOCAL, UPON, digests
from tests.support.cli import mf
from tests.support.tiny_gguf import write_tiny_gguf
from tests.unit.weights.test_checks import write_gguf

from modelfile.builder.planfile import PlanFile
from modelfile.project.project import Project


def test_a_saved_plan_is_executed_as_it_was_printed(project: Path, fake: FakeOllama) -> None:
    printed = mf("build", "bot:v1", "--plan-out", "plan.json", "--json")
    assert json.loads((project / "plan.json").read_text())["plans"] == [json.loads(printed.out)]
    assert not fake.models
    assert mf("build", "bot:v1", "--plan", "plan.json").code == 0
    assert [*fake.models] == ["bot:v1"]


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ("name", 'existing.name: nothing then, "bot:v1" now\n  existing.digest: nothing then, "sha256:'),
        ("base", 'base.digest: "sha256:'),
        ("version", 'ollama: "0.9.3" then, "0.9.6" now'),
        ("text", 'steps[0].request.license[0]: nothing then, "MIT" now'),
        ("blob", 'steps[0].do: "create" then, "upload" now\nhelp: nothing was changed; write it again with --plan-out'),
        ("steps", 'steps[0].do: "create" then, nothing now'),
        ("server", 'existing.name: "bot:v1" then, nothing now'),
    ],
)
def test_a_plan_is_out_of_date_after_a_change(project: Path, fake: FakeOllama, change: str, difference: str) -> None:
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(UPON)
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    if change == "steps":  # what comes of the weights was not known then
        (project / "Modelfile").write_text(LOCAL)
    if change == "blob":
        (project / "Modelfile").write_text(BASE + "LICENSE MIT\n")
    if change == "server":
        assert mf("build", "bot:v1").code == 0
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    match change:
        case "name":
            (project / "other.Modelfile").write_text(UPON + "LICENSE MIT\n")
            assert mf("build", "bot:v1", "-f", "other.Modelfile").code == 0
        case "base":
            (project / "base.Modelfile").write_text(BASE + "SYSTEM changed\n")
            assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
        case "version":
            fake.version = "0.9.6"
        case "steps":
            assert mf("build", "bot:v1").code == 0
        case "server":
            del fake.models["bot:v1"]
        case "text":
            (project / "Modelfile").write_text(UPON + "LICENSE MIT\n")
        case _:
            (weights,) = (digest for digest, blob in fake.blobs.items() if blob.startswith(b"GGUF"))
            del fake.blobs[weights]
    before = digests(fake)
    ran = mf("build", "bot:v1", "--plan", "plan.json")
    assert ran.code == 3
    assert ran.err.startswith("error: the plan for bot:v1 in `plan.json` is out of date:\n  ")
    assert f"\n  {difference}" in ran.err
    assert digests(fake) == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`plan.json` is not a plan"),
        ("[]", "`plan.json` is not a plan"),
        ("[" * 100_000, "`plan.json` is not a plan"),
        ('{"version": 1, "plans": []}', "`plan.json` is not a plan"),
        ('{"version": 1, "keep": 3, "replace": false, "models": [], "plans": [1]}', "`plan.json` is not a plan"),
        (
            '{"version": 2, "keep": 3, "replace": false, "models": [], "plans": []}',
            "plan version 2 of `plan.json` is not supported",
        ),
        (
            '{"version": true, "keep": 3, "replace": false, "models": []}',
            "plan version true of `plan.json` is not supported",
        ),
        (f'{{"version": {"1" * 5000}}}', "`plan.json` is not a plan"),
        (f'{{"version": "{"1" * 5000}"}}', f'plan version "{"1" * 80}"… of `plan.json` is not supported'),
    ],
)
def test_a_file_that_is_not_a_plan(project: Path, text: str, message: str) -> None:
    (project / "plan.json").write_text(text)
    ran = mf("build", "bot:v1", "--plan", "plan.json")
    assert (ran.code, ran.err) == (3, f"error: {message}\nhelp: write it again with --plan-out\n")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("version", "null"),
        ("keep", '"3"'),
        ("keep", "-1"),
        ("keep", "true"),
        ("keep", "1e400"),
        ("name", '"a b"'),
        ("keep", "1" * 5000),
        ("replace", "0"),
        ("modelfile", "null"),
        ("modelfile", r'"a\\u0000b"'),
        ("modelfile", r'"a\\ud800b"'),
        ("name", r'"a\\ud800:v1"'),
        ("host", r'"http://a\\ud800"'),
        ("host", '"http://a:99999999"'),
        ("quantize", "null"),
        ("base", "[" * 400 + "]" * 400),
    ],
)
def test_a_plan_with_an_invalid_value(project: Path, fake: FakeOllama, key: str, value: str) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    text = (project / "plan.json").read_text()
    (project / "plan.json").write_text(re.sub(f'"{key}": [^,\n]+', f'"{key}": {value}', text, count=1))
    ran = mf("build", "--plan", "plan.json")
    assert (ran.code, ran.err.splitlines()[-1]) == (3, "help: write it again with --plan-out")
    assert not fake.models


def test_a_plan_file_without_the_plan(project: Path) -> None:
    (project / "plan.json").write_text('{"version": 1, "keep": 3, "replace": false, "models": [], "plans": []}')
    ran = mf("build", "--plan", "plan.json")
    assert (ran.code, ran.err) == (3, "error: `plan.json` has no plan for any model\nhelp: it has nothing\n")
    (project / "plan.json").write_text(
        '{"version": 1, "keep": 3, "replace": false, "plans": [],'
        ' "models": [{"name": "bot:v1", "modelfile": "Modelfile", "quantize": ""}]}'
    )
    for names in ((), ("bot:v1",)):
        ran = mf("build", *names, "--plan", "plan.json")
        what = "bot:v1" if names else "any model"
        assert (ran.code, ran.err) == (3, f"error: `plan.json` has no plan for {what}\nhelp: it has nothing\n")
    missing = mf("build", "bot:v1", "--plan", "missing")
    assert (missing.code, missing.err) == (3, "error: cannot read `missing`: no such file or directory\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    text = (project / "plan.json").read_text()
    (project / "plan.json").write_text(text.replace('"name": "bot:v1"', '"name": "x:v1"', 1))
    assert "error: `plan.json` has no plan for x:v1 on http://" in mf("build", "--plan", "plan.json").err


def test_the_plan_of_a_project_is_executed_as_a_whole_or_not_at_all(models: Path, fake: FakeOllama) -> None:
    assert mf("build", "--plan-out", "plan.json").code == 0
    assert mf("build", "--plan", "plan.json").code == 0
    before = digests(fake)
    assert before.keys() == {"base:v1", "bot:v1"}
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 1\n")
    ran = mf("build", "--plan", "plan.json")
    assert ran.code == 3
    assert "the plan for base:v1 in `plan.json` is out of date" in ran.err
    assert digests(fake) == before


def test_a_model_can_be_built_from_its_own_name(project: Path) -> None:
    assert mf("build", "bot:v1").code == 0
    (project / "Modelfile").write_text("# For tests.\nFROM bot:v1\nSYSTEM hello\n")
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    assert mf("build", "--plan", "plan.json").code == 0
    assert json.loads(mf("show", "bot:v1", "--json").out)["system"] == "hello"
    assert mf("build", "bot:v1").out.startswith("bot:v1 is up to date")


def test_a_plan_for_two_servers_is_executed_on_both_or_on_neither(project: Path, fake: FakeOllama) -> None:
    with FakeOllama() as other:
        both = ("--host", fake.url, "--host", other.url)
        assert mf("build", "bot:v1", "--plan-out", "plan.json", *both).code == 0
        assert mf("build", "bot:v1", "--host", other.url).code == 0
        assert project.exists()
        assert mf("build", "bot:v1", "--plan", "plan.json", *both).code == 3
    assert not fake.models


@pytest.mark.parametrize("whole_project", [True, False])
def test_a_plan_needs_only_its_file_and_the_modelfiles(  # in CI, another job executes it after an approval
    models: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, *, whole_project: bool
) -> None:
    (models / "plans").mkdir()
    named = () if whole_project else ("base:v1",)
    assert mf("build", *named, "--plan-out", "plans/now.json", "--keep", "1").code == 0
    planned = json.loads((models / "plans" / "now.json").read_text())
    base = {"name": "base:v1", "modelfile": "../base.Modelfile", "quantize": ""}
    bot = {"name": "bot:v1", "modelfile": "../Modelfile", "quantize": ""}
    assert (planned["keep"], planned["models"]) == (1, [bot, base] if whole_project else [base])
    (models / "mf.toml").unlink()
    (models / "elsewhere").mkdir()
    monkeypatch.chdir(models / "elsewhere")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    ran = mf("build", "--plan", "../plans/now.json", "--json")
    assert ran.code == 0, ran
    assert [(built["name"], built["host"]) for built in json.loads(ran.out)] == [
        (plan["name"], fake.url) for plan in planned["plans"]
    ]
    assert {*fake.models} == {model["name"] for model in planned["models"]}


def test_a_plan_file_has_the_options_of_the_build(models: Path) -> None:
    write_tiny_gguf(models / "weights.gguf")
    (models / "mf.toml").write_text((models / "mf.toml").read_text() + 'quantize = "q4_K_M"\n')
    assert mf("build", "base:v1", "--plan-out", "plan.json", "--keep", "1").code == 0
    plan_file = PlanFile(Path("plan.json"))
    (target,) = plan_file.targets(Project())
    assert (str(target.name), target.path.resolve()) == ("base:v1", models.resolve() / "base.Modelfile")
    assert (target.quantize, plan_file.keep) == ("q4_K_M", 1)


def test_paths_in_a_plan_are_correct_across_symlinks(project: Path, fake: FakeOllama, tmp_path: Path) -> None:
    (project / "deep" / "er").mkdir(parents=True)
    (project / "deep" / "linked.Modelfile").symlink_to(project / "Modelfile")
    (project / "deep" / "weights.gguf").symlink_to(project / "weights.gguf")
    (project / "link").symlink_to(project / "deep" / "er")
    assert mf("build", "bot:v1", "-f", "deep/linked.Modelfile", "--plan-out", "link/plan.json").code == 0
    (model,) = json.loads((tmp_path / "deep" / "er" / "plan.json").read_text())["models"]
    assert model["modelfile"] == "../linked.Modelfile"
    assert mf("build", "--plan", "link/plan.json").code == 0
    assert [*fake.models] == ["bot:v1"]


def test_options_of_the_build_cannot_be_given_with_a_plan(project: Path, fake: FakeOllama) -> None:
    assert project.exists()
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    for options in ("-f Modelfile", "--quantize q4_K_M", "--keep 3", "--keep 0", "--latest", "--replace"):
        for named in ((), ("bot:v1",)):
            ran = mf("build", *named, "--plan", "plan.json", *options.split())
            what = "--file, --quantize, --with, --latest, --keep or --replace: a plan has its own"
            assert (ran.code, ran.err.splitlines()[0]) == (2, f"error: --plan cannot be used with {what}")
    elsewhere = mf("build", "--plan", "plan.json", "--host", "127.0.0.1:9")
    message = f"error: the plan is for {fake.url}, not for http://127.0.0.1:9"
    hint = "help: leave out --host, or write a plan for that server with --plan-out"
    assert (elsewhere.code, elsewhere.err.splitlines()) == (2, [message, hint])
    other = mf("build", "bot:v2", "--plan", "plan.json")
    lines = ["error: `plan.json` has no plan for bot:v2", f"help: it has bot:v1 on {fake.url}"]
    assert (other.code, other.err.splitlines()) == (3, lines)
    assert not fake.models
    assert mf("build", "BOT:V1", "--plan", "plan.json", "--host", fake.url).code == 0


def test_a_modelfile_from_standard_input_cannot_be_planned(project: Path) -> None:
    ran = mf("build", "bot:v1", "-f", "-", "--plan-out", "plan.json")
    assert (ran.code, ran.err.splitlines()[0]) == (
        2,
        "error: --plan-out cannot be used with a Modelfile from standard input",
    )
    assert not (project / "plan.json").exists()


def test_the_plan_of_a_project_fails_if_one_model_cannot_be_planned(models: Path, fake: FakeOllama) -> None:
    assert mf("build", "--plan-out", "plan.json").code == 0
    (models / "base.Modelfile").unlink()
    ran = mf("build", "--plan", "plan.json", "--json")
    message = json.loads(ran.out)["error"]["message"]
    assert (ran.code, message) == (3, "cannot read `base.Modelfile`: no such file or directory")
    assert not fake.models


MODELFILE = (
    '# The bot.\nFROM ./weights.gguf\nPARAMETER stop a\nPARAMETER num_ctx 64\nSYSTEM """One.\nTwo.\n"""\n'
    f"MESSAGE user {'x' * 200}\nTEMPLATE {'{{ .Prompt }}' * 20}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
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
def test_the_difference_of_the_requests_is_printed(
    project: Path, fake: FakeOllama, old: str, new: str, difference: str
) -> None:
    assert old in MODELFILE
    (project / "Modelfile").write_text(MODELFILE)
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    (project / "Modelfile").write_text(MODELFILE.replace(old, new))
    ran = mf("build", "--plan", "plan.json")
    assert ran.code == 3
    assert difference in ran.err
    assert ".do:" not in ran.err
    assert not fake.models


def test_errors_about_a_plan_redact_secrets(project: Path) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    with (project / "Modelfile").open("a") as file:
        file.write("SYSTEM my key sk-ant-Zq9mT4vLx82NbWc7RtYpQe31HsKdJf end\n")
    ran = mf("build", "--plan", "plan.json", "--json")
    difference = f'steps[1].request.system: nothing then, "my key sk-a{"*" * 33} end" now'
    assert f"\n  {difference}\n" in ran.err
    assert json.loads(ran.out)["error"]["message"].endswith(f"\n  {difference}")


def test_the_difference_of_the_weights_is_printed(project: Path) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    (project / "weights.gguf").write_bytes(b"GGUF" + bytes(60) + b"others")
    lines = [line.split("sha256:")[0] for line in mf("build", "--plan", "plan.json").err.splitlines()]
    assert lines[1:3] == ['  steps[0].digest: "', "  steps[0].size: 71 then, 70 now"]


@pytest.mark.parametrize("changed", ["Modelfile", "weights.gguf"])
def test_a_plan_with_nothing_to_do_is_out_of_date_after_a_change(project: Path, changed: str) -> None:
    assert mf("build", "bot:v1").code == 0
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    assert mf("build", "--plan", "plan.json").code == 0
    content = LOCAL.encode() + b"LICENSE MIT\n" if changed == "Modelfile" else b"GGUF" + bytes(60) + b"others"
    (project / changed).write_bytes(content)
    ran = mf("build", "--plan", "plan.json")
    assert (ran.code, "\n  steps[0].do: nothing then, " in ran.err) == (3, True)


def test_the_command_to_execute_a_written_plan_is_printed(project: Path) -> None:
    for options in ((), ("--json",)):
        ran = mf("build", "bot:v1", "--plan-out", "my plan.json", *options)
        assert ran.err == "wrote the plan to `my plan.json`; execute it with `mf build --plan 'my plan.json'`\n"
    assert mf("build", "bot:v1", "--plan-out", "-").code == 2
    assert not (project / "-").exists()


@pytest.mark.parametrize("text", ["# Notes.\n", "{}", "\0", '{"version": 1}', "[" * 100_000])
def test_a_plan_replaces_no_other_file(project: Path, fake: FakeOllama, text: str) -> None:
    (project / "notes").write_text(text)
    ran = mf("build", "bot:v1", "--plan-out", "notes")
    hint = "write the plan to another file, or remove this one first"
    assert (ran.code, ran.err) == (3, f"error: `notes` exists and is not a plan\nhelp: {hint}\n")
    assert (project / "notes").read_text() == text
    assert not fake.requests
    (project / "notes").write_text("")
    for _ in range(2):
        assert mf("build", "bot:v1", "--plan-out", "notes").code == 0


def test_a_plan_may_name_files_whose_names_are_not_utf_8(project: Path, fake: FakeOllama) -> None:
    (project / "b\udcff.Modelfile").write_text("# For tests.\nFROM ./weights.gguf\n")
    ran = mf("build", "bot:v1", "-f", "b\udcff.Modelfile", "--plan-out", "plan.json")
    assert ran.code == 0, ran
    assert '"modelfile": "b\\udcff.Modelfile"' in (project / "plan.json").read_text(encoding="utf-8")
    assert mf("build", "--plan", "plan.json").code == 0
    assert [*fake.models] == ["bot:v1"]


def test_the_hint_for_a_missing_modelfile_is_the_option_that_names_it(models: Path) -> None:
    (models / "Modelfile").unlink()
    assert mf("build", "x:v1").err == (
        "error: cannot read `Modelfile`: no such file or directory\n"
        "help: name the Modelfile, as in `--file bot/Modelfile`; `mf build` alone builds bot:v1, base:v1\n"
    )


def test_a_plan_names_the_adapters(project: Path) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM ./weights.gguf\nADAPTER ./a.gguf\n")
    for kind in ("adapter", "projector"):
        write_gguf(project / "a.gguf", {"general.type": kind})
        assert f"  create       from weights.gguf, with the {kind} a.gguf, " in mf("build", "bot:v1", "--dry-run").out


def test_a_plan_names_the_backups_to_evict(project: Path) -> None:
    backups = []
    for number in range(4):
        (project / "Modelfile").write_text(f"# For tests.\nFROM ./weights.gguf\nPARAMETER seed {number}\n")
        built = json.loads(mf("build", "bot:v1", "--json").out)
        backups.append(re.sub(r"(sha256-.{12})[^-]*", r"\1…", built["backup"] or ""))
    (project / "Modelfile").write_text(LOCAL)
    ran = mf("build", "bot:v1", "--keep", "1")
    assert f"  evict        {backups[3]}, {backups[2]}, {backups[1]}\n" in ran.err
    assert re.search(r"  backup       bot:sha256-[0-9a-f]{12}…-v1\n", ran.out)


@pytest.mark.parametrize("configured", [True, False])
@pytest.mark.usefixtures("project")
def test_a_plan_does_not_decide_who_gets_the_key(fake: FakeOllama, configured: bool) -> None:
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    fake.keys.clear()
    fake.fault("", Status(401, '{"error": "unauthorized"}'), times=99)
    environ = {"OLLAMA_API_KEY": "geheim-0123456789"} | ({} if configured else {"OLLAMA_HOST": "127.0.0.1:9"})
    ran = mf("build", "--plan", "plan.json", environ=environ)
    assert ran.code == 3
    assert fake.keys == {"Bearer geheim-0123456789" if configured else ""}
    confirm = f"OLLAMA_API_KEY was not sent, as only the plan names this server: pass `--host {fake.url}` to confirm it"
    hint = "it rejects the key in OLLAMA_API_KEY" if configured else confirm
    assert ran.err == f"error: {fake.url} refused: unauthorized\nhelp: {hint}\n"
    fake.keys.clear()
    assert mf("build", "--plan", "plan.json", "--host", fake.url, environ=environ).code == 3
    assert fake.keys == {"Bearer geheim-0123456789"}
