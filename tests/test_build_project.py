"""`mf build` of a whole project, and on several servers."""

import json
from pathlib import Path

from tests.building import BASE, UPON
from tests.cli import mf
from tests.fake_faults import Status
from tests.fake_ollama import FakeOllama

from modelfile.ollama.client import Client


def test_a_project_is_built_in_its_order(models: Path, fake: FakeOllama) -> None:
    planned = json.loads(mf("build", "--dry-run", "--json").out)
    assert [plan["name"] for plan in planned] == ["base:v1", "bot:v1"]
    assert planned[1]["unknown_until"] == "base:v1 is built"
    assert [step["do"] for step in planned[1]["steps"]] == ["create", "copy"]
    ran = mf("build", "--json")
    assert ran.code == 0, ran
    assert [result["built"] for result in json.loads(ran.out)] == [True, True]
    assert not any(result["built"] for result in json.loads(mf("build", "--json").out))
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 1\n")
    (models / "Modelfile").write_text(UPON + "PARAMETER seed 2\n")
    assert mf("build").code == 0
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 3\nLICENSE MIT\n")
    assert mf("build", "base:v1", "-f", "base.Modelfile", "--no-keep").code == 0
    (models / "base.Modelfile").write_text(BASE + "PARAMETER seed 4\nLICENSE BSD\n")
    ahead = json.loads(mf("build", "--dry-run", "--json").out)
    assert [change["aspect"] for change in ahead[1]["changes"]] == ["license"]
    assert mf("build").code == 0
    with Client(fake.url) as client:
        assert client.show("bot:v1").license == "BSD"


def test_what_is_from_one_that_failed_is_left_out(models: Path, fake: FakeOllama) -> None:
    assert models.exists()
    fake.fault("/api/create", Status(500, '{"error": "boom"}'))
    ran = mf("build")
    assert ran.code == 3
    assert [line.split()[0] for line in ran.out.splitlines()] == ["MODEL", "bot:v1", "base:v1"]
    assert "left out: base:v1 failed" in ran.out
    assert "refused: boom" in ran.err
    assert mf("build", "--json").code == 0


def test_the_same_on_two_servers(project: Path, fake: FakeOllama) -> None:
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
    assert dead["error"] == "no Ollama server answers at http://127.0.0.1:9"


def test_one_model_of_the_project_is_built_of_its_own_modelfile(project: Path, fake: FakeOllama) -> None:
    (project / "one").mkdir()
    (project / "Modelfile").rename(project / "one" / "Modelfile")
    (project / "weights.gguf").rename(project / "one" / "weights.gguf")
    (project / "mf.toml").write_text('[models.one]\nmodelfile = "one/Modelfile"\ntag = "v1"\n')
    ran = mf("build", "one:v1")
    assert ran.code == 0, ran
    assert "one:v1" in fake.models
