"""Plans and builds on a real Ollama server."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.builds import build_request
from tests.support.cli import mf
from tests.support.disturbed import build_on_machines
from tests.support.server import connect
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.builder.execute import build
from modelfile.errors import InputError
from modelfile.events import Progress
from modelfile.locks import name_lock
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.staging import STAGING, staging_name

pytestmark = pytest.mark.live

TEXT = "# For tests.\nFROM ./tiny.gguf\nPARAMETER temperature 0.5\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, tiny: Path) -> Path:
    (tmp_path / ".git").mkdir()
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    (tmp_path / "Modelfile").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", real)
    return tmp_path


def tags(url: str) -> dict[str, str]:
    with connect(url) as client:
        return {tag.name: tag.digest for tag in client.tags()}


def test_a_build_does_what_was_planned(project: Path, real: str) -> None:
    before = tags(real)
    planned = json.loads(mf("build", "planned:main", "--dry-run", "--json").out)
    assert [step["do"] for step in planned["steps"]][-2:] == ["create", "publish"]
    assert tags(real) == before
    assert mf("build", "planned:main").code == 0
    assert mf("build", "planned:main", "--dry-run", "--exit-code").code == 0
    (project / "Modelfile").write_text(TEXT.replace("0.5", "0.7"))
    assert mf("build", "planned:main", "--dry-run", "--exit-code").code == 1
    planned = json.loads(mf("build", "planned:main", "--plan-out", "plan.json", "--json").out)
    assert [(change["name"], change["old"], change["new"]) for change in planned["changes"]] == [
        ("temperature", 0.5, 0.7)
    ]
    built = json.loads(mf("build", "planned:main", "--plan", "plan.json", "--json").out)
    assert built["fingerprint"] == planned["expected_fingerprint"]
    assert built["backup"] in tags(real)
    after = tags(real)
    again = mf("build", "planned:main", "--plan", "plan.json")
    assert (again.code, again.out) == (0, f"planned:main is up to date: {built['fingerprint']}\n")
    (project / "Modelfile").write_text(TEXT.replace("0.5", "0.9"))
    changed = mf("build", "planned:main", "--plan", "plan.json")
    assert changed.code == 3
    assert '  existing.fingerprint: "mf1:' in changed.err
    assert tags(real) == after


def test_rebuilds_without_a_cache_change_nothing(project: Path, real: str) -> None:
    (project / "upon").mkdir()
    (project / "upon" / "Modelfile").write_text("# For tests.\nFROM current:main\nSYSTEM hello\n")
    assert mf("build", "current:main").code == 0
    assert mf("build", "current:v2", "-f", "upon/Modelfile").code == 0
    before = tags(real)
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])
    assert mf("build", "current:v2", "-f", "upon/Modelfile").out.startswith("current:v2 is up to date: mf1:")
    # without the cache, only a build shows what the server creates from local weights
    assert mf("build", "current:main", "--dry-run", "--exit-code").code == 1
    assert json.loads(mf("build", "current:main", "--keep", "0", "--json").out)["built"]
    assert tags(real) == before


def test_the_case_of_a_quantization_does_not_matter(project: Path) -> None:
    assert project.exists()
    assert mf("build", "typed:v1", "--quantize", "q8_0").code == 0
    assert mf("build", "typed:v1", "--quantize", "Q8_0").out.startswith("typed:v1 is up to date: mf1:")


def test_weights_that_change_during_the_upload_are_rejected(project: Path, real: str) -> None:
    weights = write_tiny_gguf(project / "changing.gguf", seed=7)
    before = tags(real)

    def events(now: Progress) -> None:
        if now.status.startswith("uploading"):
            with weights.open("ab") as file:
                file.write(b"more")

    with connect(real) as client, pytest.raises(InputError, match="has changed since its digest was computed"):
        build(build_request(ModelName.parse("changing:v1"), Recipe(files=(weights,))), ServerStore(client), events)
    assert tags(real) == before


def test_of_two_builds_of_one_name_the_second_waits(project: Path, real: str) -> None:
    (project / "other.Modelfile").write_text(TEXT.replace("0.5", "0.1"))
    name = ModelName.parse("twice:main")
    command = [sys.executable, "-m", "modelfile", "build", "twice:main", "--json", "-f"]
    with name_lock(staging_name(name).full, real, lambda _: None, "build"):
        running = [
            subprocess.Popen([*command, file], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for file in ("Modelfile", "other.Modelfile")
        ]
        for process in running:
            assert process.stderr
            assert any(b"waiting for another build of twice:main" in line for line in process.stderr)
    built = []
    for process in running:
        with process:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
            built.append(json.loads(out))
    assert built[0]["fingerprint"] != built[1]["fingerprint"]
    last = next(result for result in built if result["backup"])
    assert f"sha256:{tags(real)['twice:main']}" == last["digest"]
    assert str(staging_name(name)) not in tags(real)


def test_no_machine_loses_the_model_of_another_one(project: Path, real: str) -> None:
    created = build_on_machines(4, "several:main", TEXT, project)
    after = tags(real)
    assert {*created} == {digest for name, digest in after.items() if name.startswith("several:")}
    assert after["several:main"] in created
    assert not any(STAGING in name for name in after)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_build_can_be_run_again(project: Path, real: str, how: signal.Signals) -> None:
    assert project.exists()
    name = "interrupted:v1"
    before = tags(real)
    command = [sys.executable, "-m", "modelfile", "build", name]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with running:
        assert running.stderr
        assert any(line.startswith(f"{name} on ".encode()) for line in running.stderr)  # its plan: the build begins
        running.send_signal(how)
        running.communicate(timeout=60)
    ours = str(staging_name(ModelName.parse(name)))
    assert {tag: digest for tag, digest in tags(real).items() if tag not in (name, ours)} == before
    assert mf("build", name).code == 0
    assert tags(real).keys() == {*before, name}
