"""All commands on a real Ollama server, with a GGUF written by gguf-py and with Gemma 3 270M."""

import json
import shutil
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT
from tests.support.real_ollama import gemma, serve
from tests.support.server import connect
from tests.support.tiny_gguf import write_tiny_gguf

from modelfile.names import ModelName
from modelfile.pinning.check import check_pins
from modelfile.project.project import Project
from modelfile.recipe.model import Model, fingerprint
from modelfile.stores.ollama.store import ServerStore

pytestmark = pytest.mark.live

GEMMA_DIGEST = "sha256:a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, tiny: Path) -> Path:
    (tmp_path / ".git").mkdir()
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", real)
    return tmp_path


def model(url: str, name: str) -> Model:
    with connect(url) as client:
        found = ServerStore(client).find(ModelName.parse(name))
    assert found is not None
    return found.model


def test_build_pin_and_diff(project: Path, real: str) -> None:
    base, bot = project / "base.Modelfile", project / "bot" / "Modelfile"
    base.write_text("# The base.\nFROM ./tiny.gguf\nPARAMETER seed 512\n")
    bot.parent.mkdir()
    bot.write_text('# The bot.\nFROM base:v1\nPARAMETER temperature 0.2\nPARAMETER stop <a>\nSYSTEM """You\nare."""\n')
    assert mf("lint").code == 0
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    first = mf("build", "bot:v1.0", "-f", "bot/Modelfile", "--json")
    again = mf("build", "bot:v1.0", "-f", "bot/Modelfile", "--json")
    assert (first.code, again.code) == (0, 0)
    assert json.loads(first.out) == {**json.loads(again.out), "built": True}
    assert json.loads(first.out)["fingerprint"] == fingerprint(model(real, "bot:v1.0"))

    assert mf("pin").code == 0
    pinned = (project / "mf.lock").read_bytes()
    assert json.loads(pinned)["modelfiles"]["bot/Modelfile"]["fingerprint"] == json.loads(first.out)["fingerprint"]
    assert mf("pin", "--check").code == 0
    assert mf("pin").code == 0
    assert (project / "mf.lock").read_bytes() == pinned

    bot.write_text(bot.read_text().replace("0.2", "0.7"))
    assert mf("build", "bot:v1.1", "-f", "bot/Modelfile").code == 0
    changed = mf("diff", "v1.0", "v1.1", cwd=bot.parent)
    assert (changed.code, changed.out.splitlines()[2:]) == (
        1,
        ["behavior (may change answers)", "  temperature  0.2 -> 0.7  default 0.8"],
    )
    assert mf("diff", "bot:v1.1", "bot/Modelfile").code == 0
    bot.write_text(bot.read_text().replace("0.7", "0.2"))

    base.write_text(base.read_text().replace("512", "1024"))
    assert mf("build", "base:v1", "-f", "base.Modelfile", "--replace").code == 0
    check = mf("pin", "--check")
    assert (check.code, check.out) == (1, "base.Modelfile: has changed since `mf pin`\n")
    with connect(real) as client:
        drift = check_pins(Project().modelfiles(["bot"]), ServerStore(client)).drifts[0]
    assert str(drift).startswith(f"bot/Modelfile: its base base:v1 on {real} has changed since `mf pin` (mf1:")
    built = mf("build", "bot:v1.2", "-f", "bot/Modelfile", "--json")  # on the locked base, which has a backup
    assert built.code == 0
    assert json.loads(built.out)["fingerprint"] == json.loads(first.out)["fingerprint"]


def test_capabilities_are_those_that_the_server_reports(project: Path, real: str) -> None:
    tools = "{{ .Tools }}{{ range .Messages }}{{ .Content }}{{ end }}"
    (project / "base.Modelfile").write_text(f"FROM ./tiny.gguf\nTEMPLATE {tools}\n")
    (project / "bot.Modelfile").write_text("FROM tools:v1\nTEMPLATE {{ .Prompt }}{{ .Suffix }}\n")
    assert mf("build", "tools:v1", "-f", "base.Modelfile").code == 0
    for command in (["show", "bot.Modelfile"], ["diff", "tools:v1", "bot.Modelfile"], ["build", "code:v1"]):
        options = ["-f", "bot.Modelfile"] if command[0] == "build" else []
        ran = mf(*command, *options, "--json")
        assert json.loads(ran.out)["dropped_capabilities"] == ["tools"], ran.err
    changed = mf("diff", "tools:v1", "code:v1")
    assert changed.out.endswith("\n  capabilities  tools -> insert  lost tools; gained insert\n")
    reported = {}
    for name in ("tools:v1", "code:v1"):
        body = json.dumps({"model": name}).encode()
        with urlopen(Request(f"{real}/api/show", body, method="POST"), timeout=60) as answer:  # noqa: S310  # of the test's own server
            reported[name] = {*json.load(answer)["capabilities"]}
    assert reported == {"tools:v1": {"completion", "tools"}, "code:v1": {"completion", "insert"}}


def test_two_servers_build_one_fingerprint(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    (project / "Modelfile").write_text(
        "# For tests.\nFROM ./tiny.gguf\nSYSTEM hi\nPARAMETER stop b\nPARAMETER stop a\n"
    )
    assert mf("pin").code == 0
    pinned = json.loads((project / "mf.lock").read_text())["modelfiles"]["Modelfile"]["fingerprint"]
    built = []
    for _ in range(2):
        with serve(models=tmp_path_factory.mktemp("store")) as url:
            built.append(json.loads(mf("build", "x:v1", "--host", url, "--json").out))
    assert built[0]["fingerprint"] == built[1]["fingerprint"] == pinned
    if built[0]["ollama"].startswith("0.9."):
        assert built[0]["digest"] != built[1]["digest"]


def test_gemma_is_built_and_pinned(project: Path, real: str) -> None:
    shutil.copy(gemma(), project / "gemma.gguf")
    (project / "Modelfile").write_text("# Gemma.\nFROM ./gemma.gguf\nPARAMETER temperature 0.5\nSYSTEM Be brief.\n")
    built = mf("build", "gemma:v1", "--json")
    assert built.code == 0, built
    created = model(real, "gemma:v1")
    assert created.weights == (GEMMA_DIGEST,)
    assert created.parameters["temperature"] == 0.5
    assert mf("pin").code == 0
    lock = json.loads((project / "mf.lock").read_text())
    assert lock["modelfiles"]["Modelfile"]["fingerprint"] == json.loads(built.out)["fingerprint"]
    assert lock["modelfiles"]["Modelfile"]["files"] == {"gemma.gguf": GEMMA_DIGEST}


def test_a_recognized_chat_template_is_no_difference(project: Path, real: str) -> None:
    chatml = (
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + "
        "'\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    write_tiny_gguf(project / "tiny.gguf", chat_template=chatml)
    (project / "Modelfile").write_text("# For tests.\nFROM ./tiny.gguf\nPARAMETER stop x\n")
    assert mf("build", "chatml:v1").code == 0
    assert "<|im_start|>" in model(real, "chatml:v1").template  # Ollama's own template, chosen by that of the GGUF
    assert mf("pin").code == 0
    assert mf("pin", "--check").code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM nobody/has-this:v1", "cannot pull base nobody/has-this:v1"),
        ("FROM ./junk.gguf", "is not a GGUF file"),
        ("FROM ./cut.gguf", "is truncated"),
    ],
)
def test_a_failed_build_changes_no_model(project: Path, real: str, text: str, message: str) -> None:
    (project / "junk.gguf").write_bytes(b"junk")
    (project / "cut.gguf").write_bytes((project / "tiny.gguf").read_bytes()[:600])
    (project / "Modelfile").write_text(f"# For tests.\n{text}\n")
    with connect(real) as client:
        before = {tag.name: tag.digest for tag in client.tags()}
        ran = mf("build", "broken:v1")
        after = {tag.name: tag.digest for tag in client.tags()}
    assert ran.code == 3, ran
    assert message in ran.err
    assert after == before


@pytest.mark.parametrize("path", sorted((ROOT / "modelfiles").glob("*/Modelfile")), ids=lambda path: path.parent.name)
def test_our_modelfiles_can_be_built(path: Path, project: Path, tiny: Path) -> None:
    base = next(line.split()[1] for line in path.read_text().splitlines() if line.startswith("FROM"))
    if not base.startswith("./"):
        # a small model under the name of the base: only the recipe is tested
        (project / "Modelfile").write_text(f"# For tests.\nFROM {tiny}\n")
        assert mf("build", base).code == 0
    built = mf("build", f"{path.parent.name}:v1", "-f", str(path))
    assert built.code == 0, built
    assert mf("diff", str(path), f"{path.parent.name}:v1").out.startswith("same model: mf1:")


def test_the_lock_of_the_example_is_up_to_date(project: Path) -> None:
    example = project / "support"
    shutil.copytree(ROOT / "examples" / "support", example)
    written = (example / "mf.lock").read_bytes()
    assert mf("build", "--locked", cwd=example).code == 0
    assert mf("pin", "--check", cwd=example).code == 0
    assert mf("pin", cwd=example).code == 0
    assert (example / "mf.lock").read_bytes() == written
    (example / "mf.lock").write_text('{"version": "1.0"}')
    assert mf("pin", cwd=example).code == 0
    made, listed = json.loads((example / "mf.lock").read_bytes()), json.loads(written)
    if made["modelfiles"]["support-base/Modelfile"]["ollama"] == "0.9.3":  # what is made of weights differs by version
        assert made == listed


def test_pin_and_build_agree_on_a_quantized_base(project: Path, real: str) -> None:
    (project / "mf.toml").write_text(
        '[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\n\n'
        '[models.small]\nmodelfile = "small.Modelfile"\ntag = "v1"\nquantize = "q8_0"\n'
    )
    (project / "small.Modelfile").write_text("# Small.\nFROM ./tiny.gguf\n")
    (project / "Modelfile").write_text("# Upon it.\nFROM small:v1\nSYSTEM hi\n")
    assert mf("pin").code == 0
    written = (project / "mf.lock").read_bytes()
    for _ in range(2):
        ran = mf("build", "--locked")
        assert ran.code == 0, ran
        assert mf("pin", "--check").out == ""
        assert mf("pin").code == 0
        assert (project / "mf.lock").read_bytes() == written
    sent = json.loads(written)["modelfiles"]["small.Modelfile"]["files"]["tiny.gguf"]
    assert sent not in model(real, "bot:v1").weights
