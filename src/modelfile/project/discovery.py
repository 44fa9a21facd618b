"""Find and read the Modelfiles in folders, and find their lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import BinaryIO, Final

from modelfile.errors import InputError
from modelfile.filesystem import MAX_TEXT, open_regular, read_up_to, reading
from modelfile.git import list_files, walk_up
from modelfile.source import Source

LOCK_FILE: Final = "mf.lock"
STDIN: Final = "-"
"""The path that means standard input."""
_PATTERNS: Final = ("Modelfile", "Modelfile.*", "*.Modelfile", "*.modelfile")
_HEAD: Final = 8192
"""In bytes; enough to distinguish binary files from text."""


def find_lock(folder: Path) -> Path | None:
    """Return the nearest `mf.lock`, from a folder upward to the root of its repository.

    Anything of that name counts, so that one that cannot be read is an error, not a project without a lock.
    """
    return next((above / LOCK_FILE for above in walk_up(folder) if os.path.lexists(above / LOCK_FILE)), None)


def find_modelfiles(paths: Iterable[str], is_excluded: Callable[[Path], bool] = lambda _: False) -> list[str]:
    """Return the files among paths, and for folders the Modelfiles below them that git does not ignore.

    Args:
        paths: Files and folders.
        is_excluded: Returns whether to skip a Modelfile in a folder.

    Raises:
        InputError: A folder has no Modelfile.
    """
    found: dict[str, str] = {}
    for path in paths:
        if path != STDIN and Path(path).is_dir():
            walked = sorted(_walk(Path(path)))
            inside = [file for file in walked if not is_excluded(Path(file))]
            if not inside:
                hint = f"name a file, or a folder with {', '.join(_PATTERNS)} that git does not ignore"
                if walked:
                    hint = "`exclude` in the configuration matches all of them"
                raise InputError(f"no Modelfile in `{path}`", hint=hint)
        else:
            inside = [path]
        for file in inside:
            found.setdefault(file if file == STDIN else os.path.realpath(file), file)
    return list(found.values())


def _walk(folder: Path) -> Iterator[str]:
    listed = list_files(folder)
    for path in _all_files(folder) if listed is None else listed:
        if any(fnmatchcase(path.name, pattern) for pattern in _PATTERNS) and path.is_file():
            yield str(path)


def _all_files(folder: Path) -> Iterator[Path]:
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        yield from (Path(root, name) for name in files)


def read_source(path: str, stdin: BinaryIO) -> Source:
    """Return a Modelfile's text.

    Raises:
        InputError: It cannot be read, is not a regular file, is binary, or is larger than MAX_TEXT.
    """
    if path != STDIN and Path(path).is_dir():
        example = Path(path, "Modelfile")
        raise InputError(f"`{path}` is a folder, not a Modelfile", hint=f"name the file in it, as in `{example}`")
    with reading(path), stdin if path == STDIN else open_regular(path) as file:
        head = file.read(_HEAD)
        if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            hint = "to build from weights, name them in FROM" if head.startswith(b"GGUF") else None
            raise InputError(f"`{path}` is binary, not a Modelfile", hint=hint)
        return Source.decode(head + read_up_to(MAX_TEXT - len(head), file, path), path)
