"""Drift of files and bases, and the digest of a Modelfile's text."""

from dataclasses import replace

import pytest

from modelfile.lockfile.drift import Reason, base_drift, file_drift, text_digest
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
    found = [*file_drift("bot", PIN, OTHER, {"new.gguf": DIGEST})]
    assert [drift.key for drift in found] == ["bot"] * 3
    assert [drift.reason for drift in found] == [Reason.TEXT, Reason.FILE, Reason.FILE]
    assert [(drift.pinned, drift.current) for drift in found] == [(DIGEST, OTHER), (None, DIGEST), (DIGEST, None)]
    assert ["`new.gguf`" in drift.message for drift in found] == [False, True, False]
    assert ["`w.gguf`" in drift.message for drift in found] == [False, False, True]
    assert len([*file_drift("bot", PIN, DIGEST, {"w.gguf": OTHER})]) == 1


@pytest.mark.parametrize(
    ("pinned", "fingerprint", "types", "change"),
    [
        (None, PIN.fingerprint, {""}, None),
        (None, PIN.fingerprint, {"", "q8_0"}, "none -> none, q8_0"),
        (("q8_0",), None, {"q8_0"}, None),
        (("q8_0",), PIN.fingerprint, {"", "q8_0"}, None),
        (("q8_0",), None, {"", "q8_0"}, "q8_0 -> none, q8_0"),
        (("q8_0",), PIN.fingerprint, {"q8_0"}, "none, q8_0 -> q8_0"),
        (("q8_0",), None, {"q4_0", "q8_0"}, "q8_0 -> q4_0, q8_0"),
        (("q8_0",), PIN.fingerprint, {""}, "none, q8_0 -> none"),
    ],
)
def test_drift_of_quantization(
    pinned: tuple[str, ...] | None, fingerprint: str | None, types: set[str], change: str | None
) -> None:
    pin = replace(PIN, quantize=pinned, fingerprint=fingerprint)
    found = [*file_drift("bot", pin, DIGEST, PIN.files, frozenset(types))]
    message = f"its quantization has changed since `mf pin` ({change})"
    assert [drift.message for drift in found] == ([message] if change else [])


def test_no_fingerprint_is_expected_upon_a_quantized_base() -> None:
    base = Base(written="base:v1", name="base:v1", modelfile="base")
    assert not [*file_drift("bot", replace(PIN, base=base, fingerprint=None), DIGEST, PIN.files)]
    assert [*file_drift("bot", replace(PIN, base=base), DIGEST, PIN.files)]


def test_drift_of_a_base_that_the_project_builds() -> None:
    base = Base(written="base:v1", name="base:v1", fingerprint=PIN.fingerprint, modelfile="base")
    bot = replace(PIN, base=base)
    both = Lock(modelfiles={"bot": bot, "base": PIN})
    assert not [*base_drift("bot", both, "base")]
    assert not [*base_drift("base", both, None)]
    changed = replace(PIN, fingerprint=f"mf1:{'4' * 64}")
    upon_quantized = replace(bot, base=replace(base, fingerprint=None))
    cases = [
        (Lock(modelfiles={"bot": bot}), "base", False, "is not in the lock"),
        (Lock(modelfiles={"bot": bot, "base": changed}), "base", False, "has changed since `mf pin`"),
        (both, "base", True, "is quantized now"),
        (Lock(modelfiles={"bot": upon_quantized, "base": PIN}), "base", False, "is no longer quantized"),
        (both, None, False, "is no longer built in this project"),
        (Lock(modelfiles={"bot": replace(bot, base=replace(base, modelfile=None)), "base": PIN}), "base", False, "was"),
    ]
    for lock, maker, quantized, problem in cases:
        (drift,) = base_drift("bot", lock, maker, quantized=quantized)
        assert (drift.key, drift.reason) == ("bot", Reason.BASE)
        assert drift.message.startswith(f"its base base:v1, built from `base`, {problem}")
    assert not [*base_drift("bot", Lock(modelfiles={"bot": upon_quantized, "base": PIN}), "base", quantized=True)]
