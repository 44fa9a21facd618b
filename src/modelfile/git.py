"""Git repositories; the only module that starts git.

A foreign repository must not run programs. In git 2.39, `ls-files` runs the program in its core.fsmonitor, other
commands run hooks, and no setting keeps `status`, `diff` and `hash-object` from running filters (measured); `log` runs
the program in gpg.program. So git is only asked for plain `ls-files`, `ls-tree`, `rev-list`, `cat-file`, `rev-parse`,
`merge-base`, `config` and `--version`, with settings that a repository cannot override and without the variables GIT_*
that point elsewhere, and its check of the owner stays in force.
"""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Final, NamedTuple

from modelfile.errors import InputError
from modelfile.filesystem import read_file, real_path, write_atomic

_SETTINGS: Final = ("core.fsmonitor=false", f"core.hooksPath={os.devnull}", "safe.bareRepository=explicit")
_KEPT: Final = (
    "GIT_CEILING_DIRECTORIES",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_EXEC_PATH",
)
"""The variables of git that the user's environment keeps: none of them names another repository."""
_ENVIRON: Final = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_ALLOW_PROTOCOL": "none",  # a repository may lack objects, and name a program that fetches them
    "GIT_NO_LAZY_FETCH": "1",
    "LC_ALL": "C",
}
_TIMEOUT: Final = 10.0
"""Time that git may take, in seconds; it waits for ever if a file that it reads is a pipe."""
_SUBMODULE: Final = b"160000 "
"""The mode of a submodule in the index."""
_FOREIGN: Final = b"dubious ownership"
_NO_REPOSITORY: Final = b"not a git repository"


def walk_up(folder: Path) -> Iterator[Path]:
    """Yield a folder and those above it, up to the root of its repository or else of the file system."""
    start = real_path(folder)
    for above in (start, *start.parents):
        yield above
        if (above / ".git").exists():
            return


def find_repository(folder: Path) -> Path | None:
    """Return the root of a folder's repository; None outside of a repository."""
    *_, highest = walk_up(folder)
    return highest if (highest / ".git").exists() else None


def is_repository(folder: Path) -> bool:
    """Return whether a folder is the root of a repository by git's own look at it: an empty `.git` does not count."""
    git = folder / ".git"
    return git.is_file() or os.path.lexists(git / "HEAD")


class Listing(NamedTuple):
    """The files of a repository that git tracks or does not ignore."""

    files: list[Path]
    nested: list[Path]
    """Repositories inside of it, among them submodules: git lists none of their files."""


class Refusal(str):
    """The reason why git does not list the files of a repository."""

    __slots__ = ()


def list_files(folder: Path, root: Path) -> Listing | Refusal:
    """Return the files below a folder that git tracks or does not ignore, or why git does not say.

    Args:
        folder: A folder in a repository.
        root: The root of the repository, whose configuration may name another.
    """
    import subprocess  # 4 ms that only a folder pays

    try:
        where = ("-C", str(folder), f"--work-tree={root}")
        listed = _run(*where, "ls-files", "-z", "-t", "--stage", "--others", "--exclude-standard")
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return _refusal(error)
    found = Listing([], [])
    for line in listed.split(b"\0")[:-1]:
        is_new = line.startswith(b"? ")
        name = line[2:] if is_new else line.partition(b"\t")[2]
        is_nested = name.endswith(b"/") if is_new else line[2:].startswith(_SUBMODULE)
        found[is_nested].append(folder / os.fsdecode(name))
    return found


def _refusal(error: Exception) -> Refusal:
    """Return why git did not do what it was asked for."""
    import subprocess

    match error:
        case FileNotFoundError():
            return Refusal("git is not installed")
        case subprocess.TimeoutExpired():
            return Refusal(f"git did not answer within {_TIMEOUT:.0f} seconds")
        case subprocess.CalledProcessError():
            foreign = _FOREIGN in error.stderr
            return Refusal(
                "the repository belongs to another user" if foreign else "git does not accept the repository"
            )
        case _:
            return Refusal(f"git cannot be run: {error}")


def git_version() -> str | None:
    """Return the version of git in its own notation; None if it cannot be run."""
    import subprocess

    try:
        printed = _run("--version")
    except (OSError, subprocess.SubprocessError):
        return None
    return printed.decode(errors="replace").strip().removeprefix("git version ")


class Driver(NamedTuple):
    """A driver of git for some files."""

    section: str
    """The section of git's settings, as in `merge.mf-lock`, which only this repository and its worktrees have."""
    settings: Mapping[str, str]
    attributes: tuple[str, ...]
    """The lines of .gitattributes that name it."""


def install_driver(folder: Path, driver: Driver) -> tuple[Path, ...]:
    """Set up a driver in the repository of a folder; return the files that changed.

    Raises:
        InputError: There is no repository, or git cannot change its settings.
    """
    settings, attributes = _files_of_driver(folder)
    before = _content(settings)
    for name, value in driver.settings.items():
        ask_git(folder, "config", "--local", f"{driver.section}.{name}", value)
    changed = [settings] if _content(settings) != before else []
    current = _content(attributes)
    known = {line.strip() for line in current.splitlines()}
    if missing := [line for line in driver.attributes if line.encode() not in known]:
        newline = b"\r\n" if b"\r\n" in current else b"\n"
        ended = current if not current or current.endswith(b"\n") else current + newline
        write_atomic(attributes, ended + b"".join(line.encode() + newline for line in missing))
        changed.append(attributes)
    return tuple(changed)


def uninstall_driver(folder: Path, driver: Driver) -> tuple[Path, ...]:
    """Remove a driver from the repository of a folder; return the files that changed.

    Raises:
        InputError: There is no repository, or git cannot change its settings.
    """
    settings, attributes = _files_of_driver(folder)
    changed = []
    kind, _, name = driver.section.partition(".")
    if f'[{kind} "{name}"]'.encode() in _content(settings):
        ask_git(folder, "config", "--local", "--remove-section", driver.section)
        changed.append(settings)
    current, ours = _content(attributes), {line.encode() for line in driver.attributes}
    left = b"".join(line for line in current.splitlines(keepends=True) if line.strip() not in ours)
    if left != current:
        if left:
            write_atomic(attributes, left)
        else:
            attributes.unlink()
        changed.append(attributes)
    return tuple(changed)


def _files_of_driver(folder: Path) -> tuple[Path, Path]:
    """Return the file of a repository's settings, which all its worktrees share, and that of its attributes."""
    root = find_repository(folder)
    if root is None:
        raise InputError(f"`{real_path(folder)}` is in no git repository", hint="run `git init` first")
    settings = folder / os.fsdecode(ask_git(folder, "rev-parse", "--git-path", "config").splitlines()[0])
    attributes = Path(os.path.relpath(root / ".gitattributes", folder))
    if attributes.is_symlink():
        raise InputError(f"`{attributes}` is a symlink, which git does not read", hint="replace it by the file")
    return settings, folder / attributes


def ask_git(folder: Path, *arguments: str, stdin: str = "", ok: Container[int] = ()) -> bytes:
    """Return what git prints in a folder.

    Args:
        folder: The folder, in a repository.
        arguments: The command, one of those that run no program of the repository.
        stdin: Its standard input.
        ok: Exit codes besides 0 that are an answer, too.

    Raises:
        InputError: Git is not installed, or fails.
    """
    import subprocess

    try:
        return _run("-C", str(folder), *arguments, stdin=stdin)
    except FileNotFoundError:
        raise InputError("git is not installed") from None
    except subprocess.CalledProcessError as error:
        if error.returncode in ok:
            return b""
        if _FOREIGN in error.stderr:
            hint = f"to trust it, run `git config --global --add safe.directory {quote(str(real_path(folder)))}`"
            raise InputError(f"git does not read `{folder}`: {_refusal(error)}", hint=hint) from error
        if _NO_REPOSITORY in error.stderr:
            raise InputError(str(_refusal(error))) from error
        command = next(word for word in arguments if not word.startswith("-"))
        reason = error.stderr.decode(errors="replace").strip().removeprefix("fatal: ").removeprefix("error: ")
        raise InputError(f"git {command} failed: {reason}") from error
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        raise InputError(str(_refusal(error))) from error


def _content(path: Path) -> bytes:
    return read_file(path) if path.exists() else b""


def _run(*arguments: str, stdin: str = "") -> bytes:
    """Run git on safe settings, and return what it prints.

    Raises:
        FileNotFoundError: It is not installed.
        OSError: It cannot be run.
        ValueError: An argument has a NUL.
        SubprocessError: It fails, or takes too long.
    """
    import subprocess

    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name in _KEPT}
    settings = (part for setting in _SETTINGS for part in ("-c", setting))
    command = [_find_program(), "--no-pager", *settings, *arguments]
    ran = subprocess.run(  # noqa: S603  # a fixed command
        command, env=kept | _ENVIRON, input=os.fsencode(stdin), capture_output=True, check=True, timeout=_TIMEOUT
    )
    return ran.stdout


def _find_program() -> str:
    """Return the path of git, never one in the current folder, which may be a foreign repository.

    Raises:
        FileNotFoundError: There is none.
    """
    for folder in os.get_exec_path():
        path = Path(folder, "git.exe" if os.name == "nt" else "git")
        if path.is_absolute() and path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError("git")
