"""`mf git`."""

from __future__ import annotations

from pathlib import Path
from shutil import which
from typing import Annotated, Final, Literal

from modelfile.cli.options import load_project
from modelfile.cli.parameters import Argument, AsJson
from modelfile.errors import ExitCode, ModelfileError, UsageError
from modelfile.filesystem import MAX_JSON, read_file, write_atomic
from modelfile.git import Driver, install_driver, uninstall_driver
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

_MODELFILES: Final = ("Modelfile", "ModelFile", "modelfile", "Modelfile.*", "*.Modelfile", "*.modelfile")
_DRIVERS: Final = (
    Driver(
        section="diff.modelfile",
        settings={"command": "mf git diff-file --"},
        attributes=tuple(f"{name} diff=modelfile" for name in (*_MODELFILES, "mf.lock")),
    ),
    Driver(
        section="merge.mf-lock",
        settings={"name": "mf.lock, entry by entry", "driver": "mf git merge-lock -- %O %A %B %P"},
        attributes=("mf.lock merge=mf-lock",),
    ),
)
_VERSIONS: Final = 4
"""Number of files that git passes to a merge driver: `%O %A %B %P`."""
_DIFFED: Final = (1, 7, 9)
"""Numbers of arguments that git passes to a diff driver: of a file that is not merged, of two versions, of a rename."""

_NO_MODE: Final = "."
"""The mode of a version that does not exist."""


def git(
    action: Annotated[
        Literal["install", "uninstall", "merge-lock", "diff-file"], Argument(help="What to do, as described above.")
    ],
    files: Annotated[
        list[str] | None, Argument(metavar="[FILE]...", help="With merge-lock and diff-file: arguments from git.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Set up git for Modelfiles and mf.lock.

    After `mf git install`, `git diff` prints the changes of Modelfiles and of mf.lock by meaning, as `mf diff` does,
    and git merges mf.lock entry by entry. It names the drivers in .gitattributes, which you may commit for everybody,
    and sets them up in .git/config of this repository and its worktrees, which each person does with the same command;
    without that, git compares and merges by lines as before. `git show` and `git log -p` print changes by meaning with
    --ext-diff, and `git diff` prints lines with --no-ext-diff. `mf git uninstall` takes all of it away.

    `mf git diff-file` is what git runs to compare two versions of a file. It always exits 0, and prints lines if a
    version cannot be compared by meaning.

    `mf git merge-lock` is what git runs to merge. If both sides changed an entry, it leaves that one out, and git
    reports a conflict: `mf pin` pins it anew, then `git add mf.lock`.

    With --json: {"changed": [FILE, ...]}; with merge-lock: {"differing": [MODELFILE, ...]}; diff-file has none.
    """
    terminal = current.get()
    if action == "merge-lock":
        differing = _merge(files or [])
        if as_json:
            print_json({"differing": differing}, terminal)
        if differing:
            message = f"{files[-1] if files else 'mf.lock'}: both sides changed {', '.join(differing)}"
            terminal.print_error(message, "run `mf pin`, then `git add mf.lock`")
            raise SystemExit(ExitCode.FINDINGS)
        return
    if action == "diff-file":
        _diff(files or [])
        return
    if files:
        raise UsageError(f"`mf git {action}` takes no files")
    act = install_driver if action == "install" else uninstall_driver
    changed = [*dict.fromkeys(str(path) for driver in _DRIVERS for path in act(Path(), driver))]
    if as_json:
        print_json({"changed": changed}, terminal)
        return
    for path in changed:
        terminal.print(f"changed {path}")
    if not changed:
        terminal.print_note("nothing to change")
    elif action == "install" and which("mf", path=terminal.environ.get("PATH")) is None:
        message = "`mf` is not on PATH, so `git diff` of a Modelfile fails here until it is"
        terminal.print_warning(message, "put its folder on PATH, or undo this with `mf git uninstall`")


def _diff(arguments: list[str]) -> None:
    """Print the changes of a file by meaning: its path, and of both versions the file, the id and the mode."""
    if len(arguments) not in _DIFFED:
        hint = "git runs it: `mf git install`"
        raise UsageError("`mf git diff-file` needs PATH, OLD-FILE, OLD-HEX, OLD-MODE and the same of NEW", hint=hint)
    from modelfile.comparisons.commits import diff_versions
    from modelfile.report.comparisons import print_versions

    terminal = current.get()
    terminal.stdout.stops_without_reader = False  # whoever leaves the pager needs no error of git
    if terminal.environ.get("GIT_DIFF_PATH_COUNTER", "1") != "1":
        terminal.print("")
    if len(arguments) == 1:
        terminal.print(f"{arguments[0]} has merge conflicts")
        return
    if terminal.environ.get("GIT_PAGER_IN_USE") and terminal.color == "auto" and not terminal.environ.get("NO_COLOR"):
        terminal.color = "always"  # git's pager shows colors
    path, old, new = arguments[0], arguments[1], arguments[4]
    modes = arguments[3], arguments[6]
    if modes[0] != modes[1] and _NO_MODE not in modes:
        terminal.print(f"{path}  mode {modes[0]} -> {modes[1]}")
        if Path(old).read_bytes() == Path(new).read_bytes():
            return
    try:
        print_versions(diff_versions(load_project(), (path, (*arguments, path)[7]), (old, new)), terminal)
    except ModelfileError as error:
        terminal.print(f"{path} cannot be compared: {error.message}")


def _merge(files: list[str]) -> list[str]:
    """Merge three versions of a lock into the second one; return the keys of entries that both sides changed."""
    if len(files) != _VERSIONS:
        raise UsageError("`mf git merge-lock` needs BASE, OURS, THEIRS and PATH", hint="git runs it: `mf git install`")
    from modelfile.lockfile.conflicts import merge_versions

    base, ours, theirs = (read_file(path, limit=MAX_JSON) for path in files[:-1])
    merged = merge_versions(base, ours, theirs, files[-1])
    write_atomic(Path(files[1]), merged.dumps().encode())
    return list(merged.differing)
