"""Benchmark cases: a job done by `mf`, compared with another tool or with a smaller job."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory

from bench.harness import Case, Sandbox
from tests.fakes.registry import FakeRegistry
from tests.fakes.script import Script
from tests.fakes.values import Published
from tests.support import real_ollama
from tests.support.paths import ROOT

import modelfile
from modelfile.recipe.model import Model
from modelfile.stores.encoding import write_model
from modelfile.stores.memory import MemoryRegistry, MemoryStore

MODELFILE = '''\
# Answers the questions that come in by mail.
FROM llama3:8b

PARAMETER temperature 0.3
PARAMETER top_p 0.9
PARAMETER num_ctx 8192
PARAMETER repeat_penalty 1.1
PARAMETER stop "<|eot_id|>"
PARAMETER stop "<|start_header_id|>"

SYSTEM """
You answer the customers of a shop for bicycles. Be brief and friendly.
If you do not know, say so and name the number of the workshop.
"""

TEMPLATE """{{ if .System }}<|start_header_id|>system<|end_header_id|>

{{ .System }}<|eot_id|>{{ end }}{{ if .Prompt }}<|start_header_id|>user<|end_header_id|>

{{ .Prompt }}<|eot_id|>{{ end }}<|start_header_id|>assistant<|end_header_id|>

{{ .Response }}<|eot_id|>"""

MESSAGE user My chain squeaks.
MESSAGE assistant Clean it, dry it, and put one drop of oil on each link.
LICENSE """Meta Llama 3 is licensed under the Meta Llama 3 Community License, Copyright © Meta Platforms, Inc."""
'''


@contextmanager
def _folder(text: str) -> Iterator[Sandbox]:
    """Make a home with a Modelfile; PATH starts with this Python's tools, and PYTHON* variables are unset."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "Modelfile").write_text(text)
        clean = real_ollama.clean_environment()
        inherited = {variable: value for variable, value in clean.items() if not variable.startswith("PYTHON")}
        path = f"{Path(sys.executable).parent}:{real_ollama.FOLDER / 'server'}:{inherited['PATH']}"
        home = {"HOME": name, "XDG_CACHE_HOME": f"{name}/.cache"}
        yield Sandbox(folder=folder, environment=inherited | home | {"PATH": path})


@contextmanager
def _empty_server() -> Iterator[Sandbox]:
    """Start a server with no model in the default folder, beside a Modelfile that builds from Gemma's local weights."""
    text = MODELFILE.replace("llama3:8b", str(real_ollama.gemma()))
    with _folder(text) as sandbox, real_ollama.serve(models=sandbox.folder / ".ollama" / "models") as url:
        yield replace(sandbox, environment={**sandbox.environment, "OLLAMA_HOST": url})


@contextmanager
def _many_files() -> Iterator[Sandbox]:
    """Make a thousand formatted Modelfiles of 2 kB in `many`, one in `one`, and two with a SYSTEM of 1 and 10 MB."""
    text = MODELFILE.replace("If you do not know", "Look it up first.\n" * 55 + "If you do not know")
    with _folder(text) as sandbox:
        subprocess.run(
            ["mf", "fmt", "Modelfile"], cwd=sandbox.folder, env=sandbox.environment, check=True, stdout=DEVNULL
        )
        formatted = (sandbox.folder / "Modelfile").read_text()
        for folder, count in (("one", 1), ("many", 1000)):
            (sandbox.folder / folder).mkdir()
            for number in range(count):
                (sandbox.folder / folder / f"{number}.Modelfile").write_text(formatted)
        for size in (1, 10):
            huge = 'He said "yes" and left.\n' * (size * 43_691)
            (sandbox.folder / f"{size}MB").write_text(f'# Huge.\nFROM llama3.2:3b\nSYSTEM """{huge}"""\n')
        yield sandbox


@contextmanager
def _prompts() -> Iterator[Sandbox]:
    """Make two Modelfiles with a SYSTEM of 1 MB, of which each 50th line has another word, and of 9 MB."""
    lines = [
        f"Answer question {number} in {number % 97} words, and be kind to customer {number * 7}."
        for number in range(16_000)
    ]
    changed = [line.replace("kind", "polite") if number % 50 == 0 else line for number, line in enumerate(lines)]
    with _folder(MODELFILE) as sandbox:
        shutil.copy(ROOT / "examples" / "support" / "support-base" / "tiny.gguf", sandbox.folder)
        for name, text in (("old", lines), ("new", changed)):
            prompt = "\n".join(text)
            (sandbox.folder / name).write_text(f'# Huge.\nFROM ./tiny.gguf\nSYSTEM """{prompt}"""\n')
            nine = "\n".join(text * 9)
            (sandbox.folder / f"{name}-9MB").write_text(f'# Huge.\nFROM ./tiny.gguf\nSYSTEM """{nine}"""\n')
            build = ("mf", "build", f"{name}:v1", "-f", name, "--store", "store")
            subprocess.run(build, cwd=sandbox.folder, env=sandbox.environment, check=True, stdout=DEVNULL)
        yield sandbox


@contextmanager
def _pinned_files() -> Iterator[Sandbox]:
    """Make a thousand formatted Modelfiles of 2 kB in `many`, all in one lock."""
    with _many_files() as sandbox, contextlib.chdir(sandbox.folder):
        store = MemoryStore.with_models("llama3:8b")
        modelfile.pin(modelfile.Project().modelfiles(["many"]), store)
        yield sandbox


_LATENCY = 0.1
"""Seconds that the registry takes for each answer."""


class _SlowRegistry(FakeRegistry):
    """A registry that takes its time for each answer."""

    def next_fault(self, method: str, path: str) -> Script | None:
        time.sleep(_LATENCY)
        return super().next_fault(method, path)


@contextmanager
def _pinned_bases() -> Iterator[Sandbox]:
    """Make 200 Modelfiles in `many` and one in `one`, each folder with a lock of bases from a registry."""
    with _folder(MODELFILE) as sandbox, contextlib.chdir(sandbox.folder):
        for folder, count in (("one", 1), ("many", 200)):
            names = [f"m{number}:v1" for number in range(count)]
            _write_modelfiles(sandbox.folder / folder, names)
            targets = modelfile.Project().modelfiles([folder])
            modelfile.pin(targets, MemoryStore(), MemoryRegistry.with_models(*names))
        yield sandbox


@contextmanager
def _new_bases() -> Iterator[Sandbox]:
    """Start a slow registry, beside 50 Modelfiles in `many` and one in `one` that are each FROM a base of their own."""
    with _folder(MODELFILE) as sandbox, _SlowRegistry() as registry:
        for number in range(50):
            manifest, blobs = write_model(Model(weights=(f"sha256:{number:064}",), system="Be brief."))
            registry.push(f"team/m{number}", "v1", Published(manifest.text.encode(), blobs))
        for folder, count in (("one", 1), ("many", 50)):
            names = [f"{registry.host}/team/m{number}:v1" for number in range(count)]
            _write_modelfiles(sandbox.folder / folder, names)
        yield sandbox


def _write_modelfiles(folder: Path, bases: list[str]) -> None:
    folder.mkdir()
    for number, base in enumerate(bases):
        (folder / f"{number}.Modelfile").write_text(MODELFILE.replace("llama3:8b", base))


@contextmanager
def _sparse_weights() -> Iterator[Sandbox]:
    """Start a server with no model, beside Modelfiles with sparse weights of 60 kB and of 4 GB."""
    with _folder(MODELFILE) as sandbox, real_ollama.serve() as url:
        for name, size in (("small", 60_000), ("big", 4_000_000_000)):
            with (sandbox.folder / f"{name}.gguf").open("wb") as file:
                file.write(b"GGUF")
                file.truncate(size)
            (sandbox.folder / f"{name}.Modelfile").write_text(MODELFILE.replace("llama3:8b", f"./{name}.gguf"))
        yield replace(sandbox, environment={**sandbox.environment, "OLLAMA_HOST": url})


_READ_100 = (
    "from pathlib import Path; from modelfile.weights.gguf import read_header; "
    "[read_header(Path('gemma.gguf')) for _ in range(100)]"
)


@contextmanager
def _weights() -> Iterator[Sandbox]:
    """Make weights of 60 kB, the same with a sparse end of 100 GB, and a link to Gemma."""
    with _folder(MODELFILE) as sandbox:
        for name in ("tiny", "big"):
            shutil.copy(ROOT / "examples" / "support" / "support-base" / "tiny.gguf", sandbox.folder / f"{name}.gguf")
        os.truncate(sandbox.folder / "big.gguf", 100 << 30)
        (sandbox.folder / "gemma.gguf").symlink_to(real_ollama.gemma())
        yield sandbox


@contextmanager
def _project() -> Iterator[Sandbox]:
    """Start a server with no model, beside a project of two models, one based on the other."""
    with _folder(MODELFILE.replace("llama3:8b", "base:v1")) as sandbox, real_ollama.serve() as url:
        shutil.copy(ROOT / "examples" / "support" / "support-base" / "tiny.gguf", sandbox.folder)
        (sandbox.folder / "base.Modelfile").write_text("# The base.\nFROM ./tiny.gguf\nPARAMETER num_ctx 128\n")
        models = (("base", "base.Modelfile"), ("bot", "Modelfile"))
        tables = (f'[models.{name}]\nmodelfile = "{file}"\ntag = "v1"\n' for name, file in models)
        (sandbox.folder / "mf.toml").write_text("".join(tables))
        yield replace(sandbox, environment={**sandbox.environment, "OLLAMA_HOST": url})


@contextmanager
def _built_project() -> Iterator[Sandbox]:
    """Start the same server with both models built."""
    with _project() as sandbox:
        command = (sys.executable, "-m", "modelfile", "build", "-q")
        subprocess.run(command, cwd=sandbox.folder, env=sandbox.environment, stdout=DEVNULL, check=True)
        yield sandbox


LINT = Case(
    name="lint",
    ours=("mf", "lint", "Modelfile"),
    theirs=("modelfile-lint", "Modelfile"),
    sandbox=lambda: _folder(MODELFILE),
    rounds=20,
    before=1,
    exits=frozenset({0, 1}),
)
LINT_WEIGHTS = replace(
    LINT, name="lint-weights", sandbox=lambda: _folder(MODELFILE.replace("llama3:8b", str(real_ollama.gemma())))
)
BUILD_FIRST = Case(
    name="build-first",
    ours=("mf", "build", "gemma:bench", "-f", "Modelfile"),
    theirs=("ollama", "create", "gemma:bench", "-f", "Modelfile"),
    sandbox=_empty_server,
    rounds=5,
)
BUILD_AGAIN = replace(BUILD_FIRST, name="build-again", before=1)
FOLDER_FIRST = replace(
    BUILD_FIRST, name="folder-first", ours=("mf", "build", "gemma:bench", "-f", "Modelfile", "--store", "store")
)
FOLDER_AGAIN = replace(FOLDER_FIRST, name="folder-again", before=1)
BUILD_FLAT = Case(
    name="build-flat",
    ours=("mf", "build", "big:bench", "-f", "big.Modelfile"),
    theirs=("mf", "build", "small:bench", "-f", "small.Modelfile"),
    sandbox=_sparse_weights,
    rounds=3,
    before=1,
)
BUILD_IDLE = Case(
    name="build-idle", ours=("mf", "build"), theirs=("ollama", "list"), sandbox=_project, rounds=10, before=1
)
HASH = Case(
    name="hash",
    ours=("mf", "parse", "--request", "big.Modelfile"),
    theirs=("openssl", "dgst", "-sha256", "big.gguf"),
    sandbox=_sparse_weights,
    rounds=5,
)

HEADER = Case(
    name="header",
    ours=("python", "-c", _READ_100),
    theirs=("python", "-c", "import gguf; gguf.GGUFReader('gemma.gguf')"),
    sandbox=_weights,
    rounds=5,
)
"""A hundred headers with our reader, against one with the other."""
SHOW_WEIGHTS = Case(
    name="show-weights", ours=("mf", "show", "gemma.gguf"), theirs=("mf", "--version"), sandbox=_weights, rounds=10
)
SHOW_FLAT = replace(SHOW_WEIGHTS, name="show-flat", ours=("mf", "show", "big.gguf"), theirs=("mf", "show", "tiny.gguf"))

LINT_1000 = Case(
    name="lint-1000", ours=("mf", "lint", "many"), theirs=("mf", "lint", "one"), sandbox=_many_files, rounds=5
)
FMT_1000 = replace(
    LINT_1000, name="fmt-1000", ours=("mf", "fmt", "--check", "many"), theirs=("mf", "fmt", "--check", "one")
)
CHECK_1000 = replace(
    LINT_1000,
    name="check-1000",
    ours=("mf", "check", "many"),
    theirs=("mf", "lint", "many"),
    sandbox=_pinned_files,
)
PIN_CHECK_200 = Case(
    name="pin-check-200",
    ours=("mf", "pin", "--check", "many"),
    theirs=("mf", "pin", "--check", "one"),
    sandbox=_pinned_bases,
    rounds=10,
)
PIN_50 = Case(
    name="pin-50",
    ours=("sh", "-c", "rm -f many/mf.lock && mf pin -q --no-cache many"),
    theirs=("sh", "-c", "rm -f one/mf.lock && mf pin -q --no-cache one"),
    sandbox=_new_bases,
    rounds=5,
)
PARSE_1000 = replace(LINT_1000, name="parse-1000", ours=("mf", "parse", "many"), theirs=("mf", "parse", "one"))
PARSE_10MB = replace(LINT_1000, name="parse-10MB", ours=("mf", "parse", "10MB"), theirs=("mf", "parse", "1MB"))
SHOW = Case(
    name="show",
    ours=("mf", "show", "bot:v1"),
    theirs=("ollama", "show", "bot:v1"),
    sandbox=_built_project,
    rounds=10,
    before=1,
)
DIFF_1MB = Case(
    name="diff-1MB",
    ours=("mf", "diff", "old:v1", "new:v1", "--store", "store"),
    theirs=("git", "diff", "--no-index", "--word-diff", "old", "new"),
    sandbox=_prompts,
    rounds=5,
    exits=frozenset({1}),
)
DIFF_FILES_1MB = replace(DIFF_1MB, name="diff-files-1MB", ours=("mf", "diff", "file:old", "file:new"))
DIFF_FILES_9MB = replace(
    DIFF_1MB,
    name="diff-files-9MB",
    ours=("mf", "diff", "file:old-9MB", "file:new-9MB"),
    theirs=("git", "diff", "--no-index", "old-9MB", "new-9MB"),
)

_ALL = (
    LINT,
    LINT_WEIGHTS,
    LINT_1000,
    CHECK_1000,
    PIN_CHECK_200,
    PIN_50,
    FMT_1000,
    PARSE_1000,
    PARSE_10MB,
    DIFF_1MB,
    SHOW,
    DIFF_FILES_1MB,
    DIFF_FILES_9MB,
    HASH,
    HEADER,
    SHOW_WEIGHTS,
    SHOW_FLAT,
    BUILD_FIRST,
    BUILD_AGAIN,
    FOLDER_FIRST,
    FOLDER_AGAIN,
    BUILD_IDLE,
    BUILD_FLAT,
)
CASES = {case.name: case for case in _ALL}
