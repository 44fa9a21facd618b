"""Merges of locks entry by entry."""

import json
import subprocess
from pathlib import Path

import pytest

from modelfile.errors import InputError
from modelfile.lockfile.conflicts import merge_conflicts, merge_versions
from modelfile.lockfile.file import LockFile
from modelfile.lockfile.lock import Lock, Pin

DIGEST = f"sha256:{'1' * 64}"


def lock(**digits: str) -> bytes:
    """Return a lock with an entry of each name, of which only the fingerprint differs."""
    pins = {key: Pin(text=DIGEST, fingerprint=f"mf1:{digit * 64}") for key, digit in digits.items()}
    return Lock(modelfiles=pins).dumps().encode()


def digits(content: bytes | str) -> dict[str, str]:
    return {key: pin["fingerprint"][-1] for key, pin in json.loads(content)["modelfiles"].items()}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged", "differing"),
    [
        ({}, {"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}, ()),
        ({"a": "1"}, {"a": "2"}, {"a": "1"}, {"a": "2"}, ()),
        ({"a": "1"}, {"a": "1"}, {"a": "2"}, {"a": "2"}, ()),
        ({"a": "1"}, {"a": "2"}, {"a": "2"}, {"a": "2"}, ()),
        ({"a": "1", "b": "1"}, {"a": "2", "b": "1"}, {"a": "3", "b": "2"}, {"b": "2"}, ("a",)),
        ({"a": "1", "b": "1"}, {"b": "1"}, {"a": "1", "b": "1"}, {"b": "1"}, ()),
        ({"a": "1"}, {}, {}, {}, ()),
        ({"a": "1"}, {}, {"a": "2"}, {}, ("a",)),
        ({}, {"a": "1"}, {"a": "2"}, {}, ("a",)),
        ({}, {"a": "1"}, {"a": "1"}, {"a": "1"}, ()),
    ],
)
def test_what_one_side_changed_is_taken(
    base: dict[str, str],
    ours: dict[str, str],
    theirs: dict[str, str],
    merged: dict[str, str],
    differing: tuple[str, ...],
) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        made = merge_versions(lock(**base), lock(**one), lock(**other), "mf.lock")
        assert (digits(made.dumps()), made.differing) == (merged, differing)
    assert made.dumps().encode() == lock(**merged)


def test_a_lock_that_both_sides_add_is_merged() -> None:
    made = merge_versions(b"", lock(a="1"), lock(b="2"), "mf.lock")
    assert digits(made.dumps()) == {"a": "1", "b": "2"}


def test_the_newer_format_is_kept_with_its_keys() -> None:
    newer = json.dumps({**json.loads(lock(b="2")), "version": "1.7", "more": 1}).encode()
    for sides in ((lock(a="1"), newer), (newer, lock(a="1"))):
        content = merge_versions(b"", *sides, "mf.lock").content
        assert (content["version"], content["more"], [*content["modelfiles"]]) == ("1.7", 1, ["a", "b"])


def test_a_damaged_side_is_named() -> None:
    with pytest.raises(InputError, match="is damaged"):
        merge_versions(b"", lock(a="1"), b"{", "mf.lock")
    with pytest.raises(InputError, match="has merge conflicts"):
        merge_versions(b"", lock(a="1"), b"<<<<<<< x\n", "mf.lock")


@pytest.mark.parametrize("style", ["merge", "diff3", "zdiff3"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_both_sides_of_conflict_markers_are_read(tmp_path: Path, style: str, newline: str) -> None:
    files = {"ours": lock(a="2", b="1", c="1"), "base": lock(a="1", b="1"), "theirs": lock(a="3", b="1", d="1")}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content.replace(b"\n", newline.encode()))
    command = ["git", "merge-file", "-p", *({"merge": []}.get(style, [f"--{style}"])), *files]
    conflicting = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
    assert b"<<<<<<< ours" in conflicting
    merged = merge_conflicts(conflicting, "mf.lock")
    assert merged
    assert (digits(merged.dumps()), merged.differing) == ({"b": "1", "c": "1", "d": "1"}, ("a",))


def test_an_entry_that_is_not_valid_counts_as_missing() -> None:
    mixed = b"<<<<<<< ours\n" + lock(a="1") + b"=======\n" + lock(a="2").replace(b"mf1:2", b"mf1:x") + b">>>>>>> t\n"
    merged = merge_conflicts(mixed, "mf.lock")
    assert merged
    assert (digits(merged.dumps()), merged.differing) == ({"a": "1"}, ())


def test_a_side_that_is_not_json_is_no_merge() -> None:
    assert merge_conflicts(b"<<<<<<< ours\n{\n=======\n" + lock(a="1") + b">>>>>>> theirs\n", "mf.lock") is None


def test_a_lock_file_merges_conflicts_only_if_it_is_asked_to(tmp_path: Path) -> None:
    warnings: list[str] = []
    path = tmp_path / "mf.lock"
    path.write_bytes(b"<<<<<<< ours\n" + lock(a="1", b="1") + b"=======\n" + lock(a="1", b="2") + b">>>>>>> theirs\n")
    file = LockFile(path, warnings.append)
    with pytest.raises(InputError, match="has merge conflicts: line 1 is a conflict marker"):
        _ = file.lock
    file.merge_conflicts()
    assert ([*file.lock.modelfiles], file.conflicts) == (["a"], ("b",))
    file.update(lambda current: current)
    assert path.read_bytes() == lock(a="1")
    (warning,) = warnings
    merged = f"`{path}` has merge conflicts: the entries of both sides are merged"
    assert warning == f"{merged}; different on both sides, so pinned anew: `b`"
