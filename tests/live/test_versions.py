"""Modelfiles that a real Ollama 0.9.3 takes, or refuses: judged by its version before anything is sent."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.real_ollama import serve
from tests.support.server import connect
from tests.support.tiny_safetensors import write_lora, write_model

from modelfile.catalog.versions import Version

pytestmark = pytest.mark.live

HEAD = "# For tests.\nFROM ./tiny.gguf\n"
TOO_NEW = {
    "RENDERER qwen3\n": "unknown instruction `RENDERER` in Ollama 0.9.3: added in ",
    "REQUIRES 0.14.0\n": "unknown instruction `REQUIRES` in Ollama 0.9.3: added in ",
    'TEMPLATE """{{ currentDate }}{{ .Prompt }}"""\n': "unknown function `currentDate` in Ollama 0.9.3: added in ",
}


@pytest.fixture
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Yield the URL of a server of version 0.9.3, and the folder of its models."""
    models = tmp_path_factory.mktemp("models")
    with serve(models=models) as url:
        with connect(url) as client:
            if Version.parse(client.version()) != Version(0, 9, 3):
                pytest.skip("the server of these tests is not 0.9.3")
        yield url, models


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: tuple[str, Path], tiny: Path) -> Path:
    (tmp_path / ".git").mkdir()
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", old[0])
    return tmp_path


@pytest.mark.parametrize("line", TOO_NEW)
def test_what_it_refuses_is_found_before_weights_are_uploaded(project: Path, old: tuple[str, Path], line: str) -> None:
    (project / "Modelfile").write_text(HEAD + line)
    blobs = sorted(old[1].glob("blobs/*"))
    for command in (("build", "bot:v1"), ("pin",), ("diff", "Modelfile", "none:v1")):
        ran = mf(*command)
        assert ran.code == 3
        assert TOO_NEW[line] in ran.err
    assert sorted(old[1].glob("blobs/*")) == blobs


def test_an_adapter_by_a_name_that_only_it_takes_is_built_and_pinned(project: Path) -> None:
    write_model(project / "m")
    (write_lora(project / "lora") / "model.safetensors").rename(project / "lora" / "adapter_model.safetensors")
    (project / "Modelfile").write_text("# For tests.\nFROM ./m\n")
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("# For tests.\nFROM base:v1\nADAPTER ./lora\n")
    assert mf("lint", "--select", "missing-file", "Modelfile").code == 1
    assert mf("lint", "--select", "missing-file", "--ollama", "0.9.3", "Modelfile").code == 0
    ran = mf("build", "bot:v1")
    assert ran.code == 0, ran
    assert mf("diff", "Modelfile", "bot:v1").code == 0
    ran = mf("pin")
    assert ran.code == 0, ran
    assert mf("pin", "--check").code == 0
    assert mf("build", "bot:v1", "--locked", "--dry-run", "--exit-code").code == 0
