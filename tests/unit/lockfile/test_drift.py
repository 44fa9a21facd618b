"""Drift of files and bases, and the digest of a Modelfile's text."""

from dataclasses import replace

from modelfile.lockfile.drift import base_drift, file_drift, text_digest
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.syntax.modelfile import parse

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "12")
PIN = Pin(text=DIGEST, fingerprint=f"mf1:{'3' * 64}", files={"w.gguf": DIGEST})


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
