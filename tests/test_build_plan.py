"""`mf build --plan-out` and `--plan`: plans that are kept, and done later if the world is still the same."""

import json
from pathlib import Path

import pytest
from tests.building import BASE, UPON, digests
from tests.cli import mf
from tests.fake_ollama import FakeOllama


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
        ("text", "now to be done: create"),
        ("keep", "no longer to be done: keep bot:v1"),
    ],
)
def test_a_plan_is_refused_when_the_world_has_moved(project: Path, fake: FakeOllama, moved: str, told: str) -> None:
    (project / "base.Modelfile").write_text(BASE)
    (project / "Modelfile").write_text(UPON)
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    if moved == "keep":
        (project / "other.Modelfile").write_text(UPON + "LICENSE MIT\n")
        assert mf("build", "bot:v1", "-f", "other.Modelfile").code == 0
    assert mf("build", "bot:v1", "--plan-out", "plan.json").code == 0
    more: tuple[str, ...] = ()
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
            more = ("--no-keep",)
    before = digests(fake)
    refused = mf("build", "bot:v1", "--plan", "plan.json", *more)
    assert refused.code == 3
    assert "the plan for bot:v1 in `plan.json` no longer holds:" in refused.err
    assert told in refused.err
    assert digests(fake) == before


def test_what_is_no_plan(project: Path) -> None:
    (project / "plan.json").write_text("[]")
    assert "is not a plan" in mf("build", "bot:v1", "--plan", "plan.json").err
    (project / "plan.json").write_text('{"version": 2, "plans": []}')
    assert "is a plan of version 2" in mf("build", "bot:v1", "--plan", "plan.json").err
    (project / "plan.json").write_text('{"version": 1, "plans": []}')
    assert "has no plan for bot:v1" in mf("build", "bot:v1", "--plan", "plan.json").err
    assert "cannot be read" in mf("build", "bot:v1", "--plan", "missing").err


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
