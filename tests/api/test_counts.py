"""Work is done once: how often a command reads, parses, hashes and asks."""

import functools
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf

import modelfile.builder.plan
import modelfile.linter.engine
import modelfile.lockfile.file
import modelfile.lockfile.reader
import modelfile.project.config
import modelfile.recipe.model
import modelfile.recipe.recipe
import modelfile.stores.open
from modelfile.names import ModelName
from modelfile.syntax.modelfile import Modelfile

_opened: list[str] = []
sys.addaudithook(lambda event, arguments: _opened.append(str(arguments[0])) if event == "open" else None)


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Count calls by name, looks at files as `stat NAME`, and opened files as `open NAME`."""
    counts: Counter[str] = Counter()

    def wrap(name: str, function: Any) -> Any:
        @functools.wraps(function)
        def counting(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return function(*arguments, **options)

        return counting

    functions = {
        "lint": modelfile.linter.engine.lint,
        "resolve": modelfile.recipe.recipe.resolve,
        "fingerprint": modelfile.recipe.model.fingerprint,
        "plan": modelfile.builder.plan.plan,
        "load_config": modelfile.project.config.load_config,
        "read_toml": modelfile.project.config.read_toml,
        "parse lock": modelfile.lockfile.reader.parse_lock,
        "open_store": modelfile.stores.open.open_store,
    }
    with monkeypatch.context() as patch:
        modules = [module for name, module in sys.modules.items() if name.startswith("modelfile")]
        for name, function in functions.items():
            for module in modules:
                for attribute in [key for key, value in vars(module).items() if value is function]:
                    patch.setattr(module, attribute, wrap(name, function))
        patch.setattr(Modelfile, "parse", wrap("parse", Modelfile.parse))
        patch.setattr(ModelName, "parse", wrap("ModelName.parse", ModelName.parse))
        stat = os.stat

        def counting_stat(path: Any, *arguments: Any, **options: Any) -> os.stat_result:
            if options.get("follow_symlinks", True) and isinstance(path, str | os.PathLike):
                counts[f"stat {Path(path).name}"] += 1
            return stat(path, *arguments, **options)

        patch.setattr(os, "stat", counting_stat)
        _opened.clear()
        yield counts
        counts.update(f"open {Path(path).name}" for path in _opened)


def write_project(folder: Path, models: int) -> None:
    """Write a project of models in a row, each FROM the one before, the first from a file."""
    (folder / ".git").mkdir()
    (folder / "weights.gguf").write_bytes(b"GGUF" + bytes(60) + b"weights")
    text = ""
    for number in range(models):
        base = f"bot-{number - 1}:v1" if number else "./weights.gguf"
        (folder / f"{number}.Modelfile").write_text(f"# A model.\nFROM {base}\nPARAMETER seed {number}\n")
        text += f'[models.bot-{number}]\nmodelfile = "{number}.Modelfile"\ntag = "v1"\n'
    (folder / "mf.toml").write_text(text)


def nothing_to_do(
    folder: Path, models: int, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> tuple[Counter[str], list[str]]:
    """Build and pin a project, then count what building it again takes; return that and the requests."""
    write_project(folder, models)
    os.utime(folder / "weights.gguf", (1, 1))
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.setattr("modelfile.weights.digests._RACY", 0)
    assert mf("build", cwd=folder).code == 0
    assert mf("pin", cwd=folder).code == 0
    assert mf("build", cwd=folder).code == 0  # what the cache can know, it knows now
    since = len(fake.requests)
    with counted(monkeypatch) as counts:
        ran = mf("build", cwd=folder)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.count("up to date") == models
    return counts, [f"{logged.method} {logged.path}" for logged in fake.requests[since:]]


def test_a_build_with_nothing_to_do(tmp_path: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch) -> None:
    counts, requests = nothing_to_do(tmp_path, 2, fake, monkeypatch)
    assert requests == ["GET /api/version", "GET /api/tags"]
    once = ("load_config", "read_toml", "parse lock", "open_store", "stat weights.gguf")
    assert {name: counts[name] for name in once if counts[name] > 1} == {}
    assert (counts["open mf.lock"], counts["open mf.toml"], counts["open weights.gguf"]) == (1, 1, 0)
    assert (counts["open 0.Modelfile"], counts["open 1.Modelfile"]) == (1, 1)
    per_model = ("parse", "lint", "resolve", "plan")
    assert {name: counts[name] for name in per_model} == dict.fromkeys(per_model, 2)
    assert counts["fingerprint"] == 2


def test_work_is_linear_in_models(
    tmp_path_factory: pytest.TempPathFactory, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = []
    for models in (5, 10, 20):
        fake.models.clear()
        counts, requests = nothing_to_do(tmp_path_factory.mktemp("project"), models, fake, monkeypatch)
        assert len(requests) == 2
        measured.append(counts)
    few, more, many = measured
    for name in ("ModelName.parse", "parse", "lint", "resolve", "plan", "fingerprint"):
        assert many[name] - more[name] == 2 * (more[name] - few[name]), name


def test_a_list_of_backups_asks_for_the_models_once(project: Path, fake: FakeOllama) -> None:
    for number in range(4):
        (project / "Modelfile").write_text(f"FROM ./weights.gguf\nPARAMETER seed {number}\n")
        assert mf("build", "bot:v1").code == 0
    since = len(fake.requests)
    ran = mf("rollback", "bot:v1", "--list")
    assert (ran.code, len(ran.out.splitlines())) == (0, 4)
    requests = [f"{logged.method} {logged.path}" for logged in fake.requests[since:]]
    assert requests == ["GET /api/tags", *["POST /api/show"] * 3]


def test_a_check_reads_and_parses_each_file_once(
    tmp_path: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(tmp_path, 3)
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    assert mf("build", cwd=tmp_path).code == 0
    assert mf("pin", cwd=tmp_path).code == 0
    since = len(fake.requests)
    with counted(monkeypatch) as counts:
        ran = mf("check", cwd=tmp_path)
    assert (ran.code, "MF309" in ran.out, len(fake.requests) - since) == (0, True, 0)
    once = (
        "read_toml",
        "parse lock",
        "open mf.lock",
        "open mf.toml",
        *(f"open {number}.Modelfile" for number in range(3)),
    )
    assert {name: counts[name] for name in once} == dict.fromkeys(once, 1)
    assert {name: counts[name] for name in ("parse", "lint", "resolve")} == {"parse": 3, "lint": 3, "resolve": 3}
