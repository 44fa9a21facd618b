"""The lock file: reading, writing, keys, and drift."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.lockfile import (
    Base,
    Lock,
    LockFile,
    Pin,
    base_drift,
    file_drift,
    text_digest,
)
from modelfile.project.discovery import LOCK_FILE
from modelfile.syntax.modelfile import parse

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "12")
PIN = Pin(text=DIGEST, fingerprint=f"mf1:{'3' * 64}", files={"w.gguf": DIGEST})
LOCK = Lock(modelfiles={"bot/Modelfile": PIN})


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    LockFile(tmp_path / LOCK_FILE).write(LOCK)
    assert LockFile(tmp_path / LOCK_FILE).lock == LOCK
    assert (tmp_path / LOCK_FILE).read_text() == LOCK.dumps()


def test_an_unchanged_lock_is_not_written(tmp_path: Path) -> None:
    LockFile(tmp_path / LOCK_FILE).write(LOCK)
    os.utime(tmp_path / LOCK_FILE, (1, 1))
    LockFile(tmp_path / LOCK_FILE).write(LOCK)
    assert (tmp_path / LOCK_FILE).stat().st_mtime == 1


def test_a_lock_is_read_once(tmp_path: Path) -> None:
    LockFile(tmp_path / LOCK_FILE).write(LOCK)
    file = LockFile(tmp_path / LOCK_FILE)
    assert file.summaries.keys() == {"bot/Modelfile"}
    (tmp_path / LOCK_FILE).unlink()
    assert file.lock == LOCK
    assert not file.newer


def test_no_lock_is_an_empty_one(tmp_path: Path) -> None:
    assert LockFile(tmp_path / LOCK_FILE).lock == Lock()
    assert LockFile(tmp_path / LOCK_FILE).summaries == {}


def test_a_newer_minor_version_is_read(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(
        replace(LOCK, version="1.7").dumps().replace('"files"', '"new": 1,\n      "files"')
    )
    file = LockFile(tmp_path / LOCK_FILE)
    assert file.newer
    assert file.lock.modelfiles == LOCK.modelfiles


@pytest.mark.parametrize("text", ['{"version": "2.0"}', '{"version": 1}', "{}", "[]", "{", "[" * 100_000])
def test_a_newer_major_version_and_other_json_are_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_FILE).write_text(text)
    for read in ("lock", "summaries", "newer"):
        with pytest.raises(InputError, match=LOCK_FILE):
            getattr(LockFile(tmp_path / LOCK_FILE), read)


def test_a_lint_reads_what_it_needs_of_an_invalid_lock(tmp_path: Path) -> None:
    (tmp_path / LOCK_FILE).write_text(LOCK.dumps().replace("mf1:", "mf9:"))
    file = LockFile(tmp_path / LOCK_FILE)
    assert file.summaries["bot/Modelfile"].text == DIGEST
    with pytest.raises(InputError, match="fingerprint"):
        _ = file.lock


def test_the_key_of_a_modelfile_outside_of_the_folder_is_empty(tmp_path: Path) -> None:
    project, outside = tmp_path / "project", tmp_path / "outside"
    for folder in (project, outside):
        folder.mkdir()
        (folder / "Modelfile").touch()
    (project / "link").symlink_to(outside)
    file = LockFile(project / LOCK_FILE)
    assert file.key(project / "Modelfile") == "Modelfile"
    assert file.key(project / "link" / "Modelfile") == file.key(outside / "Modelfile") == ""


def test_line_endings_count_only_inside_of_values() -> None:
    text = '# Bot.\nFROM x:y\nSYSTEM """a\nb"""\n'
    windows = text.replace("\n", "\r\n")
    outside = windows.replace("a\r\n", "a\n")
    assert text_digest(parse(outside)) == text_digest(parse(text)) != text_digest(parse(windows))


def test_drift_of_files() -> None:
    assert not [*file_drift("bot", PIN, DIGEST, {"w.gguf": DIGEST})]
    assert len([*file_drift("bot", None, DIGEST, {})]) == 1
    found = [*file_drift("bot", PIN, OTHER, {"new.gguf": DIGEST})]
    assert [drift.key for drift in found] == ["bot"] * 3
    assert ["`new.gguf`" in drift.message for drift in found] == [False, True, False]
    assert ["`w.gguf`" in drift.message for drift in found] == [False, False, True]
    assert len([*file_drift("bot", PIN, DIGEST, {"w.gguf": OTHER})]) == 1


def test_drift_of_a_base_that_the_project_makes() -> None:
    base = Base(written="base:v1", name="base:v1", fingerprint=PIN.fingerprint, modelfile="base")
    bot = replace(PIN, base=base)
    assert not [*base_drift("bot", Lock(modelfiles={"bot": bot, "base": PIN}))]
    assert not [*base_drift("base", Lock(modelfiles={"base": PIN}))]
    changed = replace(PIN, fingerprint=f"mf1:{'4' * 64}")
    for pins in ({"bot": bot}, {"bot": bot, "base": changed}):
        assert [drift.key for drift in base_drift("bot", Lock(modelfiles=pins))] == ["bot"]
