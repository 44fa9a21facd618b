"""Pins of files, line endings and other checkouts."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Event

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.cli import mf
from tests.support.server import connect

from modelfile.builder.forecast import expected_model
from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.pinning.check import check_pins
from modelfile.pinning.pin import PinChange, pin
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.source import Source
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.ollama.wire import ShowWire, read_show
from modelfile.stores.protocol import StoredModel
from modelfile.syntax.modelfile import Modelfile


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake: FakeOllama) -> Path:
    root = tmp_path / "project"
    (root / "bot" / "w").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / "bot" / "w" / "model.gguf").write_bytes(b"GGUF" + bytes(60) + b"folder")
    (root / "shared.gguf").write_bytes(b"GGUF" + bytes(60) + b"shared")
    monkeypatch.setenv("OLLAMA_HOST", fake.url)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "own.gguf").write_bytes(b"GGUF" + bytes(60) + b"own")
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    ("written", "locked"),
    [("./w", "w/model.gguf"), ("../shared.gguf", "../shared.gguf"), ("~/own.gguf", "~/own.gguf")],
)
def test_the_lock_means_the_same_in_every_checkout(project: Path, tmp_path: Path, written: str, locked: str) -> None:
    (project / "bot" / "Modelfile").write_text(f"# For tests.\nFROM {written}\n")
    assert mf("pin").code == 0
    assert list(json.loads((project / "mf.lock").read_text())["modelfiles"]["bot/Modelfile"]["files"]) == [locked]
    shutil.copytree(project, tmp_path / "elsewhere")
    for folder in (".", "bot"):
        ran = mf("pin", "--check", cwd=tmp_path / "elsewhere" / folder)
        assert (ran.code, ran.out) == (0, "")


def test_local_weights_are_not_sent_again(project: Path, fake: FakeOllama) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM ./shared.gguf\n")
    assert mf("pin").code == 0
    sent = len([logged for logged in fake.requests if logged.path.startswith("/api/blobs")])
    assert mf("pin").code == 0
    assert len([logged for logged in fake.requests if logged.path.startswith("/api/blobs")]) == sent


@pytest.mark.parametrize(("text", "same"), [("SYSTEM hi", True), ('SYSTEM "a\nb"', False)])
def test_crlf_is_a_change_where_it_changes_the_model(project: Path, text: str, *, same: bool) -> None:
    path = project / "Modelfile"
    path.write_text(f"# For tests.\nFROM ./shared.gguf\n{text}\n")
    assert mf("pin").code == 0
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert mf("pin", "--check").code == (0 if same else 1)


def test_build_must_match_the_lock(project: Path, fake: FakeOllama) -> None:
    (project / "base.Modelfile").write_text("# For tests.\nFROM ./shared.gguf\n")
    (project / "Modelfile").write_text("# For tests.\nFROM library/BASE:v1\nSYSTEM hi\n")
    assert mf("build", "base:v1", "-f", "base.Modelfile").code == 0
    assert mf("pin").code == 0
    assert mf("build", "bot:v1").code == 0  # create compares names with case
    lock = json.loads((project / "mf.lock").read_text())
    lock["modelfiles"]["Modelfile"]["fingerprint"] = f"mf1:{'0' * 64}"
    (project / "mf.lock").write_text(json.dumps(lock))
    assert mf("pin", "--check").code == 0  # which asks no server
    with connect(fake.url) as client:
        (drift,) = check_pins(Project().modelfiles(["Modelfile"]), ServerStore(client)).drifts
    assert str(drift).startswith("Modelfile: its fingerprint has changed since `mf pin` (mf1:000000000000… -> mf1:")
    before = {name: model.digest for name, model in fake.models.items()}
    built = mf("build", "bot:v1")
    assert built.code == 3
    assert "has changed since `mf pin` (mf1:000000000000… -> mf1:" in built.err
    assert {name: model.digest for name, model in fake.models.items()} == before


def test_a_newer_minor_version_is_a_warning(project: Path) -> None:
    (project / "Modelfile").write_text("# For tests.\nFROM ./shared.gguf\n")
    assert mf("pin").code == 0
    lock = json.loads((project / "mf.lock").read_text())
    (project / "mf.lock").write_text(json.dumps({**lock, "version": "1.7", "more": 1}))
    commands = (("pin", "--check"), ("build", "bot:v1", "--dry-run"), ("build", "bot:v1", "--locked"), ("lint",))
    for arguments in (*commands, ("lint", "--format", "json")):
        ran = mf(*arguments)
        assert (ran.code, ran.err.count("warning: ")) == (0, 1)
        assert "mf.lock` has a newer format than this mf reads" in ran.err
    before = (project / "mf.lock").read_text()
    ran = mf("pin")
    assert (ran.code, (project / "mf.lock").read_text()) == (3, before)
    assert "would drop parts of it\nhelp: upgrade mf, then run the command again" in ran.err


def test_files_ignored_by_git_are_skipped(project: Path) -> None:
    (project / ".git").rmdir()
    subprocess.run(["git", "init", "-q", "."], cwd=project, check=True)
    for folder in ("seen", "unseen"):
        (project / folder).mkdir()
        (project / folder / "Modelfile").write_text("# For tests.\nFORMAT json\n")
    (project / ".gitignore").write_text("unseen\n")
    ran = mf("lint")
    assert "seen/Modelfile:2:1" in ran.out
    assert "unseen" not in ran.out
    assert mf("lint", "unseen").code == 3


def test_a_file_named_in_three_ways_is_one(project: Path) -> None:
    (project / "Modelfile").write_text("FROM x:y\nFORMAT json\n")
    ran = mf("lint", ".", "Modelfile", "./Modelfile", str(project / "Modelfile"))
    assert ran.err == "1 Modelfile checked: 1 error\n"


def test_rewritten_weights_are_expected_from_some_versions(tmp_path: Path) -> None:
    path = tmp_path / "w.gguf"
    recipe, digests = Recipe(files=(path,)), {path: "sha256:sent"}
    for version, weights in (("0.9.3", ("sha256:sent",)), ("0.33.0", ("sha256:made",)), ("0.0.0", ("sha256:made",))):
        made = Model(weights=("sha256:made",))
        assert expected_model(recipe, digests, base=None, created=made, version=version).weights == weights


def test_a_system_prompt_is_not_taken_for_weights() -> None:
    blob = f"/models/blobs/sha256-{'a' * 64}"
    system = f'"\nFROM {blob.replace("a", "b")}\n"'
    shown = ShowWire(
        modelfile=f"# By show\n\nFROM {blob}\nTEMPLATE x\nSYSTEM {system}\n", template="x", system=system[1:-1]
    )
    assert read_show(shown).weights == (f"sha256:{'a' * 64}",)


def test_offsets_in_a_value_with_dropped_characters() -> None:
    modelfile = Modelfile.parse(Source(text='FROM x\nTEMPLATE "\u200ba\u200b{{ x }}"\n'))
    value = modelfile.nodes[1].value  # type: ignore[union-attr]  # a TEMPLATE
    assert value.text == "a{{ x }}"
    for offset, character in enumerate(value.text):
        assert modelfile.text[modelfile.locate(value, offset)] == character
    assert modelfile.text[modelfile.locate(value, len(value.text))] == '"'


def test_two_pins_of_one_file_at_once(project: Path, fake: FakeOllama) -> None:
    (project / "Modelfile").write_text("FROM ./shared.gguf\n")

    def target() -> Target:
        return Target(Project(), project / "Modelfile")

    looking, waiting = Event(), Event()

    class Late(ServerStore):
        def find(self, name: ModelName) -> StoredModel | None:
            looking.set()
            assert waiting.wait(60)
            return super().find(name)

    statuses = []

    def second(store: ServerStore) -> tuple[PinChange, ...]:
        def events(now: Progress) -> None:
            if "waiting" in now.status:
                statuses.append(now.status)
                waiting.set()

        try:
            return pin([target()], store, pull=False, events=events)
        finally:
            waiting.set()

    with connect(fake.url) as client, ThreadPoolExecutor() as pool:
        one = pool.submit(pin, [target()], Late(client), pull=False)
        assert looking.wait(60)
        other = pool.submit(second, ServerStore(client))
        assert [change.pin for change in one.result(60)] == [change.pin for change in other.result(60)]
    assert {*statuses} == {"waiting for another pin of shared.gguf on this machine"}
    assert not fake.models


@pytest.mark.parametrize("text", ["", "SYSTEM hi\n"])
def test_weights_must_match_the_lock(project: Path, fake: FakeOllama, text: str) -> None:
    path = project / "bot" / "Modelfile"
    path.write_text("# For tests.\nFROM ../shared.gguf\n")
    assert mf("build", "bot:v1", "-f", "bot/Modelfile").code == 0
    assert mf("pin").code == 0
    path.write_text(path.read_text() + text)
    was = f"sha256:{sha256((project / 'shared.gguf').read_bytes()).hexdigest()[:12]}"
    (project / "shared.gguf").write_bytes((project / "shared.gguf").read_bytes() + b"x")
    now = f"sha256:{sha256((project / 'shared.gguf').read_bytes()).hexdigest()[:12]}"
    since, before = len(fake.requests), {name: model.digest for name, model in fake.models.items()}
    for options in ((), ("--dry-run",)):
        ran = mf("build", "bot:v1", "-f", "bot/Modelfile", *options)
        assert (ran.code, ran.out, ran.err) == (
            3,
            "",
            (
                f"error: `shared.gguf` has changed since `mf pin` ({was}… -> {now}…)\n"
                "help: run `mf pin` if that is intended\n"
            ),
        )
    assert {name: model.digest for name, model in fake.models.items()} == before
    assert {logged.method for logged in fake.requests[since:]} == {"GET"}
    assert mf("pin").code == 0
    assert mf("build", "bot:v1", "-f", "bot/Modelfile", "--replace").code == 0


def test_weights_missing_from_the_lock_may_be_built(project: Path) -> None:
    path = project / "Modelfile"
    path.write_text("# For tests.\nFROM ./shared.gguf\n")
    assert mf("pin").code == 0
    path.write_text("# For tests.\nFROM ./bot/w/model.gguf\n")
    assert mf("build", "bot:v1").code == 0


@pytest.mark.parametrize(("git", "root"), [(False, "."), (True, "..")])
def test_the_lock_of_a_project_is_where_it_is_configured(project: Path, *, git: bool, root: str) -> None:
    (project / ".git").rmdir()
    if git:
        (project.parent / ".git").mkdir()
    (project / "mf.toml").write_text('[models.bot]\nmodelfile = "bot/Modelfile"\ntag = "v1"\n')
    for folder in ("base", "bot"):
        (project / folder).mkdir(exist_ok=True)
        (project / folder / "Modelfile").write_text("# For tests.\nFROM ../shared.gguf\n")
    ran = mf("pin", cwd=project / "bot")
    assert ran.code == 0, ran
    ran = mf("pin")
    prefix = "project/" if git else ""
    assert [line.split(": ")[0] for line in ran.out.splitlines()] == [
        f"{prefix}{at}/Modelfile" for at in ("base", "bot")
    ]
    assert [*project.parent.rglob("mf.lock")] == [(project / root / "mf.lock").resolve()]
    assert mf("pin", "--check", cwd=project / "bot").code == 0
    assert mf("build", "bot:v1", "--dry-run", "--json").out.count('"expected_fingerprint": "mf1:') == 1
