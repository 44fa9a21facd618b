"""Imports of quick commands: start-up is most of their time."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.folder import empty_store
from tests.support.paths import ROOT

HEAVY = {"httpx", "pydantic", "gguf", "numpy", "rich", "watchfiles", "importlib.metadata"}


def imports(arguments: list[str], folder: Path) -> set[str]:
    """Return the modules that a command has imported at its end."""
    code = (
        "import sys\nfrom modelfile.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return {*ran.stderr.splitlines()}


def test_ordinary_commands_import_neither_typer_nor_what_it_needs(tmp_path: Path) -> None:
    empty_store(tmp_path / "models")
    shutil.copy(ROOT / "examples" / "support" / "support-base" / "tiny.gguf", tmp_path)
    (tmp_path / "Modelfile").write_text("# A bot.\nFROM ./tiny.gguf\n", encoding="utf-8")
    assert mf("build", "bot:v1", "-f", "Modelfile", "--store", "models", cwd=tmp_path).code == 0
    for arguments in (
        ["lint", "--format", "json", "Modelfile"],
        ["fmt", "--check", "-q"],
        ["check", "Modelfile"],
        ["parse", "--json", "Modelfile"],
        ["ls", "--store", "models"],
        ["show", "bot:v1", "--store=models"],
        ["store", "du", "--store", "models"],
        ["build", "bot:v1", "-f", "Modelfile", "--store", "models", "--keep", "2"],
    ):
        assert imports(arguments, tmp_path).isdisjoint({"typer", "inspect", "dataclasses", "pydantic"}), arguments


@pytest.mark.parametrize("arguments", [["--version"], ["lint", "Modelfile"], ["lint", "--format", "json", "Modelfile"]])
def test_no_heavy_import(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\nSYSTEM 10\u00a0000\nTEMP 1\n", encoding="utf-8")
    imported = imports(arguments, tmp_path) & HEAVY
    assert imported <= ({"importlib.metadata"} if arguments == ["--version"] else set())


def test_a_lint_without_options_imports_neither_typer_nor_lark(tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2:3b\nTEMPLATE {{ .Prompt }}\n", encoding="utf-8")
    imported = imports(["lint", "Modelfile"], tmp_path)
    assert "modelfile.gotemplate.parser" in imported
    assert imported.isdisjoint({"typer", "difflib", "dataclasses", "inspect", "multiprocessing", "concurrent"})
    assert imported.isdisjoint({"modelfile.cli.workers", "pickle"})
    assert "lark" not in imported, "the tables are stale: run `make tables`"


def test_a_listing_imports_nothing_about_modelfiles(fake: FakeOllama, tmp_path: Path) -> None:
    imported = imports(["ls", "--host", fake.url], tmp_path)
    assert "modelfile.stores.ollama.transport" in imported
    assert {name for name in imported if name.startswith(("lark", "modelfile.syntax", "modelfile.recipe"))} == set()
    assert "modelfile.project.project" not in imported
    assert imported & HEAVY == set()


def test_a_listing_of_a_folder_imports_no_client(tmp_path: Path) -> None:
    empty_store(tmp_path / "models")
    imported = imports(["ls", "--store", "models"], tmp_path)
    assert "modelfile.stores.disk.store" in imported
    stores = ("modelfile.stores.ollama", "modelfile.stores.registry")
    others = ("lark", "http", "modelfile.syntax", "modelfile.recipe", *stores)
    assert {name for name in imported if name.startswith(others)} == set()
    assert "modelfile.project.project" not in imported
    assert imported & HEAVY == set()


def test_a_locked_build_with_nothing_to_do_imports_no_http_client(
    fake: FakeOllama, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("# The bot.\nFROM base:v1\n")
    assert mf("pin").code == 0
    assert mf("build", "bot:v1").code == 0
    since = len(fake.requests)
    imported = imports(["build", "bot:v1"], project)
    assert "modelfile.builder.api" in imported
    assert imported & {*HEAVY, "http", "email", "ssl", "typer", "inspect", "dataclasses"} == set()
    assert "modelfile.report.differences" not in imported
    assert [logged.path for logged in fake.requests[since:]] == ["/api/version", "/api/tags"]
