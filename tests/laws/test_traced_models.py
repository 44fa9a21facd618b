"""Models that Ollama was seen to create, created in a folder with the same bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.new_models import (
    BASE,
    FILE,
    REWRITTEN,
    TINY,
    V033,
    V093,
    add_base,
    digest_of,
    make,
    open_with_weights,
)
from tests.support.paths import ROOT

import modelfile
from modelfile.catalog.versions import NEWEST
from modelfile.events import ignore
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.recipe.recipe import Message, Recipe, resolve
from modelfile.recipe.values import ParameterValue
from modelfile.stores.disk.store import FolderStore


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return open_with_weights(tmp_path)


def test_worked_example_of_a_file(store: FolderStore) -> None:
    made = make(store, Recipe(files=(FILE,)), V093)
    manifest = made.manifest.replace(str(store.layout.root), "/srv/ollama/models")
    assert digest_of(manifest)[:8] == "836b1689"
    (config,) = made.blobs.values()
    assert digest_of(config) == "d4a8038e7e4fac209e7cf2dbfdf77a902d3a36a835e528f3c899b7ecf2dcbe46"
    assert config.startswith(
        b'{"model_format":"gguf","model_family":"llama","model_families":["llama"],"model_type":"14K"'
    )
    assert config.endswith(f'"rootfs":{{"type":"layers","diff_ids":["{TINY}"]}}}}\n'.encode())


def requests(version: str) -> dict[str, tuple[Recipe, str]]:
    """Return the recipes of the models that a traced server created, with the digests that it lists."""
    trace = json.loads((ROOT / f"tests/data/traces/ollama-{version}.json").read_text())
    listed = next(each for each in trace if each["request"]["path"] == "/api/tags")
    digests = {model["name"]: model["digest"] for model in json.loads(listed["response"]["lines"][0])["models"]}
    found = {}
    for each in trace:
        sent = each["request"]["json"] or {}
        if each["request"]["path"] == "/api/create" and sent.get("model") in digests and "bogus" not in str(sent):
            parameters: dict[str, ParameterValue] = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in sent.get("parameters", {}).items()
            }
            recipe = Recipe(
                base=sent.get("from"),
                files=(FILE,) if "files" in sent else (),
                template=sent.get("template", ""),
                system=sent.get("system", ""),
                licenses=tuple(sent.get("license", ())),
                parameters=parameters,
                messages=tuple(Message(**message) for message in sent.get("messages", ())),
            )
            found[sent["model"]] = recipe, digests[sent["model"]]
    return found


@pytest.mark.parametrize("version", ["0.9.3", "0.24.0"])
def test_traces_of_versions_that_keep_weights(store: FolderStore, version: str) -> None:
    models = requests(version)
    store = FolderStore(store.layout, ollama=version)
    store.create(ModelName.parse(BASE), models[BASE][0], {FILE: TINY}, ignore)
    for name in ("tiny:v2", "x:v4"):  # the manifest of tiny:v1 has the path of that server's store
        recipe, digest = models[name]
        store.create(ModelName.parse(name), recipe, {}, ignore)
        (listed,) = (model for model in store.list() if str(model.name) == name)
        assert listed.digest == f"sha256:{digest}"
    assert set(models) == {BASE, "tiny:v2", "x:v4"}


def test_trace_of_a_version_that_rewrites_weights(store: FolderStore) -> None:
    models = requests("0.33.0-rc2")
    recipe, digest = models[BASE]
    add_base(store, {"model": REWRITTEN}, {}, "rewritten")
    made = make(store, Recipe(**{**fields(recipe), "base": "rewritten", "files": ()}), V033)
    text = made.manifest.replace(',"from":"rewritten:latest"', "")
    assert digest_of(text) == digest
    store.create(ModelName.parse("other"), Recipe(base="rewritten"), {}, ignore)
    for content in made.blobs.values():
        store.blobs.put(content)
    store.write_manifest(ModelName.parse(BASE), text)
    store = FolderStore(store.layout, ollama="0.33.0-rc2")
    for name in ("tiny:v2", "x:v4"):
        recipe, digest = models[name]
        store.create(ModelName.parse(name), recipe, {}, ignore)
        (listed,) = (model for model in store.list() if str(model.name) == name)
        assert listed.digest == f"sha256:{digest}"


def fields(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}


def test_requests_of_ollamas_command_line(store: FolderStore) -> None:
    kinds = {"parameters": "params", "messages": "messages", "system": "system", "template": "template"}
    add_base(store, {"model": TINY}, {}, "foo")
    compared = 0
    for line in (ROOT / "tests/data/vectors/create_request.jsonl").read_text().splitlines():
        vector = json.loads(line, parse_int=float)  # as the server reads it
        request = vector.get("request", {})
        if request.get("from") != "foo" or not request.keys() <= {"from", "license", *kinds}:
            continue
        made = make(store, resolve(modelfile.parse(vector["input"]), Path()), NEWEST)
        layers = [layer for layer in Manifest.parse(made.manifest, "it").layers if layer.kind != "model"]
        contents = [(layer.kind, made.blobs[layer.digest].decode()) for layer in layers]
        for key, kind in kinds.items():
            found = [
                json.loads(text, parse_int=float) if text[-1:] == "\n" else text
                for each, text in contents
                if each == kind
            ]
            assert found == ([request[key]] if request.get(key) else [])
        assert [text for kind, text in contents if kind == "license"] == request.get("license", [])
        compared += 1
    assert compared > 40
