"""Paths on the command line, standard input, and atomic writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from modelfile.errors import InputError
from modelfile.source import Source

STDIN: Final = "-"
_PATTERNS: Final = ("Modelfile", "Modelfile.*", "*.Modelfile", "*.modelfile")
_HEAD: Final = 8192


def find_modelfiles(paths: Iterable[str]) -> list[str]:
    """The Modelfiles that the arguments mean: a file is itself, a folder all below it that git does not ignore.

    Raises:
        InputError: A path does not exist, or a folder holds no Modelfile.
    """
    found: dict[str, str] = {}
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            inside = sorted(_walk(Path(path)))
            if not inside:
                names = ", ".join(_PATTERNS)
                raise InputError(f"no Modelfile in `{path}`", hint=f"looked for {names} that git does not ignore")
        else:
            inside = [path]
        for file in inside:
            found.setdefault(file if file == STDIN else os.path.realpath(file), file)
    return list(found.values())


def _walk(folder: Path) -> Iterator[str]:
    listed = _git_files(folder)
    for path in _all_files(folder) if listed is None else listed:
        if any(fnmatchcase(path.name, pattern) for pattern in _PATTERNS) and path.is_file():
            yield str(path)


def _git_files(folder: Path) -> list[Path] | None:
    import subprocess  # 4 ms that only a folder pays

    # in a container the checkout often belongs to somebody else, and git would not look at it
    git = ["git", "-c", "safe.directory=*", "-C", str(folder)]
    command = [*git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True)  # noqa: S603  # a fixed command
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or no repository
    return [folder / os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]


def _all_files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        yield from (Path(root, name) for name in files)


def read_source(path: str) -> Source:
    """A Modelfile's text.

    Raises:
        InputError: It cannot be read, or is no text.
    """
    try:
        with sys.stdin.buffer if path == STDIN else Path(path).open("rb") as file:
            head = file.read(_HEAD)
            if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
                hint = "to build from weights, name them in FROM" if head.startswith(b"GGUF") else None
                raise InputError(f"`{path}` is binary, not a Modelfile", hint=hint)
            return Source.decode(head + file.read(), path)
    except IsADirectoryError:
        hint = f"name the file in it, as in {Path(path, 'Modelfile')}"
        raise InputError(f"`{path}` is a folder, not a Modelfile", hint=hint) from None
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error


def folder_of(path: str) -> Path | None:
    """The folder that a Modelfile's paths are relative to; standard input has none."""
    return None if path == STDIN else Path(path).parent
