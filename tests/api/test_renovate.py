"""The configuration of Renovate in docs/ci.md reads the locks that mf writes.

That Renovate 38 takes it, and proposes just the base whose manifest has changed, was seen with `--platform=local`.
"""

import json
import re
import shutil
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT

from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
CONFIG = json.loads(PAGE.partition("```json\n")[2].partition("```")[0])
MANAGER = CONFIG["customManagers"][0]
(PATTERN,) = MANAGER["matchStrings"]
BASES = {
    "Modelfile": "llama3.2:3b",
    "same.Modelfile": "llama3.2:3b",
    "a/Modelfile": "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "b/Modelfile": "registry.example.com/team/bot:v1",
    "c/Modelfile": "me/with-parameters:v1.0",
}


@pytest.fixture
def lock(tmp_path: Path) -> str:
    """Return a lock of bases from registries, between one that only a server has and one of local weights."""
    registry, names = MemoryRegistry(), [ModelName.parse(name) for name in {*BASES.values()}]
    store = MemoryStore.with_models("made-here:v1", *{*BASES.values()})
    for name in names:
        stored = store.find(name)
        assert stored is not None
        registry.push(name, with_parameters(stored.model) if name.model == "with-parameters" else stored.model)
    (tmp_path / ".git").mkdir()
    (tmp_path / "weights.gguf").write_bytes(b"GGUF" + bytes(60))
    for path, base in {**BASES, "aa.Modelfile": "made-here:v1", "zz.Modelfile": "./weights.gguf"}.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(f"# Answers questions.\nFROM {base}\n")
    ran = mf(
        "pin", cwd=tmp_path, open_store=lambda _: nullcontext(store), open_registry=lambda _: nullcontext(registry)
    )
    assert ran.code == 0, ran
    return (tmp_path / "mf.lock").read_text(encoding="utf-8")


def with_parameters(model: Model) -> Model:
    return replace(model, parameters={"num_ctx": 4096, "stop": ("a", "b")}, system='Say "yes".\n')


def entries(lock: str) -> list[dict[str, str]]:
    """Return the bases from registries as the lock has them."""
    pins = json.loads(lock)["modelfiles"].values()
    bases = [pin["base"] for pin in pins if pin.get("base", {}).get("source", "server") != "server"]
    found = []
    for base in bases:
        model, _, tag = base["name"].partition("/")[2].rpartition(":")
        manifest = json.dumps(base["manifest"], ensure_ascii=False)[1:-1].removesuffix("\\n")
        facts = {"source": base["source"], "depName": base["written"], "currentDigest": manifest}
        found.append({"model": model, "tag": tag, **facts})
    return found


def test_the_expression_is_in_the_syntax_of_re2() -> None:
    assert re.findall(r"\(\?(?!:|<[a-zA-Z]+>)|\\[1-9]|\\[^n\\{}]|[*+?}]\+", PATTERN) == []


def test_it_finds_each_base_of_a_registry(lock: str) -> None:
    found = [match.groupdict() for match in re.finditer(PATTERN.replace("(?<", "(?P<"), lock)]
    assert found == entries(lock)
    assert sorted(one["depName"] for one in found) == sorted(BASES.values())


def test_it_finds_them_in_javascript(lock: str) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    code = (
        "const [pattern, lock] = JSON.parse(require('fs').readFileSync(0, 'utf8'));"
        "console.log(JSON.stringify([...lock.matchAll(new RegExp(pattern, 'g'))].map((match) => match.groups)))"
    )
    ran = subprocess.run(
        [node, "-e", code], input=json.dumps([PATTERN, lock]), capture_output=True, text=True, check=True
    )
    assert json.loads(ran.stdout) == entries(lock)


def test_what_is_found_is_what_the_data_source_computes_of_the_same_manifest(lock: str) -> None:
    (template,) = CONFIG["customDatasources"]["ollama"]["transformTemplates"]
    assert template == r'{"releases": [{"version": "1.0.0", "digest": $replace($string($), "\"", "\\\"")}]}'
    for pin in json.loads(lock)["modelfiles"].values():
        if "manifest" in pin.get("base", {}):
            compact = json.dumps(json.loads(pin["base"]["manifest"]), separators=(",", ":"))
            assert compact.replace('"', '\\"') in [entry["currentDigest"] for entry in entries(lock)]


def test_its_address_is_that_of_the_manifest(lock: str) -> None:
    template = MANAGER["registryUrlTemplate"].replace("{{{", "{").replace("}}}", "}")
    assert template.format(**entries(lock)[-1]).startswith("https://")
    assert "https://registry.ollama.ai/v2/library/llama3.2/manifests/3b" in [
        template.format(**entry) for entry in entries(lock)
    ]


def test_the_file_pattern_is_that_of_a_lock() -> None:
    (pattern,) = MANAGER["managerFilePatterns"]
    paths = ("mf.lock", "a/mf.lock", "xmf.lock", "mf.lock.bak")
    assert [path for path in paths if re.search(pattern.strip("/"), path)] == ["mf.lock", "a/mf.lock"]
