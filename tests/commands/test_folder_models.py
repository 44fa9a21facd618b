"""Models that `mf build` writes into a folder, and those that it leaves to a server."""

import json
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.tiny_gguf import typed_gguf

import modelfile
from modelfile.catalog.chat_templates import chat_templates
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.weights.digests import digests_of

TEXT = "# For tests.\nFROM ./tiny.gguf\nPARAMETER temperature 0.5\n"
CHILD = "# For tests.\nFROM tiny:v1\nSYSTEM Be brief.\nLICENSE MIT\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "tiny.gguf").write_bytes(tiny.read_bytes())
    (tmp_path / "Modelfile").write_text(TEXT)
    (tmp_path / "Child").write_text(CHILD)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MF_STORE", str(tmp_path / "store"))
    return tmp_path


def manifest_of(project: Path, model: str, tag: str) -> dict[str, object]:
    path = project / "store/manifests/registry.ollama.ai/library" / model / tag
    manifest: dict[str, object] = json.loads(path.read_text())
    return manifest


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_build_writes_a_store_that_is_up_to_date_afterwards(project: Path) -> None:
    built = json.loads(mf("build", "tiny:v1", "--json").out)
    assert (built["ollama"], built["built"]) == ("0.24.0", True)
    files = files_in(project / "store")
    assert len([name for name in files if name.startswith("blobs/sha256-")]) == 3
    assert json.loads(mf("build", "tiny:v1", "--json").out)["built"] is False
    assert files_in(project / "store") == files
    assert mf("ls").out.splitlines()[1].startswith("tiny:v1 ")
    assert "temperature" in mf("show", "tiny:v1").out


def test_a_model_from_a_base_in_the_folder(project: Path) -> None:
    assert mf("build", "tiny:v1").code == 0
    planned = json.loads(mf("build", "bot:v1", "-f", "Child", "--dry-run", "--json").out)
    built = json.loads(mf("build", "bot:v1", "-f", "Child", "--json").out)
    assert built["fingerprint"] == planned["expected_fingerprint"]
    layers = manifest_of(project, "bot", "v1")["layers"]
    assert isinstance(layers, list)
    assert [layer.get("from") for layer in layers] == ["tiny:v1", None, None, None]


@pytest.mark.parametrize("dry", [True, False])
def test_what_only_a_server_can_do_is_rejected_before_anything_is_written(project: Path, *, dry: bool) -> None:
    for arguments, message in (
        (
            ("--ollama", "0.33.0"),
            "error: Ollama 0.33.0 rewrites the weights in `tiny.gguf`, which only its server can do",
        ),
        (("--quantize", "q8_0"), "error: a folder does not quantize weights"),
    ):
        done = mf("build", "tiny:v1", *arguments, *(["--dry-run"] if dry else []))
        assert (done.code, message in done.err) == (2, True)
        assert "help: " in done.err
        assert files_in(project / "store") == []


def test_a_chat_template_that_only_a_server_knows(project: Path) -> None:
    text = "".join(character * number for character, number in chat_templates()[0].characters.items())
    facts = {"general.architecture": "llama", "tokenizer.chat_template": text}
    (project / "tiny.gguf").write_bytes(typed_gguf(facts, {"blk.0.x": (0,)}, size=1024))
    done = mf("build", "tiny:v1")
    assert (done.code, files_in(project / "store")) == (3, [])
    assert "error: `tiny.gguf` has a chat template that only a server can compare" in done.err
    assert (
        "help: write TEMPLATE and PARAMETER stop, or run `mf pin` with `--host`: mf.lock then has what a " in done.err
    )
    (project / "Modelfile").write_text(f"{TEXT}TEMPLATE {{{{ .Prompt }}}}\nPARAMETER stop a\n")
    assert mf("build", "tiny:v1").code == 0
    assert mf("pin").code == 0
    assert "template" not in json.loads((project / "mf.lock").read_text())["modelfiles"]["Modelfile"]


def test_a_template_in_the_lock_that_is_none_of_ollamas(project: Path) -> None:
    text = "".join(character * number for character, number in chat_templates()[0].characters.items())
    facts = {"general.architecture": "llama", "tokenizer.chat_template": text}
    (project / "tiny.gguf").write_bytes(typed_gguf(facts, {"blk.0.x": (0,)}, size=1024))
    (project / "Modelfile").write_text(f"{TEXT}TEMPLATE {{{{ .Prompt }}}}\nPARAMETER stop a\n")
    assert mf("pin").code == 0
    lock = json.loads((project / "mf.lock").read_text())
    lock["modelfiles"]["Modelfile"]["template"] = "{{ .Prompt }} of somebody else"
    (project / "mf.lock").write_text(json.dumps(lock))
    (project / "Modelfile").write_text(TEXT)
    done = mf("build", "tiny:v1")
    assert (done.code, files_in(project / "store")) == (3, [])
    assert "error: the template of `tiny.gguf` in mf.lock is none that Ollama makes of a chat template" in done.err
    lock["modelfiles"]["Modelfile"]["template"] = ""
    (project / "mf.lock").write_text(json.dumps(lock))
    assert mf("build", "tiny:v1").code == 0


def test_versions_differ_in_what_they_write(project: Path) -> None:
    assert mf("build", "tiny:v1").code == 0
    sizes = {}
    for version in ("0.9.3", "0.24.0", "0.32.15", ""):
        name = f"bot:v{version or 'newest'}"
        done = mf("build", name, "-f", "Child", *(["--ollama", version] if version else []))
        assert done.code == 0, done.err
        config = manifest_of(project, "bot", name.partition(":")[2])["config"]
        assert isinstance(config, dict)
        sizes[version] = config["size"]
    assert sizes["0.9.3"] == sizes["0.24.0"] > sizes["0.32.15"] == sizes[""]


def test_a_build_that_fails_leaves_the_tag_as_it_was(project: Path) -> None:
    assert mf("build", "tiny:v1").code == 0
    before = (project / "store/manifests/registry.ollama.ai/library/tiny/v1").read_bytes()
    (project / "Modelfile").write_text(TEXT.replace("0.5", "0.7"))
    done = mf("build", "tiny:v1", "--ollama", "0.31.0", "--yes")
    assert done.code == 2
    assert (project / "store/manifests/registry.ollama.ai/library/tiny/v1").read_bytes() == before
    assert len([path for path in files_in(project / "store") if path.startswith("manifests/")]) == 1


def test_weights_of_some_architectures_bring_a_renderer(project: Path) -> None:
    weights = typed_gguf({"general.architecture": "gemma4", "gemma4.block_count": 1}, {"blk.0.x": (0,)}, size=1024)
    (project / "tiny.gguf").write_bytes(weights)
    recipe = Recipe(files=(project / "tiny.gguf",))
    digests = digests_of(recipe.files)
    with modelfile.open_folder(project / "store", ollama="0.19.0") as store:  # mf builds none that 0.19 cannot load
        store.put_blob(digests[recipe.files[0]], recipe.files[0], lambda _: None)
        store.create(ModelName.parse("tiny:v1"), recipe, digests, ignore)
    for name, version, renderer in (("bot:old", "0.19.0", ""), ("bot:new", "0.20.0", "gemma4")):
        assert mf("build", name, "-f", "Child", "--ollama", version).code == 0
        shown = json.loads(mf("show", name, "--json").out)
        assert (shown["renderer"], shown["parser"]) == (renderer, renderer)
        assert shown["parameters"].get("stop") == (["<turn|>"] if renderer else None)
        assert json.loads(mf("build", name, "-f", "Child", "--ollama", version, "--json").out)["built"] is False


def test_the_model_of_local_weights_is_known_ahead(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = json.loads(mf("build", "tiny:v1", "--dry-run", "--json").out)
    assert not planned["pending"]
    built = json.loads(mf("build", "tiny:v1", "--json").out)
    assert built["fingerprint"] == planned["expected_fingerprint"]
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "another machine"))
    assert json.loads(mf("build", "tiny:v1", "--json").out)["built"] is False
    assert mf("diff", "tiny:v1", "Modelfile").code == 0
