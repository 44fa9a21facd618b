"""Find and read the Modelfiles in folders, and find their lock."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from modelfile.errors import InputError, cannot_read
from modelfile.filesystem import MAX_TEXT, open_regular, read_up_to, reading, real_path
from modelfile.git import Refusal, find_repository, is_repository, list_files, walk_up
from modelfile.source import Source

LOCK_FILE: Final = "mf.lock"
STDIN: Final = "-"
"""The path that means standard input."""
_NAMES: Final = ("Modelfile", "ModelFile", "modelfile")
_PATTERNS: Final = (*_NAMES, "Modelfile.*", "*.Modelfile", "*.modelfile")
"""The names of Modelfiles, for messages; see `is_modelfile`."""
_DESCRIPTOR: Final = re.compile(r"/dev/stdin|(?:/dev/fd|/proc/self/fd)/([0-9]{1,9})")
_MAX_NESTED: Final = 100
"""Number of nested repositories that git is asked for; each takes 5 ms."""
_NUL_SHARE: Final = 3
"""One NUL in fewer bytes than this marks a text as UTF-16."""
_HEAD: Final = 8192
"""In bytes; enough to distinguish binary files from text."""


def possible_locks(folder: Path) -> tuple[str, ...]:
    """Return the paths that a folder's `mf.lock` can have, nearest first, up to the root of its repository."""
    return tuple(str(above / LOCK_FILE) for above in walk_up(folder))


def find_modelfiles(
    paths: Iterable[str],
    is_excluded: Callable[[Path], bool] = lambda _: False,
    warn: Callable[[str], None] = lambda _: None,
    may_lack: Callable[[Path], bool] = lambda _: False,
) -> list[str]:
    """Return the files among paths, and for folders the Modelfiles below them that git does not ignore.

    Symlinks that leave the repository, or outside of one the folder, are skipped: a command that rewrites what is in a
    folder must not write elsewhere. A symlink that is named is followed wherever it leads.

    Args:
        paths: Files and folders.
        is_excluded: Returns whether to skip a Modelfile in a folder.
        warn: Receives a warning for each symlink and each nested repository that is skipped, one for all folders that
            cannot be read, and one if git does not list a repository's files.
        may_lack: Returns whether a folder without a Modelfile is no error.

    Raises:
        InputError: A folder has no Modelfile.
    """
    found: dict[str, str] = {}
    paths = tuple(paths)
    folders = {real_path(Path(path)) for path in paths if not is_stream(path)}
    for path in paths:
        if not is_stream(path) and Path(path).is_dir():
            for real, file in _find_in(Path(path), is_excluded, warn, folders, may_lack).items():
                found.setdefault(real, file)
        else:
            found.setdefault(path if is_stream(path) else str(real_path(Path(path))), path)
    return list(found.values())


def _find_in(
    folder: Path,
    is_excluded: Callable[[Path], bool],
    warn: Callable[[str], None],
    named: set[Path],
    may_lack: Callable[[Path], bool],
) -> dict[str, str]:
    """Return the Modelfiles in a folder by their real paths; a nested repository needs no warning if it is named."""
    hint = f"name a file, or a folder with {', '.join(_PATTERNS)} that git does not ignore"
    root = find_repository(folder)
    inside = root or real_path(folder)
    found: dict[str, str] = {}
    nested: list[Path] = []
    folders: dict[Path, Path] = {}
    for path in sorted(_walk(folder, root, warn, nested), key=str):
        outer = path.parent
        if outer not in folders:
            folders[outer] = real_path(outer)
        real = real_path(path) if path.is_symlink() else folders[outer] / path.name
        if is_excluded(path):
            hint = "`exclude` in the configuration matches all of them"
        elif not real.is_relative_to(inside):
            warn(f"skipped `{path}`: it is a symlink to `{real}`, outside of `{inside}`")
        else:
            found.setdefault(str(real), str(path))
    for repository in _with_modelfiles(nested, inside, is_excluded):
        if (real := real_path(repository)) not in named:
            named.add(real)
            warn(f"skipped `{repository}`: it is a repository of its own; name it to search it")
    if not found and not may_lack(folder):
        raise InputError(f"no Modelfile in `{folder}`", hint=hint)
    return found


def _with_modelfiles(nested: list[Path], inside: Path, is_excluded: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield the repositories inside of another that have Modelfiles, or may have: git is asked while it answers."""
    answers = True
    for number, repository in enumerate(nested):
        real = real_path(repository)
        if not real.is_relative_to(inside) or not is_repository(real):
            continue
        listed = list_files(repository, real) if answers and number < _MAX_NESTED else Refusal()
        if isinstance(listed, Refusal):
            answers = False
            yield repository
        elif all(is_excluded(path) for path in listed.files if is_modelfile(path.name)):
            nested += listed.nested
        else:
            yield repository


def _walk(folder: Path, root: Path | None, warn: Callable[[str], None], nested: list[Path]) -> Iterator[Path]:
    """Yield the Modelfiles in a folder, and add the repositories that are not searched to those that are nested."""
    paths: Iterable[Path]
    if root is None or not is_repository(root):
        paths = _all_files(folder, warn)
    elif isinstance(listed := list_files(folder, root), Refusal):
        from modelfile.project.gitignore import walk_repository  # 1 ms that most folders save

        warn(f"{listed}: `{folder}` is searched without it, by the .gitignore files")
        paths = walk_repository(folder, root, is_modelfile, nested.append)
    else:
        paths = listed.files
        nested += listed.nested
    yield from (path for path in paths if is_modelfile(path.name) and _is_there(path))


def is_modelfile(name: str) -> bool:
    """Return whether a file is a Modelfile by its name, without its folder."""
    return name.startswith("Modelfile.") or name.endswith((".Modelfile", ".modelfile")) or name in _NAMES


def _is_there(path: Path) -> bool:
    """Return whether a path is anything but a folder; a dangling symlink or a pipe is, so that it is reported."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISDIR(mode) and not (stat.S_ISLNK(mode) and path.is_dir())


def _all_files(folder: Path, warn: Callable[[str], None]) -> Iterator[Path]:
    folders = [folder]  # os.walk calls itself for each level, until Python 3.12
    unread: list[str] = []
    while folders:
        outer = folders.pop()
        try:
            with os.scandir(outer) as entries:
                found = sorted(entries, key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            unread.append(cannot_read(error.filename, error).message)
            continue
        for entry in found:
            if not entry.is_dir(follow_symlinks=False):
                yield outer / entry.name
            elif not entry.name.startswith(".") and entry.name != "node_modules":
                folders.append(outer / entry.name)
    if unread:
        others = f", nor {len(unread) - 1:,} other folder{'s' * (len(unread) > 2)}" if len(unread) > 1 else ""  # noqa: PLR2004  # a plural
        warn(f"{unread[0]}{others}")


def is_stream(path: str) -> bool:
    """Return whether a path means an open stream: `-`, or a descriptor such as /dev/stdin and /dev/fd/63.

    A shell passes the output of a program as such a path, `<(program)`. No other pipe is read: to open it may wait.
    """
    return path == STDIN or (path.startswith("/") and _DESCRIPTOR.fullmatch(path) is not None)


def may_mean_stream(path: Path) -> bool:
    """Return whether a path, written in any form, may mean an open stream: only paths of the command line may.

    A file that another person wrote must not make a command wait for standard input.
    """
    return path.name == STDIN or is_stream(os.path.normpath(path))


def read_source(path: str, stdin: BinaryIO) -> Source:
    """Return a Modelfile's text.

    Raises:
        InputError: It cannot be read, is neither a regular file nor a stream, is binary, or is larger than MAX_TEXT.
    """
    try:
        return _read_file(path, stdin)
    except InputError as error:
        if is_stream(path) or not Path(path).is_dir():
            raise
        hint = f"name the file in it, as in `{Path(path, 'Modelfile')}`"
        raise InputError(f"`{path}` is a folder, not a Modelfile", hint=hint) from error


def _read_file(path: str, stdin: BinaryIO) -> Source:
    with reading(path), open_input(path, stdin) as file:
        head = file.read(_HEAD)
        if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
            if head.count(b"\0") * _NUL_SHARE > len(head) and b"F\0R\0O\0M" in head:
                problem = f"`{path}` is UTF-16 without a byte order mark, which Ollama cannot read"
                raise InputError(problem, hint="save it as UTF-8; in PowerShell, use `Set-Content -Encoding utf8`")
            hint = "to build from weights, name them in FROM" if head.startswith(b"GGUF") else None
            raise InputError(f"`{path}` is binary, not a Modelfile", hint=hint)
        return Source.decode(read_up_to(MAX_TEXT, file, path, head), path)


def open_input(path: str, stdin: BinaryIO) -> AbstractContextManager[BinaryIO | FileIO]:
    """Open a regular file, or the stream that a path such as `-` means."""
    if path == STDIN:
        return stdin
    if descriptor := _DESCRIPTOR.fullmatch(path):
        return FileIO(os.dup(int(descriptor[1] or 0)))
    return open_regular(path)
