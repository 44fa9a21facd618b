"""Commands on a real server, and on its folder: they print the same."""

from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.real_ollama import serve

pytestmark = pytest.mark.live

BASE = "FROM ./tiny.gguf\nTEMPLATE {{ .System }} {{ .Prompt }}\nPARAMETER num_ctx 4096\nLICENSE MIT\n"
BOT = "FROM base:v1\nSYSTEM Be brief.\nMESSAGE user Hi\nMESSAGE assistant Ho\n"
READING = (
    ["ls", "--all", "--json"],
    ["ls", "bot", "--json"],
    ["show", "base:v1", "--json"],
    ["show", "bot:stable", "--modelfile"],
    ["show", "bot:stable", "--prompt", "Hello"],
    ["show", "Modelfile", "--json"],
    ["diff", "base:v1", "bot:stable", "--json"],
    ["diff", "bot:stable", "Modelfile", "--json"],
    ["verify", "--json"],
    ["find", "a1b2c3"],
    ["rollback", "bot:stable", "--list", "--json"],
    ["outdated", "--json"],
    ["build", "bot:next", "--dry-run"],
    ["show", "none:v1"],
)


def test_a_server_and_its_folder_give_the_same_answers(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    models.mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / "mf.toml").write_text('ollama = "0.9.3"\nimmutable = []\n')
    (tmp_path / "tiny.gguf").write_bytes(tiny.read_bytes())
    (tmp_path / "base.Modelfile").write_text(BASE)
    (tmp_path / "Modelfile").write_text(BOT)
    with serve(models=models) as url:
        for command in (
            ["build", "base:v1", "-f", "base.Modelfile", "--host", url],
            ["pin", "--from-server", "--host", url],
            ["build", "bot:stable", "--host", url],
        ):
            assert mf(*command).code == 0
        (tmp_path / "Modelfile").write_text(BOT.replace("brief", "kind"))
        assert mf("build", "bot:stable", "--host", url).code == 0
        for command in READING:
            asked, read = (mf(*command, *option) for option in (["--host", url], ["--store", "models"]))
            assert read.code == asked.code, command
            for old, new in ((asked.out, read.out), (asked.err, read.err)):
                where = f"in {models}, as by Ollama 0.9.3", f"in {models}", str(models), "--store models"
                there = f"on {url}, Ollama 0.9.3", f"on {url}", url, f"--host {url}"
                for one, other in zip(where, there, strict=True):
                    new = new.replace(one, other)  # noqa: PLW2901  # step by step
                assert new == old, command
        same = mf("diff", "bot:stable", "store:bot:stable", "--host", url, "--store", "models", "--json")
        assert same.code == 0
        assert mf("build", "bot:v2", "--store", "models").code == 0
        assert mf("build", "bot:v2", "--host", url).out.startswith("bot:v2 is up to date: mf1:")
