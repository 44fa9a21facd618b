"""`mf git`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from modelfile.cli.parameters import Argument, AsJson
from modelfile.errors import ExitCode, UsageError
from modelfile.filesystem import MAX_JSON, read_file, write_atomic
from modelfile.git import Driver, install_driver, uninstall_driver
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

_DRIVERS: Final = (
    Driver(
        section="merge.mf-lock",
        settings={"name": "mf.lock, entry by entry", "driver": "mf git merge-lock -- %O %A %B %P"},
        attribute="mf.lock merge=mf-lock",
    ),
)
_VERSIONS: Final = 4
"""Number of files that git passes to a merge driver: `%O %A %B %P`."""


def git(
    action: Annotated[Literal["install", "uninstall", "merge-lock"], Argument(help="What to do, as described above.")],
    files: Annotated[
        list[str] | None, Argument(metavar="[BASE OURS THEIRS PATH]", help="With merge-lock: files, from git.")
    ] = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Set up git for mf.lock.

    `mf git install` lets git merge mf.lock entry by entry, in this repository and its worktrees: it writes
    .git/config and .git/info/attributes, and no file that is committed. For a whole team, commit the line
    `mf.lock merge=mf-lock` in .gitattributes; where the driver is not installed, git merges by lines as before.
    `mf git uninstall` takes this away.

    `mf git merge-lock` is what git runs. If both sides changed an entry, it leaves that one out, and git reports a
    conflict: `mf pin` pins it anew, then `git add mf.lock`.

    With --json: {"changed": [FILE, ...]}; with merge-lock: {"differing": [MODELFILE, ...]}.
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
    if files:
        raise UsageError(f"`mf git {action}` takes no files")
    act = install_driver if action == "install" else uninstall_driver
    changed = [str(path) for driver in _DRIVERS for path in act(Path(), driver)]
    if as_json:
        print_json({"changed": changed}, terminal)
        return
    for path in changed:
        terminal.print(f"changed {path}")
    if not changed:
        terminal.print_note("nothing to change")


def _merge(files: list[str]) -> list[str]:
    """Merge three versions of a lock into the second one; return the keys of entries that both sides changed."""
    if len(files) != _VERSIONS:
        raise UsageError("`mf git merge-lock` needs BASE, OURS, THEIRS and PATH", hint="git runs it: `mf git install`")
    from modelfile.lockfile.conflicts import merge_versions

    base, ours, theirs = (read_file(path, limit=MAX_JSON) for path in files[:-1])
    merged = merge_versions(base, ours, theirs, files[-1])
    write_atomic(Path(files[1]), merged.dumps().encode())
    return list(merged.differing)
