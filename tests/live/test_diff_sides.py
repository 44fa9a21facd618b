"""Two versions of a model, built on a real server and compared from wherever they are: one answer."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from tests.live.test_registries import request
from tests.support.cli import mf
from tests.support.real_ollama import serve
from tests.support.registry import available, registry
from tests.support.repository import git
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.cli.options import _open_registries

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not available(), reason="docker-registry is not installed (apt-get install docker-registry)"),
]

BASE = "# The base.\nFROM ./tiny.gguf\nTEMPLATE {{ .System }} {{ .Prompt }}\nPARAMETER num_ctx 512\nLICENSE MIT\n"
BOT = """\
# Answers in few words.
FROM base:v1
SYSTEM You are terse.
PARAMETER temperature 0.2
PARAMETER stop <a>
MESSAGE user Hi
MESSAGE assistant Yo
"""
NEXT = BOT.replace("terse", "very terse").replace("0.2", "0.7").replace("<a>", "<b>").replace("Yo", "Yo!")


def answer(*arguments: str) -> dict[str, Any]:
    ran = mf("diff", *arguments, "--json", open_registry=_open_registries)
    assert ran.code in (0, 1), ran
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_all_pairs_of_sides_have_one_answer(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q", "-b", "main")
    models = tmp_path / "models"
    models.mkdir()
    Path(".gitignore").write_text("*.gguf\nmodels\n")
    Path("mf.toml").write_text('ollama = "0.9.3"\n')
    Path("tiny.gguf").write_bytes(tiny.read_bytes())
    Path("base.Modelfile").write_text(BASE)
    with registry() as host, serve(models=models) as url:
        server = ("--host", url, "--store", str(models))
        monkeypatch.setenv("OLLAMA_HOST", url)
        assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
        for version, text in (("v1", BOT), ("v2", NEXT)):
            Path("Modelfile").write_text(text)
            assert mf("pin", "--from-server").code == 0
            assert mf("build", f"bot:{version}").code == 0
            git(tmp_path, "add", "-A")
            git(tmp_path, "commit", "-q", "-m", version)
            git(tmp_path, "tag", f"release-{version}")
            published = f"{host}/team/bot:{version}"
            request(url, "/api/copy", source=f"bot:{version}", destination=published)
            request(url, "/api/push", model=published, insecure=True)
        Path("old.Modelfile").write_text(BOT)
        for version in ("v1", "v2"):  # a lock has bases: these are the models as such
            Path(f"lock-{version}.Modelfile").write_text(f"# As pinned.\nFROM {host}/team/bot:{version}\n")
        pinned = mf("pin", "lock-v1.Modelfile", "lock-v2.Modelfile", "--insecure", open_registry=_open_registries)
        assert pinned.code == 0, pinned
        old, new = (
            {
                f"git:release-{version}:Modelfile",
                f"bot:{version}",
                f"store:bot:{version}",
                f"registry:{host}/team/bot:{version}",
                f"lock:{host}/team/bot:{version}",
                modelfile,
            }
            for version, modelfile in (("v1", "old.Modelfile"), ("v2", "Modelfile"))
        )
        expected = answer("bot:v1", "bot:v2", *server)
        assert [change["aspect"] for change in expected["changes"]] == ["parameter", "parameter", "system", "message"]
        written = {each for each in old | new if "odelfile" in each}
        for a, b in product(sorted(old), sorted(new)):
            found = answer(a, b, *server)
            assert found["changes"] == expected["changes"], (a, b)
            for side in ("a", "b"):
                if not {a, b} <= written:  # of two Modelfiles, only what is written is compared
                    assert found[side]["fingerprint"] == expected[side]["fingerprint"], (a, b)
        for a, b in (*product(sorted(old), repeat=2), *product(sorted(new), repeat=2)):
            assert answer(a, b, *server)["same"], (a, b)
    without = answer("git:release-v1:Modelfile", "Modelfile", "--host", "127.0.0.1:9")
    assert [change["aspect"] for change in without["changes"]] == [*("parameter", "parameter", "system", "message")]


def test_weights_of_a_file_and_of_a_model_are_compared_by_their_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    models = tmp_path / "models"
    models.mkdir()
    with serve(models=models) as url:
        monkeypatch.setenv("OLLAMA_HOST", url)
        for number, name in enumerate("ab"):
            write_tiny_gguf(Path(f"{name}.gguf"), number)
            Path(f"{name}.Modelfile").write_text(f"FROM ./{name}.gguf\nTEMPLATE {{{{ .Prompt }}}}\n")
            assert mf("build", f"{name}:v1", "-f", f"{name}.Modelfile").code == 0
        for old in ("a:v1", "store:a:v1", "a.Modelfile"):
            for new in ("b:v1", "store:b:v1"):
                found = answer(old, new, "--host", url, "--store", str(models))["changes"]
                assert [change["aspect"] for change in found] == ["weights"], (old, new)
        weights = [change["aspect"] for change in answer("a.gguf", "b:v1")["changes"]]
        assert weights[:1] == ["weights"]
        assert "tensors" not in weights
