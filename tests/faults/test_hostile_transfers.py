"""Hostile registries, and pulls and pushes: one clear error each, nothing half-written, and the next run succeeds."""

import random
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.fakes.hostile import BEHAVIORS, SIGNED
from tests.fakes.registry import FakeRegistry
from tests.fakes.store import published
from tests.support.cli import Ran, mf

from modelfile.cli.options import _open_registries
from modelfile.errors import ExitCode

SAMPLE = 12
"""Behaviors that a plain run of the tests tries at each place."""
PLACES = {
    "pull manifest": ("pull", "/manifests/", "GET"),
    "pull blob": ("pull", "/blobs/", "GET"),
    "push head": ("push", "/blobs/", "HEAD"),
    "push begin": ("push", "/uploads/", "POST"),
    "push part": ("push", "/uploads/", "PATCH"),
    "push end": ("push", "/uploads/", "PUT"),
    "push manifest": ("push", "/manifests/", "PUT"),
}
"""The command, and the requests that get the answers."""


def run(*arguments: str) -> Ran:
    return mf(*arguments, "--timeout", "0.4", "--idle-timeout", "0.4", open_registry=_open_registries)


def faults(place: str, behavior: str, models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield what is wrong when a registry behaves so."""
    command, path, method = PLACES[place]
    monkeypatch.setenv("MF_STORE", str(models))
    with FakeRegistry() as fake:
        name = f"{fake.host}/team/bot:main"
        fake.push("team/bot", "main", published(b"GGUF", system="hi"))
        if command == "push":
            assert mf("pull", name, open_registry=_open_registries).code == ExitCode.CLEAN
            fake.tags.clear()
            fake.blobs.clear()
        fake.fault(path, BEHAVIORS[behavior], times=999, method=method)
        with monkeypatch.context() as patch:
            patch.setattr("modelfile.stores.registry.downloads.STALLED", 0.2)
            ran = run(command, name)
        text = ran.out + ran.err
        if ran.code not in (ExitCode.CLEAN, ExitCode.FAILED) or "Traceback" in text or "internal error" in text:
            yield f"exit code {ran.code}: {text}"
        if behavior == "a signed URL" and any(part in text for part in (SIGNED, "user:pw", "0123456789abcdef")):
            yield "a signed URL"
        if controls := {char for char in text if unicodedata.category(char) == "Cc" and char != "\n"}:
            yield f"control characters {controls}"
        if ran.code == ExitCode.FAILED:
            if not (ran.err.startswith("error: ") and "\nhelp: " in ran.err and ran.err.count("error: ") == 1):
                yield f"no single error message with a hint: {ran.err}"
            if command == "pull" and (models / "manifests").exists() and [*(models / "manifests").rglob("main")]:
                yield "a manifest after a failure"
            if command == "push" and fake.tags:
                yield "a tag after a failure"
        fake._faults.clear()  # noqa: SLF001  # the registry behaves again
        fake.violations.clear()
        again = mf(command, name, "--replace", open_registry=_open_registries)
        if again.code != ExitCode.CLEAN:
            yield f"the next run fails: {again.err}"
        fake.violations.clear()


@pytest.mark.parametrize("place", PLACES)
def test_hostile_registry(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    chance = random.Random(f"{place} 15")  # noqa: S311  # no secret
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    tried = [*BEHAVIORS] if rounds > 1 else chance.sample([*BEHAVIORS], SAMPLE)
    for number, behavior in enumerate(tried):
        found = [*faults(place, behavior, tmp_path / f"models-{number}", monkeypatch)]
        assert not found, (behavior, found)
