"""Modelfiles are judged by the version of the server that will take them, before anything is sent."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.faults import DropParameter
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.server import connect
from tests.support.tiny_safetensors import write_lora, write_model

from modelfile.builder.api import build
from modelfile.builder.scheduler import Failed
from modelfile.project.project import Project
from modelfile.stores.ollama.store import ServerStore

HEAD = "# For tests.\nFROM ./tiny.gguf\n"
TOO_NEW = {
    "RENDERER qwen3\n": "unknown instruction `RENDERER` in Ollama 0.9.3: added in 0.12.0",
    "REQUIRES 0.20.0\n": "unknown instruction `REQUIRES` in Ollama 0.9.3: added in 0.14.0",
    'TEMPLATE """{{ currentDate }}{{ .Prompt }}"""\n': "unknown function `currentDate` in Ollama 0.9.3: added in ",
    "PARAMETER draft_num_predict 3\n": "unknown parameter `draft_num_predict` in Ollama 0.9.3: added in ",
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "tiny.gguf").write_bytes(tiny.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeOllama, FakeOllama]]:
    with FakeOllama("0.9.3") as old, FakeOllama("0.24.0") as new:
        monkeypatch.setenv("OLLAMA_HOST", old.url)
        yield old, new


def sent(fake: FakeOllama) -> list[str]:
    return [request.method for request in fake.requests if request.method not in ("GET", "HEAD")]


@pytest.mark.parametrize("line", TOO_NEW)
@pytest.mark.parametrize("command", [("build", "bot:v1"), ("pin", "Modelfile"), ("diff", "Modelfile", "x:1")])
def test_what_the_server_is_too_old_for_is_found_before_anything_is_sent(
    project: Path, servers: tuple[FakeOllama, FakeOllama], line: str, command: tuple[str, ...]
) -> None:
    (project / "Modelfile").write_text(HEAD + line)
    ran = mf(*command)
    assert ran.code == 3
    assert TOO_NEW[line] in ran.err
    assert "error: `Modelfile` has errors for Ollama 0.9.3\nhelp: `mf lint --ollama 0.9.3 Modelfile` shows" in ran.err
    assert mf("lint", "--ollama", "0.9.3", "Modelfile").code == 1
    assert sent(servers[0]) == []


def test_each_of_several_servers_judges_by_its_own_version(
    project: Path, servers: tuple[FakeOllama, FakeOllama]
) -> None:
    old, new = servers
    (project / "Modelfile").write_text(HEAD + "REQUIRES 0.20.0\nPARAMETER  top_k 2\n")
    assert mf("build", "bot:v1", "--host", new.url).err.count("extra-space") == 1
    (project / "Modelfile").write_text(HEAD + "REQUIRES 0.20.0\nSYSTEM Be brief.\n")
    ran = mf("build", "bot:v1", "--host", old.url, "--host", new.url)
    assert ran.code == 3
    assert sent(old) == []
    assert [name for name in new.models if "bot" in name], new.models


def test_two_modelfiles_are_compared_by_the_configured_version(project: Path) -> None:
    (project / "Modelfile").write_text(HEAD + "REQUIRES 0.20.0\n")
    (project / "other.Modelfile").write_text(HEAD)
    assert mf("diff", "Modelfile", "other.Modelfile", "--host", "http://127.0.0.1:9").code == 1
    (project / "mf.toml").write_text('ollama = "0.9.3"\n')
    ran = mf("diff", "Modelfile", "other.Modelfile", "--host", "http://127.0.0.1:9")
    assert (ran.code, "unknown instruction `REQUIRES` in Ollama 0.9.3" in ran.err) == (3, True)


def test_errors_of_a_modelfile_are_reported_although_the_server_does_not_answer(project: Path) -> None:
    (project / "Modelfile").write_text(HEAD + "PARAMETER tmperature 1\n")
    for command in (("build", "bot:v1"), ("pin",), ("diff", "Modelfile", "x:1")):
        ran = mf(*command, "--host", "http://127.0.0.1:9")
        assert (ran.code, "unknown parameter `tmperature`" in ran.err) == (3, True), ran


def test_a_folder_that_the_version_of_the_server_takes_is_accepted(
    project: Path, servers: tuple[FakeOllama, FakeOllama]
) -> None:
    old, new = servers
    write_model(project / "m")
    (write_lora(project / "lora") / "model.safetensors").rename(project / "lora" / "adapter_model.safetensors")
    (project / "Modelfile").write_text("# For tests.\nFROM ./m\nADAPTER ./lora\n")
    hint = "ignores `adapter_model.safetensors` (not since 0.12.11: rename it, as in `model.safetensors`)"
    for command in (("lint", "Modelfile"), ("build", "bot:v1", "--host", new.url)):
        ran = mf(*command)
        assert ran.code != 0
        assert hint in ran.out + ran.err
    assert sent(new) == []
    assert mf("lint", "--ollama", "0.9.3", "Modelfile").code == 0
    assert mf("build", "bot:v1", "--dry-run").code == 0
    assert sent(old) == []


@pytest.mark.parametrize(
    ("lines", "allowed", "dropped", "messages"),
    [
        (
            "RENDERER qwen3\nREQUIRES 0.20.0\n",
            {"renderer", "requires"},
            "",
            (
                "renderer: expected qwen3, created none (RENDERER was added in Ollama ",
                "requires: expected 0.20.0, created none (REQUIRES was added in Ollama 0.14.0, this is 0.9.3)",
            ),
        ),
        ("PARAMETER draft_num_predict 3\n", set(), "draft_num_predict", ("`draft_num_predict` was added in Ollama ",)),
    ],
)
def test_a_library_build_without_check_names_the_version_that_added_what_is_dropped(
    project: Path, lines: str, allowed: set[str], dropped: str, messages: tuple[str, ...]
) -> None:
    (project / "Modelfile").write_text(HEAD + lines)
    with FakeOllama("0.9.3", allow=allowed) as old, connect(old.url) as client:
        if dropped:
            old.fault("/api/create", DropParameter(dropped))
        (outcome,) = build([Project().target("bot:v1")], [ServerStore(client)])
        assert isinstance(outcome, Failed)
        assert not old.models
    details = "\n".join(getattr(outcome.error, "details", ()))
    assert all(message in details for message in messages)
