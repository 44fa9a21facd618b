"""`mf show` and `mf tree` on a real Ollama server: they say what the server says."""

import json
import shutil
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.real_ollama import serve
from tests.support.tiny_gguf import write_tiny_gguf

pytestmark = pytest.mark.live

CHATML = (
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>'"
    " + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
MODELFILES = {
    "base": (
        "FROM ./tiny.gguf\nPARAMETER num_ctx 512\nPARAMETER temperature 0.1234567891\nPARAMETER stop <a>\n"
        'TEMPLATE """{{ .System }}{{ if .Tools }}{{ .Tools }}{{ end }}{{ .Prompt }}"""\nLICENSE MIT License\n'
    ),
    "bot": 'FROM base:v1\nPARAMETER temperature 0.7\nSYSTEM """You\nbot."""\nMESSAGE user Hi\nMESSAGE assistant Yo\n',
    "top": "FROM bot:v1\nPARAMETER top_k 5\nPARAMETER stop <b>\nPARAMETER stop <c d>\nLICENSE Apache-2.0\n",
    "insert": "FROM base:v1\nTEMPLATE {{ .Prompt }}{{ .Suffix }}\n",
    "plain": "FROM ./tiny.gguf\n",
    "chat": "FROM ./chat.gguf\n",
}

BASES = {"base:v1": None, "bot:v1": "base:v1", "top:v1": "bot:v1"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str, tiny: Path) -> Path:
    """Return a project whose models are all built on the server."""
    (tmp_path / ".git").mkdir()
    shutil.copy(tiny, tmp_path / "tiny.gguf")
    write_tiny_gguf(tmp_path / "chat.gguf", seed=1, chat_template=CHATML)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OLLAMA_HOST", real)
    tables = []
    for name, text in MODELFILES.items():
        Path(f"{name}.Modelfile").write_text(text)
        tables.append(f'[models.{name}]\ntag = "v1"\nmodelfile = "{name}.Modelfile"\n')
    Path("mf.toml").write_text("".join(tables))
    built = mf("build")
    assert built.code == 0, built.err
    return tmp_path


def asked(url: str, name: str) -> dict[str, Any]:
    """Return what the server says of a model."""
    request = Request(f"{url}/api/show", json.dumps({"model": name}).encode())  # noqa: S310  # this machine
    with urlopen(request, timeout=10) as answer:  # noqa: S310  # the same
        found: dict[str, Any] = json.load(answer)
    return found


def shown(name: str) -> dict[str, Any]:
    ran = mf("show", name, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def printed(parameters: dict[str, Any]) -> list[str]:
    """Return parameters as a server prints them, sorted."""
    items = (
        (name, item) for name, value in parameters.items() for item in (value if isinstance(value, list) else [value])
    )
    return sorted(f"{name:<30} {json.dumps(value)}" for name, value in items)


def test_a_model_is_shown_as_the_server_has_it(real: str) -> None:
    for name in MODELFILES:
        server, model = asked(real, f"{name}:v1"), shown(f"{name}:v1")
        assert printed(model["parameters"]) == sorted(filter(None, server.get("parameters", "").split("\n")))
        assert model["template"] == server["template"]
        for key in ("system", "license"):
            assert model[key] == server.get(key, "")
        assert model["messages"] == server.get("messages", [])
        assert [each["name"] for each in model["capabilities"]] == server["capabilities"]
        assert model["facts"] == {
            "architecture": server["details"]["family"],
            "parameters": server["details"]["parameter_size"],
            "quantization": server["details"]["quantization_level"],
            "context_length": server["model_info"]["llama.context_length"],
        }
        reasons = {each["name"]: each["reason"] for each in model["capabilities"]}
        assert not any("from the weights" in reason for reason in reasons.values()), name


def test_what_is_shown_of_a_modelfile_is_what_the_server_made() -> None:
    for name in ("base", "bot", "top", "insert", "plain"):
        ahead, built = shown(f"{name}.Modelfile"), shown(f"{name}:v1")
        assert ahead["fingerprint"] in (built["fingerprint"], None), name
        for key in ("parameters", "template", "system", "messages", "license", "weights", "capabilities", "context"):
            assert ahead.get(key) == built.get(key), (name, key)
        assert ahead["origins"]["parameters"] == built["origins"]["parameters"], name


def test_a_chat_template_that_only_the_server_can_compare(project: Path, real: str) -> None:
    (project / "other.Modelfile").write_text("FROM ./chat.gguf\nPARAMETER top_k 3\n")
    ahead = shown("other.Modelfile")
    assert (ahead["prompt"]["kind"], ahead["undecided"]) == ("unknown", ["template", "parameter stop"])
    assert ahead["fingerprint"] is None
    assert "<|im_end|>" in asked(real, "chat:v1")["template"]
    assert mf("build", "other:v1", "-f", "other.Modelfile").code == 0
    ahead, built = shown("other.Modelfile"), shown("other:v1")
    assert (ahead["fingerprint"], ahead["undecided"]) == (built["fingerprint"], [])
    assert ahead["origins"]["template"]["kind"] == ahead["origins"]["parameters"]["stop"]["kind"] == "weights"


def test_sources_through_the_chain_of_bases() -> None:
    top = shown("top:v1")
    assert (top["bases"], top["unknown_base"]) == (["bot:v1", "base:v1"], None)
    lines = {name: f"{origin['name']}:{origin['line']}" for name, origin in top["origins"]["parameters"].items()}
    assert lines == {
        "num_ctx": "base.Modelfile:2",
        "temperature": "bot.Modelfile:2",
        "top_k": "top.Modelfile:2",
        "stop": "top.Modelfile:3",
    }
    Path("mf.toml").unlink()
    names = {name: origin["name"] for name, origin in shown("top:v1")["origins"]["parameters"].items()}
    assert names == {"num_ctx": "base:v1", "temperature": "bot:v1", "top_k": "top:v1", "stop": "top:v1"}


def test_a_tree_of_a_server_and_of_its_folder(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    Path("mf.toml").unlink()
    folder = tmp_path_factory.mktemp("models")
    with serve(models=folder) as url:
        for name in ("base", "bot", "top"):
            assert mf("build", f"{name}:v1", "-f", f"{name}.Modelfile", "--host", url).code == 0
        for path in project.glob("*.Modelfile"):
            path.unlink()
        there = json.loads(mf("tree", "--host", url, "--json").out)["models"]
        assert {model["name"]: model["base"] for model in there} == {
            "base:v1": None,
            "bot:v1": "base:v1",
            "top:v1": "bot:v1",
        }
        sizes = {model["name"]: model["size"] for model in there}
    here = json.loads(mf("tree", "--store", str(folder), "--json").out)["models"]
    assert {model["name"]: model["base"] for model in here} == {
        "base:v1": None,
        "bot:v1": "base:v1",
        "top:v1": "bot:v1",
    }
    assert {model["name"]: model["own"] + model["shared"] for model in here} == sizes
