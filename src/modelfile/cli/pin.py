"""`mf pin`."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.options import AsJson, Host, load_project, open_store, print_for_build, warn_of_newer_locks
from modelfile.errors import ExitCode, UsageError
from modelfile.project.target import Target
from modelfile.report.json_output import check_as_json, pins_as_json, print_json
from modelfile.report.pins import print_check, print_pins
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.stores.protocol import Store


def pin(
    paths: Annotated[list[str] | None, typer.Argument(help="Modelfiles, or folders to search.")] = None,
    host: Host = None,
    *,
    check_only: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if mf.lock is out of date.")
    ] = False,
    frozen: Annotated[bool, typer.Option("--frozen", help="With --check: do not check bases on the server.")] = False,
    pull: Annotated[bool, typer.Option("--pull/--no-pull", help="Pull a base that the server does not have.")] = True,
    as_json: AsJson = False,
) -> None:
    """Record in mf.lock each Modelfile's base and the fingerprint that a build must have.

    Default: the current folder. A base that mf.toml lists as a model is pinned as its own Modelfile builds it, even if
    it is not built yet. `--check` is for CI.

    With --json: a list of {"modelfile", "base", "fingerprint", "change"}; change is "new", "changed", "removed" or
    null. With --check: {"drifts": [{"modelfile", "message"}, ...], "undecided": [{"message", "hint", "code"}, ...]}.
    """
    if frozen and not check_only:
        raise UsageError("--frozen needs --check", hint="leave out --frozen: pinning needs a server")
    targets = _targets(paths or ["."], check_only=check_only)
    terminal = current.get()
    from modelfile.pinning.check import check_pins
    from modelfile.pinning.pin import pin as pin_all

    opened: AbstractContextManager[Store | None] = nullcontext() if frozen else open_store(host)
    with opened as store, progress("pinning", terminal) as events:
        if store and not check_only:
            changes = pin_all(targets, store, pull=pull, events=events)
        else:
            check = check_pins(targets, store, whole=paths is None, events=events)
    if not check_only:
        print_json(pins_as_json(changes), terminal) if as_json else print_pins(changes, terminal)
        return
    if as_json:
        print_json(check_as_json(check), terminal)
    print_check(check, terminal, findings=not as_json)
    if check.drifts or check.undecided:
        raise typer.Exit(ExitCode.FINDINGS if check.drifts else ExitCode.FAILED)
    if frozen:
        terminal.print_note("bases were not checked: --frozen asks no server")


def _targets(paths: list[str], *, check_only: bool) -> tuple[Target, ...]:
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import resolve_settings
    from modelfile.pinning.check import require_lock

    project = load_project()
    settings = resolve_settings(project)
    targets = project.modelfiles(paths)
    warn_of_newer_locks(targets)
    for target in targets:
        if target.is_stdin:
            raise UsageError("standard input cannot be pinned", hint="name a file")
        if check_only:
            require_lock(target)
        reject_errors(target, settings, print_for_build)
    return targets
