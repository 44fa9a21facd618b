"""`mf build` where the configuration does not allow the registry of a base."""

from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import asked
from tests.support.cli import mf

ALLOWED = 'ignore = ["MF211"]\nregistries = ["hf.co"]\n'
REFUSED = (
    "base team/base:v1: registry not allowed: `registry.ollama.ai`\n"
    "help: add the host to `registries` in the configuration, or use a model from another\n"
)
OWN = """
[models."team/base"]
modelfile = "base.Modelfile"
tag = "v1"
"""
PULL = {("POST", "/api/pull")}
NAMED = """
[models.bot]
modelfile = "Modelfile"
tag = "v1"
"""


@pytest.fixture
def upon(project: Path) -> Path:
    (project / "Modelfile").write_text("# The bot.\nFROM team/base:v1\nSYSTEM hello\n")
    (project / "base.Modelfile").write_text("# The base.\nFROM ./weights.gguf\n")
    (project / "mf.toml").write_text(ALLOWED)
    return project


@pytest.mark.parametrize("options", [(), ("--dry-run",), ("--json",), ("--plan-out", "plan.json")])
@pytest.mark.usefixtures("upon")
def test_a_server_pulls_from_no_registry_that_is_not_allowed(fake: FakeOllama, options: tuple[str, ...]) -> None:
    ran = mf("build", "bot:v1", *options)
    assert ran.code == 3
    assert REFUSED.splitlines()[0] in ran.out + ran.err
    assert {method for method, _ in asked(fake)} <= {"GET"}


@pytest.mark.usefixtures("upon")
def test_a_base_that_is_not_allowed_is_refused_on_the_server_too(fake: FakeOllama) -> None:
    assert mf("build", "team/base:v1", "-f", "base.Modelfile").code == 0
    before = len(fake.requests)
    ran = mf("build", "bot:v1")
    assert (ran.code, ran.err) == (3, f"error: `Modelfile`: {REFUSED}")
    assert ("POST", "/api/create") not in asked(fake, before)


def test_a_base_of_the_project_may_have_any_name_but_is_not_pulled(upon: Path, fake: FakeOllama) -> None:
    (upon / "mf.toml").write_text(ALLOWED + NAMED + OWN)
    ran = mf("build", "bot:v1")
    assert (ran.code, REFUSED in ran.err, asked(fake) & PULL) == (3, True, set())
    assert mf("build").code == 0
    assert asked(fake) & PULL == set()
    assert mf("build").code == 0
    assert mf("build", "bot:v1").code == 0
