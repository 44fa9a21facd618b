"""A project and the server it is built on, to compare before and after a fault."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import Ran, mf

from modelfile.stores.staging import STAGING

NAME = "bot:stable"
MODELFILE = "# For tests.\nFROM ./weights.gguf\nPARAMETER temperature 0.5\nSYSTEM hello\n"
OLDER = "# For tests.\nFROM ./older.gguf\nPARAMETER temperature 0.1\n"

_CACHED = re.compile(r"(?:built|digests|models)/[0-9a-f]{64}|locks/[0-9a-f]{64}\.lock|modelfile-\w+-\d+\.lark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A Modelfile to build `bot:stable` of on `fake`, where another model may have that name."""

    folder: Path
    fake: FakeOllama
    files: dict[Path, bytes] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)

    @classmethod
    def new(cls, folder: Path, fake: FakeOllama, monkeypatch: pytest.MonkeyPatch, *, held: bool = False) -> Project:
        """Make it, and if `held` another model of that name."""
        (folder / ".git").mkdir(parents=True)
        (folder / "weights.gguf").write_bytes(b"GGUF" + bytes(2 << 20))
        (folder / "older.gguf").write_bytes(b"GGUF" + bytes(60) + b"older")
        (folder / "Modelfile").write_text(MODELFILE)
        (folder / "older.Modelfile").write_text(OLDER)
        temporary = folder.with_name(f"{folder.name}-tmp")
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        monkeypatch.chdir(folder)
        if held:
            assert mf("build", NAME, "--file", "older.Modelfile").code == 0
        return cls(folder=folder, fake=fake, files=_contents(folder), models=digests(fake), blobs={*fake.blobs})

    def build(self, *arguments: str) -> Ran:
        """Run `mf build`."""
        return mf("build", NAME, *arguments)

    @contextlib.contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Start `mf build`, or `mf` with these arguments, in a process that does not outlive the context."""
        with subprocess.Popen(
            [sys.executable, "-m", "modelfile", *(arguments or ("build", NAME))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def is_as_before(self) -> None:
        """Check that no model was made or lost; uploaded weights may remain, so that the next build can reuse them."""
        assert digests(self.fake) == self.models
        assert self.blobs <= self.fake.blobs.keys()
        assert sum(not self.fake.blobs[digest].startswith(b"GGUF") for digest in {*self.fake.blobs} - self.blobs) == 0
        self.is_tidy()

    def is_as_before_or_as_asked(self) -> None:
        """Check that the name is the previous or the requested model; there may be a backup of the previous one."""
        now = {name: digest for name, digest in digests(self.fake).items() if STAGING not in name}
        held = now.pop(NAME, None)
        assert held in (self.models.get(NAME), *undisturbed(self).values())
        assert {*now.values()} <= {*self.models.values()}
        self.is_tidy()

    def is_tidy(self) -> None:
        """Check that no file was changed or added, except in the cache."""
        assert _contents(self.folder) == self.files
        assert not [*Path(os.environ["TMPDIR"]).iterdir()]
        cache = Path(os.environ["XDG_CACHE_HOME"]) / "modelfile"
        cached = [str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()]
        assert [path for path in cached if not _CACHED.fullmatch(path)] == []

    def goes_on(self) -> None:
        """Check that the next build makes the requested model, and leaves nothing else behind."""
        self.fake.clear_faults()
        again = self.build()
        assert again.code == 0, again
        assert digests(self.fake) == undisturbed(self)
        self.is_tidy()


def undisturbed(project: Project) -> dict[str, str]:
    """Return the models of a server after a build without faults."""
    return _undisturbed(held=bool(project.models))


@cache
def _undisturbed(*, held: bool) -> dict[str, str]:
    with FakeOllama() as other:
        if held:
            assert mf("build", NAME, "--file", "older.Modelfile", "--host", other.url).code == 0
        assert mf("build", NAME, "--host", other.url).code == 0
        return digests(other)


def digests(fake: FakeOllama) -> dict[str, str]:
    """Return the digests of the server's models by name."""
    with fake.lock:
        return {name: model.digest for name, model in fake.models.items()}


def staging_tags(fake: FakeOllama) -> list[str]:
    """Return the staging tags on the server."""
    return [name for name in digests(fake) if STAGING in name]


def build_on_machines(count: int, name: str, modelfile: str, caches: Path) -> list[str]:
    """Build different models of one name at once, each as if on its own machine; return their digests."""

    def start(seed: int) -> subprocess.Popen[str]:
        Path(f"{seed}.Modelfile").write_text(f"{modelfile}PARAMETER seed {seed}\n")
        command = [sys.executable, "-m", "modelfile", "build", name, "--keep", "9", "--json", "-f", f"{seed}.Modelfile"]
        environment = os.environ | {"XDG_CACHE_HOME": str(caches / f"machine-{seed}")}
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    made = []
    for running in [start(seed) for seed in range(count)]:
        with running:
            out, err = running.communicate(timeout=60)
        assert running.returncode == 0, err
        made.append(json.loads(out)["digest"].removeprefix("sha256:"))
    return made


def end(running: subprocess.Popen[str], how: signal.Signals) -> Ran:
    """Send a signal, wait for the end, and return the output.

    Python notices a signal in the microsecond before it waits for the network only after that wait, or at the next
    signal, so it is sent again after 30 s.
    """
    running.send_signal(how)
    try:
        out, err = running.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        running.send_signal(how)
        out, err = running.communicate(timeout=60)
    return Ran(running.returncode, out, err)


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
