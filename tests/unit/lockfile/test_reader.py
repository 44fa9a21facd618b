"""Reading locks: damage, conflicts and other versions are named, and none counts as no lock."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from modelfile.errors import InputError
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Base, Lock, Pin
from modelfile.lockfile.reader import summarize, validate, validate_with_pydantic
from modelfile.project.discovery import LOCK_FILE

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "12")
PIN = Pin(text=DIGEST, fingerprint=f"mf1:{'3' * 64}", files={"w.gguf": DIGEST})
LOCK = Lock(modelfiles={"bot/Modelfile": PIN})
BASED = Base(
    written="x:y",
    name="registry.ollama.ai/library/x:y",
    fingerprint=PIN.fingerprint,
    digest=DIGEST,
    modelfile="bot/Modelfile",
)
FULL = Lock(
    modelfiles={
        "bot/Modelfile": replace(PIN, base=BASED, ollama="0.9.3", quantize=("q4_K_M",), built=(DIGEST, OTHER)),
        "a": PIN,
    }
)


@pytest.mark.parametrize("text", ['{"version": "2.0"}', '{"version": 1}', "{}", "[]", "{", "[" * 100_000])
def test_a_newer_major_version_and_other_json_are_rejected(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_FILE).write_text(text)
    for read in ("lock", "summaries", "newer"):
        with pytest.raises(InputError, match=LOCK_FILE):
            getattr(LockFile(tmp_path / LOCK_FILE), read)


def test_a_valid_lock_is_read_without_pydantic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modelfile.lockfile.reader.validate_with_pydantic", None)
    (tmp_path / LOCK_FILE).write_text(FULL.dumps())
    assert LockFile(tmp_path / LOCK_FILE).summaries["bot/Modelfile"].text == DIGEST
    assert LockFile(tmp_path / LOCK_FILE).lock == FULL


VALUES = st.recursive(
    st.sampled_from([None, True, 1, 1.5, "", "x", "../x", "a b", DIGEST, f"{DIGEST}\n", PIN.fingerprint, "1.0"]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["x", "text", "name"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(st.data())
def test_a_lock_is_read_as_pydantic_reads_it(data: st.DataObject) -> None:
    """Change or remove a random part of a lock, and let all read it."""
    content = json.loads(FULL.dumps())
    part, key = content, "modelfiles"
    while isinstance(part[key], dict) and part[key] and data.draw(st.booleans() | st.just(value=True)):
        part, key = part[key], data.draw(st.sampled_from(sorted(part[key])))
    if data.draw(st.booleans()):
        del part[key]
    else:
        part[key] = data.draw(VALUES)
    pins = content.get("modelfiles", {})
    assume(isinstance(pins, dict) and all(isinstance(pin, dict) for pin in pins.values()))  # parse_lock rejects others
    error = error_of(validate_with_pydantic, content)
    assert error_of(summarize, content) == error_of(validate, content) == error
    assert error or validate(content, "mf.lock") == validate_with_pydantic(content, "mf.lock")


def error_of(read: Callable[[dict[str, Any], str], object], content: dict[str, Any]) -> str:
    try:
        read(content, "mf.lock")
    except InputError as error:
        return error.message
    return ""


def pinned(**changes: object) -> str:
    pin = {"text": DIGEST, "fingerprint": PIN.fingerprint, "files": {}, **changes}
    return json.dumps({"version": "1.0", "modelfiles": {"bot": {k: v for k, v in pin.items() if v is not None}}})


BASE = {"written": "x", "name": "registry.ollama.ai/library/x:latest", "fingerprint": PIN.fingerprint}
UNKNOWN = {"written": "x", "name": "registry.ollama.ai/library/x:latest"}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "it is not JSON at line 1, column 1"),
        ('{\n  "version": "1.0",\n  oops', "it is not JSON at line 3, column 3"),
        (b"\xff{}", "it is not UTF-8"),
        ('{"a": ' * 100_000, "it is nested too deeply"),
        ("[" * 100_000, "it is nested too deeply"),
        (f'{{"version": "1.0", "modelfiles": {{"a": {"9" * 5000}}}}}', "it has a number with too many digits"),
        ('{"version": "1.0", "modelfiles": {"a": {}, "a": {}}}', "it has the key `a` twice in one object"),
        (json.dumps({str(key): 1 for key in range(300_000)})[:-1] + ', "299999": 1}', "it has the key `299999` twice"),
        ("[]", "it is not a JSON object"),
        ("{}", "`version` is missing"),
        ('{"version": 1}', '`version` is not a text such as "1.0"'),
        ('{"version": "1"}', '`version` is not a text such as "1.0"'),
        (f'{{"version": "1.{"9" * 5000}"}}', '`version` is not a text such as "1.0"'),
        ('{"version": "\u0661.\u0660"}', '`version` is not a text such as "1.0"'),
        ('{"version": "1.0", "modelfiles": []}', "`modelfiles` is not an object"),
        ('{"version": "1.0", "modelfiles": {"bot": 1}}', "`modelfiles.bot` is not an object"),
        (pinned(text=None), "`modelfiles.bot.text` is missing"),
        (pinned(text=1), "`modelfiles.bot.text` is not a text"),
        (pinned(text="sha256:1"), "`modelfiles.bot.text` is not a digest: `sha256:` and 64 hexadecimal digits"),
        (pinned(files=[]), "`modelfiles.bot.files` is not an object"),
        (pinned(built="x"), "`modelfiles.bot.built` is not a list"),
        (pinned(base=[]), "`modelfiles.bot.base` is not an object"),
        (pinned(base={**BASE, "name": "a b"}), "`modelfiles.bot.base.name` is not valid: invalid model name `a b`"),
        (
            pinned(fingerprint="x"),
            "`modelfiles.bot.fingerprint` is not a fingerprint: `mf1:` and 64 hexadecimal digits",
        ),
        *(
            (pinned().replace('"bot"', json.dumps(key)), f"`modelfiles.{key}` is not valid: not a path below the")
            for key in ("/etc/x", "../x", "a/../x", "a//x", "C:/x", "a\0b")
        ),
        (pinned(base=UNKNOWN), "`modelfiles.bot.base.fingerprint` is missing"),
        (pinned(base=UNKNOWN, fingerprint=None), "`modelfiles.bot.base.fingerprint` is missing"),
        (pinned(base=UNKNOWN | {"digest": DIGEST}), "`modelfiles.bot.base.fingerprint` is missing"),
        (pinned(base=BASE, fingerprint=None), "`modelfiles.bot.fingerprint` is missing"),
        (pinned(base=BASE, fingerprint=None, quantize=[]), "`modelfiles.bot.fingerprint` is missing"),
        (pinned(fingerprint=None), "`modelfiles.bot.fingerprint` is missing"),
        (pinned(text="\ud83d"), "it has half of a surrogate pair"),
        (pinned(text="\N{GRINNING FACE}"), "`modelfiles.bot.text` is not a digest"),
        (pinned(base={**BASE, "modelfile": "../x"}), "`modelfiles.bot.base.modelfile` is not valid: not a path below"),
    ],
)
def test_damage_is_named_with_its_location(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = tmp_path / LOCK_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in ("lock", "summaries"):
        with pytest.raises(InputError) as raised:
            getattr(LockFile(path), read)
        assert raised.value.message.startswith(f"`{path}` is damaged: {problem}")
        assert raised.value.hint == "restore it from version control, or delete it and run `mf pin`"


@pytest.mark.parametrize(
    "text",
    [
        pinned(fingerprint=None, quantize=["q8_0"]),
        pinned(base=BASE, fingerprint=None, quantize=["q8_0"]),
        pinned(base=UNKNOWN | {"modelfile": "base"}, fingerprint=None),
        pinned(base=UNKNOWN | {"modelfile": "base"}, fingerprint=None, quantize=["q8_0"]),
    ],
)
def test_a_fingerprint_may_be_missing_if_only_a_server_can_tell_it(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK_FILE).write_text(text)
    assert LockFile(tmp_path / LOCK_FILE).lock.modelfiles["bot"].fingerprint is None
    assert LockFile(tmp_path / LOCK_FILE).summaries["bot"].text == DIGEST


@pytest.mark.parametrize(("version", "hint"), [("2.0", "upgrade mf"), ("0.9", "restore it from version control")])
def test_another_major_version_is_named(tmp_path: Path, version: str, hint: str) -> None:
    (tmp_path / LOCK_FILE).write_text(json.dumps({"version": version, "modelfiles": "other"}))
    with pytest.raises(InputError, match=rf"has format {version}, but this mf reads 1\.1") as raised:
        _ = LockFile(tmp_path / LOCK_FILE).summaries
    assert raised.value.hint
    assert raised.value.hint.startswith(hint)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("style", ["merge", "diff3"])
def test_merge_conflicts_are_named_and_never_lead_to_deleting(tmp_path: Path, newline: str, style: str) -> None:
    lines = LOCK.dumps().splitlines()
    base = ["||||||| 0123abc", lines[4]] if style == "diff3" else []
    conflict = ["<<<<<<< HEAD", lines[4], *base, "=======", lines[4].replace("1", "2"), ">>>>>>> theirs"]
    (tmp_path / LOCK_FILE).write_bytes(newline.join([*lines[:4], *conflict, *lines[5:]]).encode())
    for read in ("lock", "summaries", "newer"):
        with pytest.raises(InputError, match="has merge conflicts: line 5 is a conflict marker") as raised:
            getattr(LockFile(tmp_path / LOCK_FILE), read)
        assert raised.value.hint == "run `mf pin`, which merges both sides, then `git add mf.lock`"
