"""The server or the folder that a command works on: options, environment, configuration and the default."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Ran, mf
from tests.support.folder import add_model, contents, digest_of, empty_store
from tests.support.silent import open_silent

from modelfile.addresses import ServerAddress
from modelfile.cli.commands import app
from modelfile.cli.help import GROUPS
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

READING = [
    ["ls"],
    ["show", "bot:v1"],
    ["diff", "bot:v1", "bot:v2"],
    ["find", "sha256:"],
    ["rollback", "bot:v1", "--list"],
]


def folder_with(root: Path, *names: str) -> Path:
    """Return a folder of models, each with its name as SYSTEM."""
    layout = empty_store(root)
    for name in names:
        add_model(layout, name, model=b"GGUF weights", system=name.encode())
    return root


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the current folder, with no server, no home folder, and no models."""
    (tmp_path / ".git").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("OLLAMA_HOST", "")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(ran: Ran) -> list[str]:
    assert (ran.code, ran.err) == (0, "")
    return [model["name"] for model in json.loads(ran.out)]


def test_options_win_over_the_environment_and_this_over_the_configuration(here: Path) -> None:
    (here / "below").mkdir()
    (here / "mf.toml").write_text('store = "configured"\n')
    for place in ("given", "named", "configured"):
        folder_with(here / place, f"{place}:v1")

    def ls(*options: str, **environ: str) -> list[str]:
        opened = mf("ls", "--json", *options, cwd=here / "below", environ=environ, open_store=served)
        return names(opened)

    def served(address: ServerAddress) -> Any:
        return nullcontext(MemoryStore.with_models(f"{address.host}:v1"))

    assert ls() == ["configured:v1"]
    assert ls(OLLAMA_HOST="gpu-1") == ["gpu-1:v1"]
    assert ls(OLLAMA_HOST="gpu-1", MF_STORE="../named") == ["named:v1"]
    assert ls("--store", "../given", MF_STORE="../named") == ["given:v1"]
    assert ls("--host", "gpu-2", MF_STORE="../named") == ["gpu-2:v1"]
    assert ls(MF_STORE="") == ls(MF_STORE=" \t") == ["configured:v1"]
    assert ls(MF_STORE=" ../named\n") == ["named:v1"]


def test_one_of_both_options(here: Path) -> None:
    ran = mf("ls", "--store", "models", "--host", "gpu-1", cwd=here)
    assert (ran.code, ran.err) == (
        2,
        "error: --host and --store cannot be used together\nhelp: pass only one of them\n",
    )
    ran = mf("ls", "--store", "a", "--store", "b")
    assert ran.err.startswith("error: --store given more than once\n")
    ran = mf("ls", "--store", "")
    assert ran.err == "error: --store needs the path of a folder\nhelp: write `--store models`\n"
    assert mf("ls", "--store", " ").err == ran.err
    for arguments, environ, source in (((), {"MF_STORE": "a\tb"}, "MF_STORE"), (("--store", "a\x1bb"), {}, "--store")):
        ran = mf("ls", *arguments, environ=environ)
        assert (ran.code, ran.err) == (2, f"error: {source} has a control character\nhelp: write `--store models`\n")
    (here / "Modelfile").write_text("FROM base:v1\n")
    for store in ("Modelfile", "Modelfile/models"):
        ran = mf("ls", "--store", store, cwd=here)
        assert ran.code == 3
        assert ran.err == (
            f"error: no model store at `{here / store}`: a file is in its place\n"
            "help: name a folder, as in `--store models`\n"
        )
    ran = mf("build", "bot:v1", "--ollama", "0.24.0", open_store=open_silent)
    assert ran.err.startswith("error: --ollama can be used with a folder only\n")
    ran = mf("build", "bot:v1", "--ollama", "newest", "--store", "models")
    assert (ran.code, ran.err.splitlines()[0]) == (2, "error: `newest` is not a version of Ollama, such as 0.14.0")


def test_each_command_with_host_has_store() -> None:
    group: Any = __import__("typer").main.get_command(app)
    for name in (name for commands in GROUPS.values() for name in commands):
        options = {option.name for option in group.get_command(None, name).params}
        assert "host" not in options or "store" in options, name


@pytest.mark.parametrize("command", READING)
def test_without_a_server_commands_that_read_use_its_folder(here: Path, command: list[str]) -> None:
    models = folder_with(here / "home" / ".ollama" / "models", "bot:v1", "bot:v2")
    before = contents(models)
    command = [argument if argument != "sha256:" else contents_digest(models) for argument in command]
    ran = mf(*command, cwd=here, open_store=open_silent)
    line = f"no Ollama server answers at http://127.0.0.1:11434: reading the models in {models}\n"
    assert ran.err.count(line) == 1, ran.err
    assert ran.code in (0, 1)
    assert contents(models) == before
    elsewhere = folder_with(here / "elsewhere", "bot:v1", "bot:v2")
    ran = mf(*command, cwd=here, open_store=open_silent, environ={"OLLAMA_MODELS": str(elsewhere)})
    assert f"reading the models in {elsewhere}\n" in ran.err


def contents_digest(models: Path) -> str:
    return next((models / "blobs").iterdir()).name.removeprefix("sha256-")


def test_the_folder_is_used_only_if_it_is_there_and_nobody_named_a_server(here: Path) -> None:
    ran = mf("ls", cwd=here, open_store=open_silent)
    assert (ran.code, ran.err) == (3, "error: no Ollama server answers at http://127.0.0.1:11434\n")
    folder_with(here / "home" / ".ollama" / "models", "bot:v1")
    assert mf("ls", "--host", "127.0.0.1", cwd=here, open_store=open_silent).code == 3
    assert mf("ls", cwd=here, open_store=open_silent, environ={"OLLAMA_HOST": "gpu-1"}).code == 3
    assert mf("ls", "-q", cwd=here, open_store=open_silent).err == ""


@pytest.mark.parametrize("command", [["rm", "bot:v1", "--yes"], ["rollback", "bot:v1"], ["pin"], ["build", "new:v1"]])
def test_without_a_server_commands_that_write_name_the_option(here: Path, command: list[str]) -> None:
    folder = folder_with(here / "home" / ".ollama" / "models", "bot:v1")
    (here / "Modelfile").write_text("FROM bot:v1\nSYSTEM Be brief.\n")
    before = contents(folder)
    assert mf(*command, cwd=here, open_store=open_silent).code == 3
    ran = mf(*command, cwd=here, environ={"OLLAMA_HOST": "127.0.0.1:9"})
    assert ran.code == 3
    assert "or use a folder with --store" in ran.err
    assert contents(folder) == before


def test_a_plan_makes_no_folder_and_alone_confirms_none(here: Path) -> None:
    (here / "Modelfile").write_text("FROM bot:v1\nSYSTEM Be brief.\n")
    assert mf("build", "new:v1", "--plan-out", "plan.json", "--store", "models", cwd=here).code == 0
    assert not (here / "models").exists()
    assert json.loads((here / "plan.json").read_text())["plans"][0]["host"] == str(here / "models")
    ran = mf("build", "--plan", "plan.json", cwd=here)
    assert ran.code == 3
    assert ran.err == (
        f"error: no model store at `{here / 'models'}`: there is no such folder\n"
        f"help: only the plan names this folder: pass `--store {here / 'models'}` to confirm it\n"
    )
    assert not (here / "models").exists()
    ran = mf("build", "--plan", "plan.json", "--store", "others", cwd=here)
    assert ran.err == (
        f"error: the plan is for {here / 'models'}, not for {here / 'others'}\n"
        "help: leave out --store, or write a plan for that folder with --plan-out\n"
    )
    (here / "mf.toml").write_text('store = "models"\n')
    assert "to confirm it" not in mf("build", "--plan", "plan.json", cwd=here).err


@pytest.mark.parametrize("folder", ["models", "/srv/../models", "/srv//models", "/srv/models/", "/srv/a\0b", ""])
def test_a_folder_in_a_plan_is_an_absolute_path(here: Path, folder: str) -> None:
    (here / "Modelfile").write_text("FROM bot:v1\nSYSTEM Be brief.\n")
    assert mf("build", "new:v1", "--plan-out", "plan.json", "--store", "models", cwd=here).code == 0
    plan = json.loads((here / "plan.json").read_text())
    plan["plans"][0]["host"] = folder
    (here / "plan.json").write_text(json.dumps(plan))
    ran = mf("build", "--plan", "plan.json", cwd=here)
    assert ran.err == "error: `plan.json` is not a plan\nhelp: write it again with --plan-out\n"


def test_a_folder_that_is_not_needed_may_be_missing(here: Path) -> None:
    (here / "Modelfile").write_text("FROM bot:v1\nSYSTEM a\n")
    (here / "b.Modelfile").write_text("FROM bot:v1\nSYSTEM b\n")
    assert mf("diff", "Modelfile", "b.Modelfile", "--store", "none", cwd=here).code == 1
    assert not (here / "none").exists()
    for command in (["ls"], ["show", "bot:v1"], ["rm", "bot:v1", "-y"], ["diff", "Modelfile", "bot:v1"]):
        ran = mf(*command, "--store", "none", cwd=here)
        assert ran.err == (
            f"error: no model store at `{here / 'none'}`: there is no such folder\n"
            "help: check its path; a build or a pull makes a store there\n"
        )
        assert ran.code == 3
        assert not (here / "none").exists()


def test_models_of_a_folder_beside_those_of_a_server(here: Path) -> None:
    folder_with(here / "models", "llama3.2:3b")

    def served(_: ServerAddress) -> Any:
        return nullcontext(MemoryStore.with_models("llama3.2:3b"))

    sides = ("store:llama3.2:3b", "llama3.2:3b")
    ran = mf("diff", *sides, "--store", "models", "--host", "gpu-1", cwd=here, open_store=served)
    assert (ran.code, ran.err) == (1, "")
    assert "system" in ran.out
    same = mf("diff", *sides, "--store", "models", "--json", cwd=here)
    assert (same.code, json.loads(same.out)["changes"]) == (0, [])
    assert mf("diff", *sides, cwd=here, environ={"MF_STORE": "models"}).code == 0
    assert mf("show", "store:llama3.2:3b", "--store", "models", cwd=here).out.startswith("llama3.2:3b\n")
    assert mf("ls", "store:llama*", "--store", "models", cwd=here).out.count("llama3.2:3b") == 1
    ran = mf("diff", *sides, cwd=here, open_store=served)
    assert (ran.code, ran.err) == (
        2,
        "error: no folder of models was named\nhelp: pass `--store DIR`, or set MF_STORE\n",
    )
    folder_with(here / "home" / ".ollama" / "models", "llama3.2:3b")
    assert mf("diff", *sides, cwd=here, open_store=served).code == 1


def test_a_prefix_of_a_folder_where_a_command_works_on_a_server(here: Path) -> None:
    folder_with(here / "models", "bot:v1", "bot:v2")
    ran = mf("rm", "store:bot:v1", "--yes", cwd=here, open_store=open_silent)
    assert ran.err == "error: no folder for `store:bot:v1`\nhelp: write `--store DIR bot:v1`, or set MF_STORE\n"
    assert mf("rm", "store:bot:v1", "--yes", "--store", "models", cwd=here).out.startswith("removed bot:v1")
    ran = mf("rm", "registry:bot:v2", "--yes", "--store", "models", cwd=here)
    assert ran.err.startswith("error: `registry:bot:v2` does not name a model in a store\n")


def test_what_the_lock_has_of_a_base_is_shown_without_a_server(here: Path) -> None:
    base = Model(weights=(f"sha256:{'1' * 64}",), template="<{{ .System }}> {{ .Prompt }}", system="Be kind.")
    registry = MemoryRegistry({ModelName.parse("base:v1"): base})
    (here / "Modelfile").write_text("FROM base:v1\nPARAMETER top_k 1\n")

    def run(*command: str) -> Ran:
        return mf(*command, cwd=here, open_store=open_silent, open_registry=lambda _: nullcontext(registry))

    prompt = ("show", "Modelfile", "--prompt", "Hi")
    for command in (("show", "Modelfile"), prompt):
        assert run(*command).err == "error: no Ollama server answers at http://127.0.0.1:11434\n"
    assert run("pin").code == 0
    registry.delete(ModelName.parse("base:v1"))
    shown = run("show", "Modelfile", "--json")
    assert (shown.code, shown.err) == (0, "")
    assert (json.loads(shown.out)["system"], json.loads(shown.out)["parameters"]) == ("Be kind.", {"top_k": 1})
    assert run(*prompt) == Ran(0, "<Be kind.> Hi", "")
    compared = run("diff", "lock:base:v1", "Modelfile", "--json")
    assert (compared.code, compared.err) == (1, "")
    changes = [(change["name"], change["old"], change["new"]) for change in json.loads(compared.out)["changes"]]
    assert changes == [("top_k", None, 1)]


def test_commands_in_hints_are_for_the_same_store(here: Path) -> None:
    folder_with(here / "my models", "bot:v1")

    def hint(*command: str, **environ: str) -> str:
        return mf(*command, cwd=here, environ=environ, open_store=served).err.partition("\nhelp: ")[2]

    def served(_: ServerAddress) -> Any:
        return nullcontext(MemoryStore.with_models("bot:v1"))

    show = ("show", "none:v1")
    assert hint(*show, "--store", "my models") == "run `mf ls --store 'my models'` to list its models\n"
    assert hint(*show, "--host", "gpu-1") == "run `mf ls --host gpu-1` to list its models\n"
    assert hint(*show) == hint(*show, MF_STORE="my models") == "run `mf ls` to list its models\n"
    failed = mf(*show, "--store", "my models", "--json", cwd=here)
    assert json.loads(failed.out)["error"]["hint"] == "run `mf ls --store 'my models'` to list its models"


def test_messages_about_a_folder_name_it(here: Path) -> None:
    models = folder_with(here / "models", "bot:v1")
    for command, text in (
        (["show", "none:v1"], f"none:v1 not found in {models}"),
        (["ls", "none"], f"no model in {models} matches `none`"),
        (["rm", "none:v1", "-y"], f"none:v1 not found in {models}"),
        (["rm", "none*", "-y"], f"no model in {models} matches `none*`"),
        (["rollback", "bot:v1"], f"no backups of bot:v1 in {models}"),
        (["diff", "bot:v1", "none:v1"], f"(looked for none:v1 in {models})"),
        (["find", "0123456"], f"searched: {models}"),
    ):
        ran = mf(*command, "--store", "models", cwd=here)
        assert text in ran.out + ran.err, ran
        assert "server" not in ran.err
    found = mf("find", contents_digest(models), "--store", "models", cwd=here)
    assert "  store: " in found.out
    (here / "Modelfile").write_text("FROM bot:v1\nSYSTEM Be brief.\n")
    assert json.loads(mf("build", "bot:v2", "--dry-run", "--json", "--store", "models").out)["host"] == str(models)


def test_manifest_of_a_model_in_a_folder_is_shown_to_the_byte(here: Path) -> None:
    folder = folder_with(here / "models", "bot:v1")
    text = (folder / "manifests/registry.ollama.ai/library/bot/v1").read_bytes().decode()
    for name, options in (
        ("bot:v1", ("--store", "models")),
        ("store:bot:v1", ("--store", "models", "--host", "gpu-1")),
    ):
        assert mf("show", name, "--raw", *options).out == text
        shown = json.loads(mf("show", name, "--layers", "--json", *options).out)
        assert (shown["name"], shown["store"]) == ("bot:v1", str(folder))
        assert [layer["kind"] for layer in shown["layers"]] == ["model", "system"]
    assert f"  store        {folder}\n" in mf("show", "bot:v1", "--layers", "--store", "models").out
    ran = mf("show", "bot:v2", "--raw", "--store", "models")
    assert ran.err.startswith(f"error: bot:v2 not found in {folder}\n")
    ran = mf("show", "bot:v1", "--layers", open_store=open_silent)
    assert ran.err == (
        "error: --layers needs a model in a registry or a folder\n"
        "help: write `registry:bot:v1`, or name a folder with --store\n"
    )


def test_hints_name_the_folder(here: Path) -> None:
    folder_with(here / "models", "bot:v1", "bot:v2")
    assert "run `mf ls --store models`" in mf("store", "save", "x:v1", "-o", "a.tar", "--store", "models").err
    ran = mf("cp", "bot:v1", "bot:v2", "--replace", "--store", "models")
    assert "`mf rollback bot:v2 --replace --store models` restores it\n" in ran.out
    ran = mf("rollback", "bot:v2", "--replace", "--store", "models")
    assert "`mf rollback bot:v2 --replace --store models` restores that\n" in ran.out
    (here / "models/manifests/registry.ollama.ai/library/bot/v1").write_bytes(b"")
    ran = mf("store", "prune", "--store", "models")
    assert ran.err.endswith("help: run `mf store check --repair --store models`\n")
    ran = mf("store", "check", "--store", "models")
    assert "  help: run `mf store check --repair --store models`\n" in ran.out


def test_damaged_model_can_be_restored(here: Path) -> None:
    folder = folder_with(here / "models", "bot:v1")
    (folder / "blobs" / digest_of(b"GGUF weights").replace(":", "-")).unlink()
    ran = mf("show", "bot:v1", "--store", "models")
    assert ran.err.endswith(
        f"error: bot:v1 is listed in {folder}, but cannot be read\n"
        "help: restore it with `mf store check --repair --store models`\n"
    )


def test_names_that_differ_in_case_only_are_different_models(here: Path) -> None:
    def left() -> set[str]:
        return {*names(mf("ls", "--json", "--store", "models"))}

    folder_with(here / "models", "bot:v1", "BOT:v1")
    for name in ("bot:v1", "BOT:v1"):
        assert json.loads(mf("show", name, "--json", "--store", "models").out)["system"] == name
        assert mf("rm", name, "--yes", "--store", "models").out.startswith(f"removed {name} ")
        assert left() == {"bot:v1", "BOT:v1"} - {name}
        folder_with(here / "models", "bot:v1", "BOT:v1")
    ran = mf("cp", "BOT:v1", "bot:v1", "--replace", "--store", "models")
    assert ran.out.startswith("BOT:v1 -> bot:v1\n"), ran
    assert json.loads(mf("show", "bot:v1", "--json", "--store", "models").out)["system"] == "BOT:v1"
    assert mf("rm", "Bot:V1", "--yes", "--store", "models").code == 0
    assert len(left()) == 1
