"""The most specific tag in place of `latest`: which it is, and that nothing else in a Modelfile changes."""

import contextlib
import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import Ran, StoppedClock, mf

from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.pinning.rewriting import rewrite
from modelfile.project.project import Project
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry

LATEST, OLD = (Model(weights=(f"sha256:{digit * 64}",)) for digit in "12")
TAGS = {
    "latest": LATEST,
    "3b": LATEST,
    "3b-instruct-q4_K_M": LATEST,
    "3b-instruct": LATEST,
    "1b-instruct-q4_K_M": OLD,
    "3b-instruct-q4_K_M-old": OLD,
}


class Clock(StoppedClock):
    """A clock that stands at noon of a day."""

    def now(self) -> datetime:
        """Return noon."""
        return datetime(2026, 11, 26, 12, tzinfo=UTC)


class Unlisted(MemoryRegistry):
    """A registry that cannot list tags, as that of Ollama; its configs have the type of the weights."""

    def push(self, name: ModelName, model: Model, files: Iterable[bytes] = ()) -> Manifest:
        """Move a tag to a model."""
        first = super().push(name, model, files)
        config = json.dumps({"model_format": "gguf", "file_type": "Q4_K_M"}).encode()
        layer = {"digest": f"sha256:{sha256(config).hexdigest()}", "size": len(config)}
        content = json.loads(first.text)
        manifest = Manifest.parse(json.dumps(content | {"config": content["config"] | layer}), "it")
        self.configs = {manifest.config.digest: config}
        self.manifests = {**getattr(self, "manifests", {}), name.full: manifest}
        return manifest

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return what a tag has."""
        return self.manifests.get(name.full)

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return a layer."""
        return self.configs.get(layer.digest) or super().read(name, layer)

    def tags(self, name: ModelName) -> tuple[str, ...] | None:
        """Return that they are not listed."""
        del name
        return None


def registry(kind: type[MemoryRegistry] = MemoryRegistry) -> MemoryRegistry:
    return kind({ModelName.parse(f"llama3.2:{tag}"): model for tag, model in TAGS.items()})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(opened: MemoryRegistry, *arguments: str) -> Ran:
    return mf("pin", *arguments, open_registry=lambda _: contextlib.nullcontext(opened), clock=Clock())


def digest(opened: MemoryRegistry, tag: str) -> str:
    manifest = opened.resolve(ModelName.parse(f"llama3.2:{tag}"))
    assert manifest
    return manifest.digest[:19]


@pytest.mark.parametrize("kind", [MemoryRegistry, Unlisted])
def test_latest_becomes_the_most_specific_tag(folder: Path, kind: type[MemoryRegistry]) -> None:
    opened = registry(kind)
    (folder / "Modelfile").write_text("# A bot.\n\nfrom   llama3.2\nSYSTEM  hi\n")
    ran = run(opened, "--rewrite")
    assert (ran.code, ran.err) == (0, "Modelfile: FROM llama3.2 -> llama3.2:3b-instruct-q4_K_M\n")
    assert ran.out.startswith("Modelfile: pinned llama3.2:3b-instruct-q4_K_M (mf1:")
    comment = f"# llama3.2:latest was 3b-instruct-q4_K_M on 2026-11-26 ({digest(opened, 'latest')}…)"
    text = f"# A bot.\n\n{comment}\nfrom   llama3.2:3b-instruct-q4_K_M\nSYSTEM  hi\n"
    assert (folder / "Modelfile").read_text() == text
    assert run(opened, "--rewrite").err == ""
    assert (folder / "Modelfile").read_text() == text
    assert run(opened, "--check").code == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"FROM llama3.2:latest\r\nSYSTEM hi\r\n", b"C\r\nFROM llama3.2:T\r\nSYSTEM hi\r\n"),
        (b'FROM "llama3.2"\n', b'C\nFROM "llama3.2:T"\n'),
        (b"FROM LLAMA3.2:latest", b"C\nFROM LLAMA3.2:T"),
        (b"\xef\xbb\xbfFROM library/llama3.2\n", b"\xef\xbb\xbfC\nFROM library/llama3.2:T\n"),
        (b"FROM other:v1\nSYSTEM a\n  FROM llama3.2\n", b"FROM other:v1\nSYSTEM a\nC\n  FROM llama3.2:T\n"),
    ],
)
def test_nothing_else_changes(folder: Path, before: bytes, after: bytes) -> None:
    (folder / "Modelfile").write_bytes(before)
    run(registry(), "--rewrite")
    written = (folder / "Modelfile").read_bytes()
    comment = rb"# llama3\.2:latest was 3b-instruct-q4_K_M on 2026-11-26 \(sha256:[0-9a-f]{12}\xe2\x80\xa6\)"
    assert re.sub(comment, b"C", written, flags=re.IGNORECASE).replace(b"3b-instruct-q4_K_M", b"T") == after


def test_a_dry_run_changes_nothing(folder: Path) -> None:
    (folder / "Modelfile").write_text("# A bot.\nFROM llama3.2\n")
    ran = run(registry(), "--rewrite", "--dry-run")
    assert ran.err.startswith("Modelfile: FROM llama3.2 -> llama3.2:3b-instruct-q4_K_M\n")
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["Modelfile"]
    assert (folder / "Modelfile").read_text() == "# A bot.\nFROM llama3.2\n"


def test_the_tag_is_that_of_the_locked_manifest(folder: Path) -> None:
    opened = registry()
    (folder / "Modelfile").write_text("# A bot.\nFROM llama3.2\n")
    assert run(opened).code == 0
    opened.push(ModelName.parse("llama3.2"), OLD)
    assert run(opened, "--rewrite").code == 0
    assert "\nFROM llama3.2:3b-instruct-q4_K_M\n" in (folder / "Modelfile").read_text()


def test_no_other_tag_is_an_error_and_the_others_are_rewritten(folder: Path) -> None:
    opened = registry()
    opened.push(ModelName.parse("alone"), OLD)
    (folder / "Modelfile").write_text("# A bot.\nFROM alone\n")
    (folder / "other.Modelfile").write_text("# A bot.\nFROM llama3.2\n")
    ran = run(opened, "--rewrite")
    assert ran.code == 3
    message = "error: `Modelfile`: no other tag of alone is known to have what alone:latest has\n"
    assert ran.err.startswith(f"{message}help: write the tag that you mean\n")
    assert (folder / "Modelfile").read_text() == "# A bot.\nFROM alone\n"
    assert "FROM llama3.2:3b-instruct-q4_K_M\n" in (folder / "other.Modelfile").read_text()


@pytest.mark.parametrize("text", ["FROM llama3.2:3b\n", "FROM ./w.gguf\n", "FROM base\n", "SYSTEM hi\n"])
def test_what_has_a_tag_or_no_base_stays(folder: Path, text: str) -> None:
    (folder / "w.gguf").write_bytes(b"GGUF")
    (folder / "base.Modelfile").write_text("FROM ./w.gguf\n")
    (folder / "mf.toml").write_text('[models.base]\nmodelfile = "base.Modelfile"\ntag = "latest"\n')
    (folder / "Modelfile").write_text(text)

    class Silent(MemoryRegistry):
        def resolve(self, name: ModelName) -> Manifest | None:
            raise AssertionError(name)

        tags: Any = resolve

    assert rewrite(Project().at(Path("Modelfile")), Silent()) is None
