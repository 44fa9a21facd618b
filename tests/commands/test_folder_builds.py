"""Builds in a folder: their versions of Ollama, plans, pins and errors."""

import json
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.catalog.versions import NEWEST
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.stores.disk.layout import Layout

BASE = "FROM ./tiny.gguf\nTEMPLATE {{ .Prompt }}\nPARAMETER num_ctx 4096\n"
BOT = "FROM base:v1\nSYSTEM Be brief.\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a base of local weights, and a bot upon it, for the folder `models`; no server answers."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "base").mkdir()
    write_tiny_gguf(tmp_path / "base" / "tiny.gguf")
    (tmp_path / "base" / "Modelfile").write_text(BASE)
    (tmp_path / "Modelfile").write_text(BOT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MF_STORE", "models")
    return tmp_path


def built(*arguments: str) -> Ran:
    ran = mf("build", *arguments)
    assert ran.code == 0, ran
    return ran


def manifest(folder: Path, name: str) -> tuple[Manifest, bytes]:
    """Return the manifest of a model, and its config."""
    layout = Layout(folder / "models")
    found = Manifest.parse(layout.manifest(ModelName.parse(name)).read_text(), name)
    return found, layout.blob(found.config.digest).read_bytes()


def test_files_are_built_as_by_a_version_that_leaves_them_and_models_as_by_the_newest(here: Path) -> None:
    base = built("base:v1", "-f", "base")
    assert f"base:v1 in {here / 'models'}, as by Ollama 0.24.0\n" in base.err
    assert b'"rootfs"' in manifest(here, "base:v1")[1]
    bot = built("bot:v1")
    assert f"bot:v1 in {here / 'models'}, as by Ollama {NEWEST}\n" in bot.err
    assert b'"rootfs"' not in manifest(here, "bot:v1")[1]
    assert built("bot:v1").out.startswith("bot:v1 is up to date: mf1:")


def test_a_version_is_that_of_the_option_or_else_of_the_configuration(here: Path) -> None:
    (here / "mf.toml").write_text('ollama = "0.19.0"\n')
    assert "as by Ollama 0.19.0\n" in built("base:v1", "-f", "base").err
    assert "as by Ollama 0.9.3\n" in built("bot:v1", "--ollama", "v0.9.3").err
    assert b'"rootfs"' in manifest(here, "bot:v1")[1]


def test_a_modelfile_is_judged_by_the_version(here: Path) -> None:
    built("base:v1", "-f", "base")
    (here / "Modelfile").write_text(BOT + "RENDERER qwen3-coder\n")
    ran = mf("build", "bot:v1", "--ollama", "0.9.3")
    assert ran.code == 3
    assert "RENDERER" in ran.err
    assert "0.9.3" in ran.err
    assert not (here / "models/manifests/registry.ollama.ai/library/bot").exists()
    built("bot:v1")


def test_what_only_a_server_can_do_is_rejected_before_anything_is_written(here: Path) -> None:
    for options, message in (
        (["--quantize", "q4_K_M"], "error: "),
        (["--ollama", "0.33.0"], "error: Ollama 0.33.0 rewrites the weights in `base/tiny.gguf`"),
    ):
        ran = mf("build", "base:v1", "-f", "base", *options)
        assert ran.code in (2, 3)
        assert ran.err.startswith(message)
    assert not [path for path in (here / "models").rglob("*") if path.is_file()]


def test_a_plan_is_executed_in_its_folder(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built("base:v1", "-f", "base")
    built("bot:v1", "--plan-out", "plan.json")
    monkeypatch.delenv("MF_STORE")
    ran = built("--plan", "plan.json", "--json")
    (done,) = json.loads(ran.out)
    assert (done["name"], done["host"]) == ("bot:v1", str(here / "models"))
    assert [model["name"] for model in json.loads(mf("ls", "--json", "--store", "models").out)] == ["bot:v1", "base:v1"]


def test_weights_are_pinned_and_verified_without_a_server(here: Path) -> None:
    assert mf("pin", "base").code == 0
    entry = json.loads((here / "mf.lock").read_text())["modelfiles"]["base/Modelfile"]
    assert entry["ollama"] == "0.24.0"
    assert entry["fingerprint"].startswith("mf1:")
    assert mf("ls", "--all").out == ""
    built("base:v1", "-f", "base", "--locked")
    assert mf("pin", "--from-server").code == 0
    built("bot:v1", "--locked")
    assert mf("verify", "bot:v1", "base:v1").code == 0
    (here / "Modelfile").write_text(BOT.replace("brief", "kind"))
    (change,) = json.loads(mf("diff", "bot:v1", "Modelfile", "--json").out)["changes"]
    assert (change["old"], change["new"]) == ("Be brief.", "Be kind.")


def test_pins_of_a_version(here: Path) -> None:
    assert mf("pin", "base", "--ollama", "0.9.3").code == 0
    entry = json.loads((here / "mf.lock").read_text())["modelfiles"]["base/Modelfile"]
    assert entry["ollama"] == "0.9.3"


def test_tags_are_rolled_back(here: Path) -> None:
    built("base:v1", "-f", "base")
    built("bot:stable")
    before = mf("show", "bot:stable").out
    (here / "Modelfile").write_text(BOT.replace("brief", "kind"))
    built("bot:stable")
    assert mf("show", "bot:stable").out != before
    assert mf("rollback", "bot:stable").code == 0
    assert mf("show", "bot:stable").out == before
