"""Models that the real Ollama 0.9.3 creates, created in a folder: the same bytes; and that server on our folder."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.cli import mf
from tests.support.paths import ROOT
from tests.support.real_ollama import Unavailable, clean_environment, install, serve
from tests.support.running_ollama import run, write_talking_gguf
from tests.support.server import connect
from tests.support.tiny_gguf import typed_gguf, write_tiny_gguf
from tests.support.varied_modelfiles import VARIED, instructions

import modelfile
from modelfile.catalog.chat_templates import chat_templates
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, ModelfileError
from modelfile.events import ignore
from modelfile.importer.stored import export
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.weights.digests import digests_of

pytestmark = pytest.mark.live

V093 = Version(0, 9, 3)
BASES = ("qwen:7b", "qwen2.5-coder:7b", "llama3.1:8b", "llama3.2:3b")
"""Small models stand in for the bases in modelfiles/ under their names."""


def create(url: str, name: str, text: str, folder: Path) -> str:
    """Have Ollama's command line create a model; return its error, or nothing."""
    path = folder / "Modelfile"
    path.write_text(text, encoding="utf-8", newline="")
    environment = clean_environment() | {"OLLAMA_HOST": url, "HOME": str(folder)}
    argv = [str(install()), "create", name, "-f", str(path)]
    done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def recipe_of(text: str, folder: Path) -> Recipe:
    return resolve(modelfile.parse(text), folder, V093)


def create_in(store: FolderStore, name: str, text: str, folder: Path) -> None:
    recipe = recipe_of(text, folder)
    store.check_create(recipe)
    digests = digests_of(recipe.local_files)
    for path, digest in digests.items():
        store.put_blob(digest, path, lambda _: None)
    store.create(ModelName.parse(name), recipe, digests, ignore)


def files_in(root: Path) -> Mapping[str, bytes]:
    """Return the names of blobs and the contents of manifests."""
    files = (path for path in root.rglob("*") if path.is_file())
    names = {path: path.relative_to(root).as_posix() for path in files}
    return {name: b"" if name.startswith("blobs/") else path.read_bytes() for path, name in names.items()}


@pytest.fixture
def folder(tmp_path: Path, tiny: Path) -> Path:
    """Return a folder with weights, for Modelfiles."""
    made = tmp_path / "folder"
    made.mkdir()
    (made / "tiny.gguf").write_bytes(tiny.read_bytes())
    return made


def test_the_same_store_at_the_same_path(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = dict.fromkeys(BASES, "FROM ./tiny.gguf\nSYSTEM base\nLICENSE MIT\nPARAMETER top_k 3\n")
    for number, text in enumerate(VARIED):
        models[f"varied:{number}"] = f"FROM ./tiny.gguf\n{text}"
        models[f"upon:{number}"] = (
            f"{text}\nFROM varied:{number * 7 % len(VARIED)}" if number else f"FROM llama3.2:3b\n{text}"
        )
    order = sorted(models, key=lambda name: name.startswith("upon"))
    recipes = shutil.copytree(ROOT / "modelfiles", folder / "modelfiles")
    shutil.rmtree(recipes / "vision")  # 0.9.3 takes two files in random order
    ours = {f"{path.parent.name}:{path.stem.lower()}": path for path in sorted(recipes.glob("*/*Modelfile"))}
    root = tmp_path / "models"
    with serve(models=root) as url:
        assert {name: create(url, name, models[name], folder) for name in order} == dict.fromkeys(order, "")
        made = {name: create(url, name, path.read_text(), path.parent) for name, path in ours.items()}
        assert made == dict.fromkeys(ours, "")
    theirs = files_in(root.rename(tmp_path / "theirs"))

    with modelfile.open_folder(root, ollama="0.9.3") as store:
        for name in order:
            create_in(store, name, models[name], folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MF_STORE", str(root))
    for name, path in ours.items():
        built = mf("build", name, "-f", str(path), "--ollama", "0.9.3")
        assert built.code == 0, built.err
    assert files_in(root) == theirs
    assert len(VARIED) == 40


def test_random_modelfiles(tmp_path: Path, folder: Path, rounds: int) -> None:
    names = ("m1", "m2", "host.example:5000/a/m3:q")
    root = tmp_path / "models"
    with serve(models=root) as url, modelfile.open_folder(tmp_path / "ours", ollama="0.9.3") as store:
        seen: list[str] = []

        @settings(max_examples=150 * rounds, database=None, suppress_health_check=[*HealthCheck])
        @given(st.sampled_from(["./tiny.gguf", *names]), instructions, st.sampled_from(names))
        def run(base: str, text: str, name: str) -> None:
            text = f"FROM {base if base in seen else './tiny.gguf'}\n{text}\n"
            error = create(url, name, text, folder)
            if error:
                return
            create_in(store, name, text, folder)
            seen.append(name)
            (theirs, ours) = (manifest_of(each, name) for each in (root, store.layout.root))
            assert ours.replace(str(store.layout.root), str(root)) == theirs
            assert set(files_in(store.layout.root)) == set(files_in(root))

        create(url, "keeps-the-weights", "FROM ./tiny.gguf\n", folder)
        create_in(store, "keeps-the-weights", "FROM ./tiny.gguf\n", folder)
        run()
        assert set(seen) == set(names)


def manifest_of(root: Path, name: str) -> str:
    parsed = ModelName.parse(name)
    return (root / "manifests" / parsed.host / parsed.namespace / parsed.model / parsed.tag).read_text()


def test_the_server_lists_shows_and_copies_what_we_created(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "models"
    with modelfile.open_folder(root, ollama="0.9.3") as store:
        for number, text in enumerate(VARIED):
            create_in(store, f"varied:{number}", f"FROM ./tiny.gguf\n{text}", folder)
            create_in(store, f"upon:{number}", f"FROM varied:{number}\nSYSTEM x\nPARAMETER seed 3\n", folder)
        with serve(models=root) as url, connect(url) as client:
            server = ServerStore(client)
            theirs, ours = ({each.name: each for each in listing} for listing in (server.list(), store.list()))
            assert {str(name): (each.digest, each.size) for name, each in theirs.items()} == {
                str(name): (each.digest, each.size) for name, each in ours.items()
            }
            for name, listed in ours.items():
                shown, read = server.read(theirs[name]), store.read(listed)
                assert shown
                assert read
                assert (shown.fingerprint, shown.model) == (read.fingerprint, read.model)
            server.copy(ModelName.parse("upon:1"), ModelName.parse("copy:1"))
            copied = store.find(ModelName.parse("copy:1"))
            assert copied
            assert copied.digest == ours[ModelName.parse("upon:1")].digest
            server.delete(ModelName.parse("varied:3"))
        assert store.find(ModelName.parse("varied:3")) is None


@cache
def executable_texts() -> tuple[str, ...]:
    """Return the chat templates that the server has in its executable."""
    (library,) = (install().parent / "venv/lib").glob("python*/site-packages/bigdl/cpp/libs/ollama/ollama-lib")
    content = library.read_bytes()
    start = content.index(b'[\n  {\n    "template": "')
    found, _ = json.JSONDecoder().raw_decode(content[start : start + (1 << 18)].decode(errors="replace"))
    return tuple(each["template"] for each in found)


def test_recognized_chat_templates(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "models"
    with (
        serve(models=root) as url,
        connect(url) as client,
        modelfile.open_folder(tmp_path / "ours", ollama="0.9.3") as store,
    ):
        server = ServerStore(client)
        for number, (known, text) in enumerate(zip(chat_templates(), executable_texts(), strict=True)):
            (folder / "tiny.gguf").unlink()
            write_tiny_gguf(folder / "tiny.gguf", chat_template=text)
            for name, more in ((f"own:{number}", "TEMPLATE {{ .Prompt }}\n"), (f"detected:{number}", "")):
                modelfile_text = f"FROM ./tiny.gguf\n{more}PARAMETER seed 1\n"
                assert create(url, name, modelfile_text, folder) == ""
                if not more and not store.has_blob(known.template):
                    with pytest.raises(InputError, match=f"that Ollama recognizes as {known.name}"):
                        create_in(store, name, modelfile_text, folder)
                    translation = next((root / "blobs").glob(f"sha256-{known.template[7:]}"))
                    store.put_blob(known.template, translation, lambda _: None)
                create_in(store, name, modelfile_text, folder)
                theirs, ours = (manifest_of(each, name) for each in (root, store.layout.root))
                assert ours.replace(str(store.layout.root), str(root)) == theirs
                stored = modelfile.show(name, server)
                written = export(stored, server)
                assert ("TEMPLATE" in written) == bool(more)
                assert create(url, "again", written, folder) == ""
                assert modelfile.show("again", server).fingerprint == stored.fingerprint


@pytest.mark.parametrize(("change", "is_recognized"), [(99, True), (100, False), (-99, True), (-100, False)])
def test_chat_templates_near_a_known_one(tmp_path: Path, folder: Path, change: int, *, is_recognized: bool) -> None:
    text = max(executable_texts(), key=len)
    text = f"{text}{'é' * change}" if change > 0 else text[:change]
    (folder / "tiny.gguf").unlink()
    write_tiny_gguf(folder / "tiny.gguf", chat_template=text)
    root = tmp_path / "models"
    with serve(models=root) as url, modelfile.open_folder(tmp_path / "ours", ollama="0.9.3") as store:
        assert create(url, "x", "FROM ./tiny.gguf\n", folder) == ""
        theirs = manifest_of(root, "x")
        assert ("image.template" in theirs) == is_recognized
        if is_recognized:
            with pytest.raises(InputError, match="that only a server can compare"):
                create_in(store, "x", "FROM ./tiny.gguf\n", folder)
        else:
            create_in(store, "x", "FROM ./tiny.gguf\n", folder)
            assert manifest_of(store.layout.root, "x").replace(str(store.layout.root), str(root)) == theirs


def test_adapters_projectors_and_types(tmp_path: Path, folder: Path) -> None:
    llama = {"general.architecture": "llama", "llama.block_count": 1}
    files: dict[str, dict[str, Any]] = {
        "lora": llama | {"general.type": "adapter"},
        "vision": {"general.architecture": "clip", "clip.vision.block_count": 2},
        "projector": {"general.architecture": "clip", "general.type": "projector"},
        **{
            f"type-{number}": llama | {"general.file_type": number}
            for number in (0, 1, 2, 4, 15, 19, 21, 30, 32, 38, 99)
        },
        "signed": llama | {"general.file_type": (5, b"\1\0\0\0")},
        "nameless": {"general.file_type": 1},
        "empty": {"general.architecture": ""},
    }
    texts = {}
    for name, metadata in files.items():
        (folder / f"{name}.gguf").write_bytes(typed_gguf(metadata, {"x": (7, 1000)}, size=1024 + 28_000))
        is_adapter = name in {"lora", "vision", "projector"}
        texts[name] = f"FROM base\nADAPTER ./{name}.gguf\n" if is_adapter else f"FROM ./{name}.gguf\n"
        texts[f"upon-{name}"] = f"FROM {name}\nSYSTEM x\n"
        texts[f"both-{name}"] = (
            f"FROM ./tiny.gguf\nADAPTER ./{name}.gguf\n" if is_adapter else f"FROM {name}\nLICENSE x\n"
        )
    root = tmp_path / "models"
    with serve(models=root) as url, modelfile.open_folder(tmp_path / "ours", ollama="0.9.3") as store:
        for name, text in {"base": "FROM ./tiny.gguf\n", **texts}.items():
            assert create(url, name, text, folder) == ""
            create_in(store, name, text, folder)
            theirs, ours = (manifest_of(each, name) for each in (root, store.layout.root))
            assert ours.replace(str(store.layout.root), str(root)) == theirs
        assert set(files_in(store.layout.root)) == set(files_in(root))


def test_errors_of_the_server_are_ours(tmp_path: Path, folder: Path, real: str) -> None:
    for text in ("FROM ./tiny.gguf\nTEMPLATE {{ .Prompt\n", "FROM ./tiny.gguf\nPARAMETER top_k x\n"):
        assert "\nError: " in f"\n{create(real, 'x', text, folder)}"
        with (
            modelfile.open_folder(tmp_path / "ours", ollama="0.9.3") as store,
            pytest.raises(ModelfileError),
        ):
            create_in(store, "x", text, folder)


def test_the_server_runs_what_we_created(tmp_path: Path, folder: Path) -> None:
    write_talking_gguf(folder / "talking.gguf", {":": [["Par", "is"]], "!": [["Hi", " there"]]})
    with modelfile.open_folder(tmp_path / "models", ollama="0.9.3") as store:
        create_in(store, "talking", "FROM ./talking.gguf\nTEMPLATE {{ .System }}{{ .Prompt }}:\n", folder)
        create_in(
            store, "upon", "FROM talking\nSYSTEM <&>\nTEMPLATE {{ .System }}{{ .Prompt }}!\nPARAMETER seed 1\n", folder
        )
    try:
        with run(tmp_path) as server, connect(server.url) as client:
            client.copy("upon:latest", "copy:latest")
            for name, prompt, answer in (
                ("talking", "Capital?:", "Paris"),
                ("upon", "<&>Capital?!", "Hi there"),
                ("copy", "<&>Capital?!", "Hi there"),
            ):
                assert generate(server.url, name, "Capital?") == answer
                assert server.last_prompt().endswith(prompt)
    except Unavailable as error:
        pytest.skip(str(error))


def generate(url: str, name: str, prompt: str) -> str:
    body = json.dumps({"model": name, "prompt": prompt, "stream": False, "options": {"temperature": 0}}).encode()
    with urlopen(Request(f"{url}/api/generate", body)) as answer:  # noqa: S310  # the server of this test
        return str(json.load(answer)["response"])


_LEAVES = st.none() | st.booleans() | st.text(max_size=8) | st.floats(allow_nan=False) | st.integers(-(10**30), 10**30)
_JSON = st.recursive(
    _LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner), max_leaves=8
)
_SEPARATORS = st.sampled_from([(",", ":"), (" ,\n", " :\t"), (", ", ": ")])
_LITERALS = (
    "1.0",
    "-0",
    "-0.0",
    "1E3",
    "1e-7",
    "12345678901234567890",
    "1e999",
    "01",
    "NaN",
    '"\\ud800"',
    '"\\u003c"',
    "[1,]",
)


def test_random_parameters_of_a_base(tmp_path: Path, folder: Path, rounds: int) -> None:
    """A registry may serve parameters in any form: the server decodes and encodes them, and rejects some."""
    root = tmp_path / "models"
    with serve(models=root) as url, modelfile.open_folder(root, ollama="0.9.3") as store:
        assert create(url, "base", "FROM ./tiny.gguf\nPARAMETER seed 1\n", folder) == ""
        template = manifest_of(root, "base")
        (params,) = (layer for layer in json.loads(template)["layers"] if layer["mediaType"].endswith(".params"))

        @settings(max_examples=60 * rounds, database=None, suppress_health_check=[*HealthCheck])
        @given(
            st.dictionaries(st.text(max_size=6), _JSON, max_size=4),
            _SEPARATORS,
            st.booleans(),
            st.sampled_from(_LITERALS),
        )
        def run(value: dict[str, Any], separators: tuple[str, str], ascii_only: bool, literal: str) -> None:
            text = json.dumps({**value, "X": 0}, ensure_ascii=ascii_only, separators=separators)
            content = text.replace('"X"', '"x"').replace("Infinity", literal).encode("utf-8", "surrogatepass")
            content = content[:-1] + f',"y":{literal}}}'.encode()
            digest, size = store.blobs.put(content)
            store.write_manifest(
                ModelName.parse("served"),
                template.replace(params["digest"], digest).replace(f'"size":{params["size"]}', f'"size":{size}'),
            )
            error = create(url, "theirs", "FROM served\nPARAMETER top_k 3\n", folder)
            try:
                create_in(store, "ours", "FROM served\nPARAMETER top_k 3\n", folder)
            except InputError:
                assert error
            else:
                assert (error, manifest_of(root, "ours")) == ("", manifest_of(root, "theirs"))

        run()
