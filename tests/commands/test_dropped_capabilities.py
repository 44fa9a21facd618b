"""Modelfiles whose TEMPLATE takes capabilities away that the base on the server has: build, diff and show."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf

from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import StoreLocation

THINKING = "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}"
BASE = (
    f"FROM llama3.2:3b\nTEMPLATE {{{{ .Tools }}}}{{{{ range .Messages }}}}{{{{ .Content }}}}{THINKING}{{{{ end }}}}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.Modelfile").write_text(BASE, encoding="utf-8")
    return tmp_path


def build(folder: Path, store: MemoryStore, name: str, *options: str) -> Ran:
    return run(folder, store, "build", f"{name}:v1", "-f", f"{name}.Modelfile", *options)


def run(folder: Path, store: MemoryStore, *arguments: str) -> Ran:
    return mf(*arguments, cwd=folder, open_store=lambda _: nullcontext(store))


@pytest.mark.parametrize(
    ("lines", "dropped"),
    [
        (
            "TEMPLATE {{ .System }} {{ .Prompt }}",
            "drops tools and thinking that base:v1 supports: it lacks `.Tools` and",
        ),
        ("TEMPLATE {{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}", "drops thinking that base:v1 supports"),
        ("SYSTEM Be brief.", None),
        (BASE.partition("\n")[2], None),
    ],
)
def test_capabilities_that_the_base_has_are_missed(folder: Path, lines: str, dropped: str | None) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    first = build(folder, store, "base")
    assert first.code == 0
    assert "the TEMPLATE of" not in first.err
    (folder / "bot.Modelfile").write_text(f"FROM base:v1\n{lines}\n", encoding="utf-8")
    for options in (["--dry-run"], []):
        ran = build(folder, store, "bot", *options)
        assert ("the TEMPLATE of bot:v1 drops" in ran.err) is (dropped is not None)
        assert dropped is None or dropped in ran.err
    assert "the TEMPLATE of" not in build(folder, store, "bot").err


def test_a_plan_has_them_and_is_up_to_date_without(folder: Path) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    store.location = StoreLocation(url="http://127.0.0.1:11434")
    build(folder, store, "base")
    (folder / "bot.Modelfile").write_text("FROM base:v1\nTEMPLATE {{ .Prompt }}\n", encoding="utf-8")
    file = folder / "plan.json"
    assert build(folder, store, "bot", "--plan-out", str(file)).code == 0
    plan = json.loads(file.read_text(encoding="utf-8"))
    assert plan["plans"][0].pop("dropped_capabilities") == ["tools", "thinking"]
    file.write_text(json.dumps(plan), encoding="utf-8")  # as of a machine that cannot predict the model
    ran = run(folder, store, "build", "--plan", str(file), "--json")
    (built,) = json.loads(ran.out)
    assert (ran.code, built["dropped_capabilities"]) == (0, ["tools", "thinking"])


WARNING = (
    "warning: the TEMPLATE of `bot.Modelfile` drops tools and thinking that base:v1 supports: it lacks `.Tools` and"
    " `.Thinking`\nhelp: delete TEMPLATE, or start from the one that `mf show` prints for the base\n"
)


def test_diff_and_show_of_a_modelfile_name_them(folder: Path) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    build(folder, store, "base")
    bot = folder / "bot.Modelfile"
    bot.write_text("FROM base:v1\nTEMPLATE {{ .Prompt }}\n", encoding="utf-8")
    shows = (["show", "bot.Modelfile"], ["show", "bot.Modelfile", "--prompt", "Hi"])
    for command in (*shows, ["diff", "bot.Modelfile", "base:v1"]):
        ran = run(folder, store, *command)
        assert ran.err == WARNING
        ran = run(folder, store, *command, "--json")
        assert (ran.err, json.loads(ran.out)["dropped_capabilities"]) == (WARNING, ["tools", "thinking"])
    shown = run(folder, store, "diff", "bot.Modelfile", "base:v1").out
    assert shown.endswith("  capabilities  (none) -> tools, thinking  gained tools, thinking\n")
    build(folder, store, "bot")
    answers = {name: json.loads(run(folder, store, "show", name, "--json").out) for name in ("bot.Modelfile", "bot:v1")}
    assert answers["bot.Modelfile"]["fingerprint"] == answers["bot:v1"]["fingerprint"]
    assert answers["bot:v1"]["dropped_capabilities"] == []
    bot.write_text("FROM base:v1\nSYSTEM Be brief.\n", encoding="utf-8")
    for command in (["show", "bot.Modelfile", "--json"], ["diff", "base:v1", "bot.Modelfile", "--json"]):
        ran = run(folder, store, *command)
        assert (ran.err, json.loads(ran.out)["dropped_capabilities"]) == ("", [])


@pytest.mark.parametrize(("version", "is_uncertain"), [("0.29.0", False), ("0.30.0", True), ("0.0.0", True)])
def test_weights_may_have_them_since_0_30(folder: Path, version: str, is_uncertain: bool) -> None:
    store = MemoryStore.with_models("llama3.2:3b")
    store.ollama = version
    build(folder, store, "base")
    (folder / "bot.Modelfile").write_text("FROM base:v1\nTEMPLATE {{ .Prompt }}\n", encoding="utf-8")
    for command in ("show", "bot.Modelfile"), ("diff", "bot.Modelfile", "base:v1"), ("build", "bot:v1", "--dry-run"):
        options = ("-f", "bot.Modelfile") if command[0] == "build" else ()
        lines = run(folder, store, *command, *options).err.splitlines()
        ignored = "  Ollama 0.30 and later ignore this TEMPLATE if the chat template inside the weights supports more"
        assert (ignored in lines) is is_uncertain


def test_a_base_of_the_project_that_is_missing_can_be_built(folder: Path) -> None:
    (folder / "bot.Modelfile").write_text("FROM base:v1\n", encoding="utf-8")
    store = MemoryStore.with_models("llama3.2:3b")
    for text, command in (("", "pull"), ('[models.base]\nmodelfile = "base.Modelfile"\ntag = "v1"\n', "build")):
        (folder / "mf.toml").write_text(text, encoding="utf-8")
        error = "error: base base:v1 of `bot.Modelfile` not found on memory:\n"
        assert run(folder, store, "show", "bot.Modelfile").err == f"{error}help: run `mf {command} base:v1`\n"
