"""Merges of locks entry by entry: of a file with conflict markers, and of the three versions of a merge in git."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from modelfile.errors import InputError
from modelfile.immutable import record
from modelfile.lockfile.lock import Lock, dump_json
from modelfile.lockfile.reader import parse_lock, validate, version_of

_MARKERS: Final = {b"<<<<<<<": 1, b"|||||||": 2, b"=======": 3, b">>>>>>>": 0}
"""The parts of a conflict, by the lines that they start with: 1 ours, 2 what both began with, 3 theirs, 0 none."""


@record(kw_only=True)
class LockMerge:
    """A merge of two locks."""

    content: dict[str, Any]
    """The JSON of the lock with all entries on which both agree, or which only one has."""
    differing: tuple[str, ...]
    """Keys of the entries that both have, but not the same; they are left out."""

    def dumps(self) -> str:
        """Return the text of the file."""
        return dump_json(self.content)


def merge_conflicts(data: bytes, path: str) -> LockMerge | None:
    """Return the merge of both sides of a lock with conflict markers; None if one of them is not JSON.

    Entries that are not valid, as after an automatic merge of some of their lines, count as missing.
    """
    try:
        ours, theirs = (parse_lock(side, path) for side in _sides(data))
    except InputError:
        return None
    return _merge({}, *(side | {"modelfiles": _valid(side, path)} for side in (ours, theirs)), path=path)


def merge_versions(base: bytes, ours: bytes, theirs: bytes, path: str) -> LockMerge:
    """Return the merge of two locks that began as the same; what only one of them changed is taken from it.

    Args:
        base: What both began with; may be empty.
        ours: One lock.
        theirs: The other.
        path: Its path in the repository, for messages.

    Raises:
        InputError: One of them is damaged.
    """
    contents = [parse_lock(data, path) if data.strip() else _EMPTY for data in (base, ours, theirs)]
    for content in contents[1:]:
        validate(content, path)
    return _merge(contents[0].get("modelfiles", {}), *contents[1:], path=path)


_EMPTY: Final[dict[str, Any]] = {"version": Lock().version, "modelfiles": {}}


def _sides(data: bytes) -> tuple[bytes, bytes]:
    """Return both sides of a file with conflict markers."""
    part, ours, theirs = 0, list[bytes](), list[bytes]()
    for line in data.splitlines(keepends=True):
        marker = line.rstrip()[:7] if line.rstrip()[7:8] in (b"", b" ") else b""
        if marker in _MARKERS and (part or marker != b"======="):
            part = _MARKERS[marker]
            continue
        if part in (0, 1):
            ours.append(line)
        if part in (0, 3):
            theirs.append(line)
    return b"".join(ours), b"".join(theirs)


def _valid(content: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return the valid entries of a lock."""
    valid = {}
    for key, entry in content.get("modelfiles", {}).items():
        try:
            validate({"version": content["version"], "modelfiles": {key: entry}}, path)
        except InputError:
            continue
        valid[key] = entry
    return valid


def _merge(base: Mapping[str, Any], ours: dict[str, Any], theirs: dict[str, Any], *, path: str) -> LockMerge:
    one, other = ours.get("modelfiles", {}), theirs.get("modelfiles", {})
    merged, differing = {}, []
    for key in sorted(one.keys() | other.keys()):
        sides = [side.get(key) for side in (one, other)]
        if base.get(key) in sides:  # one side has not changed it: the other decides
            sides.remove(base.get(key))
        if sides[0] != sides[-1]:
            differing.append(key)
        elif sides[0] is not None:
            merged[key] = sides[0]
    newer = max(ours, theirs, key=lambda side: version_of(side, path))
    return LockMerge(content={**ours, **newer, "modelfiles": merged}, differing=tuple(differing))
