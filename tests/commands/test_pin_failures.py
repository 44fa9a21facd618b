"""Modelfiles and locks that cannot be pinned or checked: each is named, and no other suffers."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import LOCAL, edit
from tests.support.cli import mf
from tests.support.server import connect

from modelfile.pinning.check import check_pins
from modelfile.project.project import Project
from modelfile.stores.ollama.store import ServerStore

NO_LOCK = "is not pinned: there is no mf.lock"
BROKEN = "FROM ./weights.gguf\nPARAMETER temprature 1\n"


def keys(folder: Path) -> set[str]:
    return {*json.loads((folder / "mf.lock").read_text())["modelfiles"]}


def test_without_a_lock_everything_is_stale_and_no_server_is_asked(project: Path, fake: FakeOllama) -> None:
    (project / "base.Modelfile").write_text(LOCAL)
    ran = mf("pin", "--check")
    assert (ran.code, ran.out) == (1, f"Modelfile: {NO_LOCK}\nbase.Modelfile: {NO_LOCK}\n")
    assert ran.err == "error: there is no mf.lock\nhelp: run `mf pin`, and commit mf.lock\n"
    assert not fake.requests
    drifts = json.loads(mf("pin", "--check", "--json").out)["drifts"]
    assert [(drift["modelfile"], drift["reason"]) for drift in drifts] == [
        ("Modelfile", "no-lock"),
        ("base.Modelfile", "no-lock"),
    ]


@pytest.mark.parametrize("options", [(), ("--check",)])
@pytest.mark.parametrize("locked", [False, True])
def test_a_missing_file_is_named(project: Path, options: tuple[str, ...], *, locked: bool) -> None:
    if locked:
        assert mf("pin").code == 0
    ran = mf("pin", *options, "gone.Modelfile")
    assert (ran.code, ran.err) == (3, "error: cannot read `gone.Modelfile`: no such file or directory\n")
    assert (project / "mf.lock").exists() == locked


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"GGUF\0binary", "error: `bad.Modelfile` is binary, not a Modelfile\n"),
        (b"FROM \xff\n", "bad.Modelfile:1:6: error MF113 invalid-utf-8"),
        (BROKEN.encode(), "bad.Modelfile:2:11: error MF301 unknown-parameter"),
        (b"FROM ./gone.gguf\n", "bad.Modelfile:1:6: error MF207 missing-file"),
        (b"FROM\n", "bad.Modelfile:1:"),
    ],
)
def test_one_bad_file_keeps_no_other_from_being_pinned(project: Path, content: bytes, error: str) -> None:
    (project / "bad.Modelfile").write_bytes(content)
    (project / "sub").mkdir()
    (project / "sub" / "Modelfile").write_text(LOCAL.replace("./", "../"))
    ran = mf("pin")
    assert (ran.code, keys(project)) == (3, {"Modelfile", "sub/Modelfile"}), ran
    assert error in ran.err
    assert ran.out.count("  (new)\n") == 2
    written = json.loads(mf("pin", "--json").out)
    assert [item["modelfile"] for item in written if "error" in item] == ["bad.Modelfile"]
    checked = mf("pin", "--check")
    assert (checked.code, checked.out) == (3, ""), checked
    assert error in checked.err
    (project / "bad.Modelfile").write_text(LOCAL)
    assert mf("pin", "--check").code == 1


def test_the_entry_of_a_bad_file_stays(project: Path) -> None:
    (project / "bad.Modelfile").write_text(LOCAL)
    assert mf("pin").code == 0
    written = (project / "mf.lock").read_bytes()
    (project / "bad.Modelfile").write_text(BROKEN)
    assert mf("pin").code == 3
    assert (project / "mf.lock").read_bytes() == written


@pytest.mark.parametrize("content", ["GGUF\0binary", BROKEN])
def test_models_upon_a_bad_base_of_the_project_are_not_pinned(models: Path, fake: FakeOllama, content: str) -> None:
    (models / "other.Modelfile").write_text(LOCAL)
    (models / "base.Modelfile").write_text(content)
    ran = mf("pin", "--json")
    assert keys(models) == {"other.Modelfile"}
    failed = [(item["modelfile"], item["error"]["message"]) for item in json.loads(ran.out) if "error" in item]
    assert [path for path, _ in failed] == ["Modelfile", "base.Modelfile"]
    assert len({message for _, message in failed}) == 1
    assert not any(logged.path == "/api/pull" for logged in fake.requests)
    if content != BROKEN:
        for options in ((), ("--check",)):
            ran = mf("pin", *options, "Modelfile")
            assert ran.err.startswith("error: `base.Modelfile` is binary, not a Modelfile\nhelp: to build from weights")


def test_a_base_without_its_weights_keeps_no_other_from_being_checked(models: Path, fake: FakeOllama) -> None:
    (models / "base.gguf").write_bytes((models / "weights.gguf").read_bytes())
    (models / "base.Modelfile").write_text("# The base.\nFROM ./base.gguf\n")
    (models / "other.Modelfile").write_text(LOCAL)
    assert mf("pin").code == 0
    (models / "base.gguf").unlink()
    found = (
        "base.Modelfile:2:6: error MF207 missing-file: file not found: `./base.gguf`\n"
        "2 | FROM ./base.gguf\n  |      ^^^^^^^^^^^\n"
        "  = help: paths are relative to the Modelfile's folder; without the file, Ollama reads it as a model name\n"
        "error: `base.Modelfile` has errors\n"
        "help: `mf lint base.Modelfile` shows them, and --fix fixes what it safely can\n"
    )
    for options in ((), ("--frozen",), ("Modelfile",), ("Modelfile", "--json")):
        ran = mf("pin", "--check", *options)
        assert (ran.code, ran.err) == (3, found), options
    edit(models / "other.Modelfile", "0.5", "0.6")
    ran = mf("pin", "--check")
    assert (ran.code, ran.out) == (1, "other.Modelfile: has changed since `mf pin`\n")
    before = (models / "mf.lock").read_bytes()
    ran = mf("pin")
    assert ran.code == 3
    assert ran.err == f"{found}error: `Modelfile` was skipped: its base `base.Modelfile` cannot be pinned\n"
    assert ran.out.startswith("other.Modelfile: pinned weights.gguf")
    ran = mf("pin", "Modelfile")  # not from the server, which could have another base:v1
    assert (ran.code, ran.out, ran.err) == (3, "", found)
    assert not any(logged.path == "/api/pull" for logged in fake.requests)
    assert (models / "mf.lock").read_bytes() != before


def test_an_unreadable_base_keeps_no_other_from_being_checked(models: Path) -> None:
    (models / "other.Modelfile").write_text(LOCAL)
    assert mf("pin").code == 0
    (models / "base.Modelfile").write_text("GGUF\0binary")
    edit(models / "other.Modelfile", "0.5", "0.6")
    ran = mf("pin", "--check")
    assert (ran.code, ran.out) == (1, "other.Modelfile: has changed since `mf pin`\n")
    assert ran.err.startswith("error: `base.Modelfile` is binary, not a Modelfile\n")


def test_the_library_names_the_modelfile_of_a_base_that_is_a_missing_file(models: Path) -> None:
    assert mf("pin").code == 0
    (models / "weights.gguf").unlink()
    (error,) = check_pins(Project().modelfiles(), None).unread
    assert error.message == "`base.Modelfile`: invalid model name `./weights.gguf`"


def test_the_type_of_a_base_on_the_server_is_checked(project: Path) -> None:
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("# For tests.\nFROM base:v1\n")
    (project / "mf.toml").write_text('[models.bot]\nmodelfile = "Modelfile"\ntag = "v1"\nquantize = "q4_K_S"\n')
    ran = mf("pin")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "error: `mf.toml`: `models.bot.quantize`: cannot quantize the base base:v1: "
        "the type of its weights is unknown\n"
        "help: Ollama 0.9.3 quantizes only F16, F32, and cannot recognize a file that is all F32\n"
    )
    assert not (project / "mf.lock").exists()


def test_a_modelfile_outside_of_the_lock_is_named(project: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "Modelfile"
    outside.write_text("FROM x:y\n")
    (project / "linked.Modelfile").symlink_to(outside)
    assert mf("pin", "Modelfile").code == 0
    written = (project / "mf.lock").read_bytes()
    for options in ((), ("--check",)):
        ran = mf("pin", *options, "linked.Modelfile")
        assert (ran.code, ran.out) == (3, "")
        assert ran.err == (
            f"error: `linked.Modelfile` is outside of `{project}`, the folder of its mf.lock\nhelp: copy it there\n"
        )
    assert (project / "mf.lock").read_bytes() == written


@pytest.mark.parametrize("target", ["nowhere", "mf.lock", "."])
def test_a_lock_that_cannot_be_read_fails_every_command_that_uses_it(project: Path, target: str) -> None:
    (project / "mf.lock").symlink_to(target)
    for command in (("lint",), ("pin",), ("pin", "--check"), ("build", "bot:v1"), ("build", "bot:v1", "--dry-run")):
        ran = mf(*command)
        assert (ran.code, ran.out) == (3, ""), command
        assert "mf.lock`" in ran.err
    assert (project / "mf.lock").readlink() == Path(target)
    assert not (project / "nowhere").exists()


def test_the_advice_to_pull_names_the_same_server(project: Path, fake: FakeOllama) -> None:
    assert mf("build", "base:v1").code == 0
    (project / "Modelfile").write_text("FROM base:v1\n")
    assert mf("pin").code == 0
    assert mf("rm", "base:v1", "--yes").code == 0
    assert mf("pin", "--check").code == 0  # which asks no server
    with connect(fake.url) as client:
        (undecided,) = check_pins(Project().modelfiles(["."]), ServerStore(client)).undecided
    for host, option in ((fake.url, f" --host {fake.url}"), (None, "")):
        assert undecided.error(host).message == f"Modelfile: cannot check base base:v1: not on {fake.url}"
        assert undecided.error(host).hint == f"run `mf pull base:v1{option}`"


def test_a_name_that_is_not_utf_8_is_named_and_the_others_are_pinned(project: Path) -> None:
    name, weights = "caf\udce9.Modelfile", "caf\udce9.gguf"
    (project / name).write_text(LOCAL)
    (project / weights).write_bytes((project / "weights.gguf").read_bytes())
    (project / "Other.Modelfile").write_bytes(b"# Weights with a name in Latin-1.\nFROM ./" + os.fsencode(weights))
    ran = mf("pin")
    assert (ran.code, keys(project)) == (3, {"Modelfile"}), ran
    assert "is not UTF-8, so that no lock can have it\nhelp: rename the file\n" in ran.err
    assert mf("pin", "--check").code == 3


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_a_symlink_loop_is_named(project: Path, options: tuple[str, ...]) -> None:
    (project / "loop.Modelfile").symlink_to("loop.Modelfile")
    (project / "folder").symlink_to("folder")
    ran = mf("pin")
    assert ran.code == 3
    assert ran.err == "error: cannot read `loop.Modelfile`: too many levels of symbolic links\n"
    assert keys(project) == {"Modelfile"}
    for path in ("loop.Modelfile", "folder/Modelfile"):
        ran = mf("pin", *options, path)
        assert (ran.code, ran.out) == (3, "")
        assert ran.err.startswith(f"error: cannot read `{path}`: too many levels of symbolic links\n"), ran


@pytest.fixture
def nested(project: Path) -> Path:
    """Return a repository with two pinned Modelfiles, of which that in `sub` has changed since."""
    (project / ".git").rmdir()
    subprocess.run(["git", "init", "-q", project], check=True)
    (project / "sub").mkdir()
    (project / "sub" / "weights.gguf").write_bytes((project / "weights.gguf").read_bytes())
    (project / "sub" / "Modelfile").write_text(LOCAL)
    assert mf("pin").code == 0
    assert keys(project) == {"Modelfile", "sub/Modelfile"}
    assert mf("pin", "--check", "--frozen").code == 0
    edit(project / "sub" / "Modelfile", "0.5", "0.6")
    return project


@pytest.mark.parametrize(("file", "text"), [(".gitignore", "sub/\n"), ("mf.toml", 'exclude = ["sub/"]\n')])
def test_an_entry_is_checked_and_pinned_although_its_modelfile_is_ignored_now(
    nested: Path, file: str, text: str
) -> None:
    (nested / file).write_text(text)
    ran = mf("pin", "--check", "--frozen")
    assert (ran.code, ran.out) == (1, "sub/Modelfile: has changed since `mf pin`\n")
    assert mf("pin", "--check", "--frozen", cwd=nested / "sub").code != 0
    (nested / "other").mkdir()
    (nested / "other" / "Modelfile").write_bytes((nested / "Modelfile").read_bytes().replace(b"./", b"../"))
    assert mf("pin", "other/Modelfile").code == 0
    assert mf("pin", "--check", "--frozen", cwd=nested / "other").code == 0  # it is the default for its folder alone
    targets = Project().modelfiles()
    assert [drift.key for drift in check_pins(targets, None, whole=True).drifts] == ["sub/Modelfile"]
    assert not check_pins(targets, None).drifts
    ran = mf("pin")
    assert (ran.code, [line for line in ran.out.splitlines() if "(changed)" in line]) == (0, [ran.out.splitlines()[-1]])
    assert ran.out.splitlines()[-1].startswith("sub/Modelfile: pinned weights.gguf (sha256:")
    assert mf("pin", "--check", "--frozen").code == 0


@pytest.mark.parametrize("is_repository", [True, False])
def test_an_entry_that_belongs_in_another_lock_is_reported(nested: Path, *, is_repository: bool) -> None:
    if is_repository:
        subprocess.run(["git", "init", "-q", nested / "sub"], check=True)
    else:
        (nested / "sub" / "mf.lock").write_text('{"version": "1.0", "modelfiles": {}}')
        (nested / ".gitignore").write_text("sub/\n")
    ran = mf("pin", "--check", "--frozen")
    message = "sub/Modelfile: belongs in `sub/mf.lock`: remove its entry from this lock\n"
    assert (ran.code, ran.out) == (1, message)
    skipped = "warning: skipped `sub`: it is a repository of its own; name it to search it\n" if is_repository else ""
    help_text = "help: run `mf pin`, review the changes in mf.lock, and commit it\n"
    assert ran.err == f"{skipped}error: mf.lock is out of date\n{help_text}"
    assert mf("lint").err.startswith(skipped)
    assert mf("fmt", "--check").err.startswith(skipped)
    assert "skipped" not in mf("lint", "sub").err
    written = (nested / "mf.lock").read_bytes()
    assert mf("pin").code == 0
    assert (nested / "mf.lock").read_bytes() == written
