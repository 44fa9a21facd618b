"""Reading locks: damage, conflicts and other versions are named, and none counts as no lock."""

import json
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Lock, Pin
from modelfile.project.discovery import LOCK_FILE

DIGEST, OTHER = (f"sha256:{digit * 64}" for digit in "12")
PIN = Pin(text=DIGEST, fingerprint=f"mf1:{'3' * 64}", files={"w.gguf": DIGEST})
LOCK = Lock(modelfiles={"bot/Modelfile": PIN})


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


def pinned(**changes: object) -> str:
    pin = {"text": DIGEST, "fingerprint": PIN.fingerprint, "files": {}, **changes}
    return json.dumps({"version": "1.0", "modelfiles": {"bot": {k: v for k, v in pin.items() if v is not None}}})


BASE = {"written": "x", "name": "x", "fingerprint": PIN.fingerprint}


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
        (pinned(text="\ud83d"), "it has half of a surrogate pair"),
        (pinned(text="\N{GRINNING FACE}"), "`modelfiles.bot.text` is not a digest"),
        (pinned(base={**BASE, "modelfile": "../x"}), "`modelfiles.bot.base.modelfile` is not valid: not a path below"),
    ],
)
def test_damage_is_named_with_its_location(tmp_path: Path, text: str | bytes, problem: str) -> None:
    path = tmp_path / LOCK_FILE
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError) as raised:
        _ = LockFile(path).lock
    assert raised.value.message.startswith(f"`{path}` is damaged: {problem}")
    assert raised.value.hint == "restore it from version control, or delete it and run `mf pin`"


@pytest.mark.parametrize(("version", "hint"), [("2.0", "upgrade mf"), ("0.9", "restore it from version control")])
def test_another_major_version_is_named(tmp_path: Path, version: str, hint: str) -> None:
    (tmp_path / LOCK_FILE).write_text(json.dumps({"version": version, "modelfiles": "other"}))
    with pytest.raises(InputError, match=rf"has format {version}, but this mf reads 1\.0") as raised:
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
        assert raised.value.hint == "keep either side, as with `git checkout --ours mf.lock`, then run `mf pin`"
