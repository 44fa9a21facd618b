"""Patterns as in .gitignore, and the files of a repository that they leave.

Matching takes time linear in pattern and path, because the patterns of foreign repositories are matched here. That of
pathspec is exponential: 12 seconds for `*a*a*a*a*ab` against one name of 200 letters (docs/decisions/0010).
"""

from __future__ import annotations

import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeAlias

from modelfile.errors import InputError
from modelfile.filesystem import read_file, real_path
from modelfile.git import is_repository
from modelfile.immutable import record

IGNORE_FILE: Final = ".gitignore"
_EXCLUDE_FILE: Final = ".git/info/exclude"
_MAX_IGNORE_FILE: Final = 1_000_000
"""Largest size, in bytes, of a file of patterns that is read."""
_MAX_PATTERN: Final = 4096
"""Largest length of a pattern, in bytes: that of a path on Linux."""
_MAX_SHOWN: Final = 80
"""Most characters of a pattern in a message."""
_CLASSES: Final = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9a-fA-F",
}
_POSIX_CLASS: Final = re.compile(r"\[:([a-z]+):\]")

_Segment: TypeAlias = "str | re.Pattern[str] | None"
"""The part of a pattern between two slashes: a name, a pattern of names, or None for `**`."""


@record()
class Pattern:
    """One pattern, with the meaning that git gives it."""

    segments: tuple[_Segment, ...]
    anchored: bool
    """True if it matches the whole path from its folder; otherwise it matches a name in any folder."""
    only_folders: bool
    negated: bool
    """True if what it matches is not ignored."""

    @classmethod
    def parse(cls, line: str) -> Pattern | None:
        """Return the pattern in a line; None for a comment or an empty line.

        Raises:
            ValueError: It has no name, a `[` is not closed, a backslash is last, or it has more than 4,096 bytes.
        """
        text = _without_trailing_spaces(_as_bytes(line).rstrip("\r"))
        if not text or text.startswith("#"):
            return None
        negated = text.startswith("!")
        text = text[negated:]
        only_folders, anchored = text.endswith("/"), "/" in text[:-1]
        text = text.removesuffix("/").removeprefix("/")
        try:
            return cls(_segments(text), anchored, only_folders, negated)
        except ValueError as error:
            shown = line if len(line) <= _MAX_SHOWN else f"{line[: _MAX_SHOWN - 1]}…"
            raise ValueError(f"invalid pattern `{shown}`: {error}") from None

    def matches(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Return whether it matches a path, given as the names from its own folder."""
        if self.only_folders and not is_folder:
            return False
        if not self.anchored:
            return _fits(self.segments[0], parts[-1])
        reached = {0}
        for number, segment in enumerate(self.segments, start=1):
            if segment is not None:
                reached = {at + 1 for at in reached if at < len(parts) and _fits(segment, parts[at])}
            elif number == len(self.segments):
                return min(reached, default=len(parts)) < len(parts)
            else:
                reached = {*range(min(reached, default=len(parts) + 1), len(parts) + 1)}
        return len(parts) in reached


def _fits(segment: _Segment, name: str) -> bool:
    match segment:
        case None:
            return True
        case str():
            return name == segment
        case _:
            return bool(segment.fullmatch(name))


def _segments(text: str) -> tuple[_Segment, ...]:
    if not text:
        raise ValueError("it has no name")
    if len(text) > _MAX_PATTERN:
        raise ValueError(f"it has more than {_MAX_PATTERN:,} bytes")
    return tuple(map(_segment, text.split("/")))


def _segment(text: str) -> _Segment:
    """Return a pattern of names as a regular expression that never goes back over a `*`."""
    if text == "**":
        return None
    if not re.search(r"[*?\[\\]", text):
        return text
    pieces, at = list[list[str]]([[]]), 0  # lists, since adding to a long string takes quadratic time
    while at < len(text):
        character, at = text[at], at + 1
        if character == "*":
            pieces += [[]] if pieces[-1] or len(pieces) == 1 else []
            continue
        if character == "[":
            one, at = _bracket(text, at)
        elif character == "?":
            one = "."
        else:
            if character == "\\":
                character, at = text[at : at + 1], at + 1
                if not character:
                    raise ValueError("a backslash is last")
            one = re.escape(character)
        pieces[-1].append(one)
    first, *others = map("".join, pieces)
    if others:
        *middle, last = others
        first += "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"
    return re.compile(first, re.DOTALL | re.ASCII)


def _without_trailing_spaces(line: str) -> str:
    """Return a line without trailing spaces; the first one stays if a backslash escapes it."""
    text = line.rstrip(" ")
    backslashes = len(text) - len(text.rstrip("\\"))
    return line[: len(text) + backslashes % 2]


def _as_bytes(text: str) -> str:
    """Return a text with a character for each of its bytes: to git, `?` and `[!a]` match one byte."""
    return text if text.isascii() else os.fsencode(text).decode("latin-1")


def _bracket(text: str, start: int) -> tuple[str, int]:
    """Return the regular expression of a bracket expression, and where it ends."""
    at, items = start, list[str]()
    negated = text[at : at + 1] in {"!", "^"}
    at += negated
    while at < len(text) and (text[at] != "]" or not items):
        if posix := _POSIX_CLASS.match(text, at):
            items += [_CLASSES[posix[1]]] if posix[1] in _CLASSES else []
            at = posix.end()
            continue
        if text[at] == "\\":
            at += 1
        low = high = text[at : at + 1]
        at += 1
        if text[at : at + 1] == "-" and text[at + 1 : at + 2] not in {"", "]"}:
            at += 1 + (text[at + 1] == "\\")
            high, at = text[at : at + 1], at + 1
        items += [f"{re.escape(low)}-{re.escape(high)}"] if low <= high else []
    if at >= len(text):
        raise ValueError("a `[` is not closed")
    return f"[{'^' if negated else ''}{''.join(items)}]", at + 1


class Rules:
    """The patterns of a folder, with those of the folders above it."""

    def __init__(self, patterns: Sequence[Pattern], above: Rules | None = None, depth: int = 0) -> None:
        """Take the patterns of a folder.

        Args:
            patterns: Its patterns, in their order.
            above: The rules of the folders above it.
            depth: The number of folders from the root to it.
        """
        self.patterns = tuple(reversed(patterns))
        self.above = above
        self.depth = depth

    def ignore(self, parts: Sequence[str], *, is_folder: bool) -> bool:
        """Return whether the last pattern that matches a path ignores it; the folders above it are not looked at.

        Args:
            parts: The names from the root to it, with a character for each byte.
            is_folder: Whether it is a folder.
        """
        rules: Rules | None = self
        while rules:
            below = parts[rules.depth :]
            for pattern in rules.patterns:
                if pattern.matches(below, is_folder=is_folder):
                    return not pattern.negated
            rules = rules.above
        return False

    def ignore_file(self, parts: Sequence[str]) -> bool:
        """Return whether a file, given as the names from the root, or a folder above it is ignored."""
        parts = [*map(_as_bytes, parts)]
        folders = range(1, len(parts))
        return any(self.ignore(parts[:count], is_folder=True) for count in folders) or self.ignore(
            parts, is_folder=False
        )


def parse_patterns(lines: Iterable[str]) -> list[Pattern]:
    """Return the patterns in lines.

    Raises:
        ValueError: A line is not a valid pattern.
    """
    return [pattern for line in lines if (pattern := Pattern.parse(line))]


def _read_patterns(file: Path) -> list[Pattern]:
    """Return the patterns in a file, without those that match nothing; none if it cannot be read, as in git."""
    if file.is_symlink():  # git does not follow it either
        return []
    try:
        text = os.fsdecode(read_file(file, limit=_MAX_IGNORE_FILE).removeprefix(BOM_UTF8))
    except InputError:
        return []
    patterns = []
    for line in text.split("\n"):
        try:
            patterns += parse_patterns([line])
        except ValueError:
            continue
    return patterns


def walk_repository(
    folder: Path, root: Path, is_wanted: Callable[[str], bool], on_nested: Callable[[Path], None] = lambda _: None
) -> Iterator[Path]:
    """Yield the files below a folder of a repository that git would not ignore, in the order of their paths.

    Unlike git, it does not know which files are tracked: those that are ignored all the same are not found.

    Args:
        folder: The folder.
        root: The root of the repository, absolute and without symlinks.
        is_wanted: Returns whether a file of this name is of interest.
        on_nested: Receives each repository inside of it, whose files are not yielded.
    """
    names = real_path(folder).relative_to(root).parts
    parts = tuple(map(_as_bytes, names))
    rules = Rules(_read_patterns(root / IGNORE_FILE), Rules(_read_patterns(root / _EXCLUDE_FILE)))
    for count in range(1, len(parts) + 1):
        if rules.ignore(parts[:count], is_folder=True):
            return
        rules = _extend(rules, root.joinpath(*names[:count]), count)
    yield from _walk(folder, parts, rules, is_wanted, on_nested)


class Ignored:
    """The paths that a repository's .gitignore files and .git/info/exclude ignore; each file is read once."""

    def __init__(self, root: Path) -> None:
        """Take the root of the repository, absolute and without symlinks."""
        self._root = root
        self._rules: dict[tuple[str, ...], Rules | None] = {}
        """Rules by folder; None for a folder that is ignored."""

    def __contains__(self, path: Path) -> bool:
        """Return whether a file or folder is ignored; the path must be absolute, and need not exist."""
        if path == self._root or not path.is_relative_to(self._root):
            return False
        names = path.relative_to(self._root).parts
        rules = self._rules_of(names[:-1])
        parts = tuple(map(_as_bytes, names))
        return rules is None or rules.ignore(parts, is_folder=False) or rules.ignore(parts, is_folder=True)

    def _rules_of(self, folder: tuple[str, ...]) -> Rules | None:
        for count in range(len(folder) + 1):
            if folder[:count] not in self._rules:
                self._rules[folder[:count]] = self._read(folder[:count])
        return self._rules[folder]

    def _read(self, folder: tuple[str, ...]) -> Rules | None:
        """Return the rules of a folder, given those of the one above it."""
        if not folder:
            return Rules(_read_patterns(self._root / IGNORE_FILE), Rules(_read_patterns(self._root / _EXCLUDE_FILE)))
        above, parts = self._rules[folder[:-1]], tuple(map(_as_bytes, folder))
        if above is None or above.ignore(parts, is_folder=True):
            return None
        return _extend(above, self._root.joinpath(*folder), len(folder))


def _extend(rules: Rules, folder: Path, depth: int) -> Rules:
    patterns = _read_patterns(folder / IGNORE_FILE)
    return Rules(patterns, rules, depth) if patterns else rules


def _walk(
    folder: Path,
    parts: tuple[str, ...],
    rules: Rules,
    is_wanted: Callable[[str], bool],
    on_nested: Callable[[Path], None],
) -> Iterator[Path]:
    folders = [(folder, parts, rules)]
    while folders:
        folder, parts, rules = folders.pop()
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            continue
        inner = []
        for entry in found:
            names = (*parts, _as_bytes(entry.name))
            path = folder / entry.name
            if not entry.is_dir(follow_symlinks=False):
                if is_wanted(entry.name) and not rules.ignore(names, is_folder=False):
                    yield path
            elif entry.name == ".git" or rules.ignore(names, is_folder=True):
                continue
            elif is_repository(path):
                on_nested(path)
            else:
                inner.append((path, names, _extend(rules, path, len(names))))
        folders += reversed(inner)
