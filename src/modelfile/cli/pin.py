"""`mf pin`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project, open_registry, print_for_build
from modelfile.cli.parameters import (
    Argument,
    AsJson,
    ForceExclude,
    FromServer,
    Host,
    OllamaOfStore,
    Option,
    StoreFolder,
)
from modelfile.errors import ExitCode, InputError, ModelfileError, UsageError
from modelfile.immutable import replace
from modelfile.project.target import Target
from modelfile.report.json_output import check_as_json, pins_as_json, print_json
from modelfile.report.pins import print_check, print_failures, print_pins
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version
    from modelfile.diagnostics import Diagnostic
    from modelfile.pinning.check import Check
    from modelfile.pinning.pinner import PinOptions
    from modelfile.project.project import Project
    from modelfile.stores.protocol import Store


def pin(  # noqa: PLR0913  # the command's options
    paths: Annotated[list[str] | None, Argument(help="Modelfiles, or folders to search.")] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    ollama: OllamaOfStore = "",
    check_only: Annotated[bool, Option("--check", help="Write nothing; exit 1 if mf.lock is out of date.")] = False,
    from_server: FromServer = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would be pinned; do not write mf.lock.")] = False,
    rewrite: Annotated[
        bool, Option("--rewrite", help="First write the most specific tag instead of `latest` in FROM.")
    ] = False,
    prune: Annotated[
        bool, Option("--prune", help="Remove pin aliases on the server that no mf.lock here names; pin nothing.")
    ] = False,
    yes: Annotated[bool, Option("--yes", "-y", help="With --prune: remove without asking.")] = False,
    frozen: Annotated[bool, Option("--frozen", help="No effect: --check asks nobody.")] = False,
    force_exclude: ForceExclude = False,
    pull: Annotated[bool, Option("--pull/--no-pull", help="With --from-server: pull a base it does not have.")] = True,
    as_json: AsJson = False,
) -> None:
    """Record in mf.lock each Modelfile's base and the fingerprint that a build must have.

    Default: the current folder, and what mf.lock has of it even if git ignores it now. A base is looked up in its
    registry, of which nothing is pulled, or on the server (in the folder of --store) if no registry has it. A base
    that mf.toml lists as a model is pinned as its own Modelfile builds it, even if it is not built yet. The server is
    asked for nothing else but what it makes of local weights.

    An entry that still holds stays to the byte, and nobody is asked: `mf update` looks for newer bases. To pin what
    another version of Ollama makes of local weights, remove the entry first. `--check` is for CI, and asks nobody.

    A Modelfile that cannot be read, has errors, is FROM a base that is not found, or FROM weights that a build would
    reject is skipped, and the others are pinned or checked. Of an mf.lock with merge conflicts, both sides are merged.

    `--rewrite` asks the registry for a tag that has the same manifest as `latest`, and leaves a comment with the date.
    `--prune` lists aliases such as `llama3.2:sha256-…`, from which `mf build` builds, and asks before it removes them:
    other projects that use the server may need theirs.

    With --json: a list of {"modelfile", "base", "fingerprint", "source", "change"}; change is "new", "changed",
    "removed" or null, source is the URL of a registry, "server" or null, and fingerprint is null if only a server can
    tell it; {"modelfile", "error"} for failures. With --check: {"drifts": [{"modelfile", "reason", "message",
    "pinned", "current"}, ...], "undecided": [{"message", "hint", "code"}, ...]}. With
    --prune: {"removed": [NAME, ...]}.
    """
    if frozen and not check_only:
        raise UsageError("--frozen needs --check", hint="leave out --frozen")
    _reject_together(
        {"--prune": prune, "--check": check_only, "--rewrite": rewrite},
        {"--prune": prune, "--check": check_only, "--from-server": from_server},
        {"--check": check_only, "--dry-run": dry_run},
    )
    project = load_project(force_exclude=force_exclude)
    if prune:
        if paths:
            raise UsageError("--prune takes no paths", hint="it keeps the aliases of all locks in this repository")
        _prune(project, open_store(host, store), yes=yes, dry_run=dry_run, as_json=as_json)
        return
    codes: set[ExitCode] = set()
    if rewrite:
        codes |= _rewrite(project, paths, dry_run=dry_run)
        project = project.reread()
    if check_only:
        codes |= _check(project, paths, host, as_json=as_json)
    else:
        from modelfile.pinning.pinner import PinOptions  # which a check does not need

        options = PinOptions(from_server=from_server)
        opened = open_store(host, store, use=Use.CREATE, ollama=ollama)
        codes |= pin_all(project, paths, opened, options=options, pull=pull, dry_run=dry_run, as_json=as_json)
    if codes:
        raise SystemExit(max(codes))


def _check(project: Project, paths: list[str] | None, host: str | None, *, as_json: bool) -> set[ExitCode]:
    """Check pins, and report the result; return the exit codes of what fails."""
    from modelfile.pinning.check import check_pins

    terminal = current.get()
    targets, check = targets_to_pin(paths, project, merge=False)
    with progress("checking", terminal) as events:
        checked = check_pins(targets, None, whole=paths is None, check=check, events=events)
    if as_json:
        print_json(check_as_json(checked, host), terminal)
    print_check(checked, terminal, host=host, findings=not as_json)
    if checked.drifts:
        return {ExitCode.FINDINGS}
    return {error.exit_code for error in checked.unread}


def pin_all(  # noqa: PLR0913  # the options of the command
    project: Project,
    paths: list[str] | None,
    opened: AbstractContextManager[Store],
    *,
    options: PinOptions,
    pull: bool = True,
    dry_run: bool = False,
    as_json: bool = False,
) -> set[ExitCode]:
    """Pin Modelfiles, and report the result; return the exit codes of what fails."""
    from modelfile.pinning.pin import pin as pin_targets

    terminal = current.get()
    targets, check = targets_to_pin(paths, project, merge=True)
    failures: dict[str, ModelfileError] = {}

    def on_failure(target: Target, error: ModelfileError) -> None:
        failures[str(target.path)] = error

    with (
        opened as store,
        open_registry(project.config) as registry,
        progress("pinning", terminal) as events,
    ):
        changes = pin_targets(
            targets,
            store,
            registry,
            options=replace(options, check=check),
            pull=pull,
            dry_run=dry_run,
            on_failure=on_failure,
            on_warning=terminal.print_warning,
            clock=terminal.clock,
            events=events,
        )
    print_json(pins_as_json(changes, failures), terminal) if as_json else print_pins(changes, terminal)
    print_failures(failures.values(), terminal)
    print_skipped(targets, failures)
    return {error.exit_code for error in failures.values()}


def targets_to_pin(paths: list[str] | None, project: Project, *, merge: bool) -> tuple[tuple[Target, ...], Check]:
    """Return the Modelfiles, and their check.

    The check also lints bases that are not among the Modelfiles, of which only the errors are printed.
    """
    from modelfile.diagnostics import Severity
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import settings_by_target

    settings_of = settings_by_target()
    targets = _modelfiles(project, paths, merge=merge)
    _reject_unusable(targets)
    named = {project.real_path(target.path) for target in targets}
    checked: dict[Path, InputError | None] = {}

    def print_found(target: Target, found: tuple[Diagnostic, ...]) -> None:
        is_named = project.real_path(target.path) in named
        print_for_build(target, tuple(item for item in found if is_named or item.severity is Severity.ERROR))

    def check(target: Target, version: Version | None) -> None:
        path = project.real_path(target.path)
        if path not in checked:
            checked[path] = None
            try:
                reject_errors(target, settings_of(target), print_found, version)
            except InputError as error:
                checked[path] = error
        if found := checked[path]:
            raise found

    return targets, check


def _reject_together(*alternatives: Mapping[str, bool]) -> None:
    """Reject options of which only one can be used."""
    for options in alternatives:
        used = [name for name, is_used in options.items() if is_used]
        if len(used) > 1:
            raise UsageError(f"{used[0]} and {used[1]} cannot be used together", hint="pass only one of them")


def _rewrite(project: Project, paths: list[str] | None, *, dry_run: bool) -> set[ExitCode]:
    """Write specific tags instead of `latest`; return the exit codes of what fails."""
    from modelfile.pinning.rewriting import rewrite

    terminal, codes = current.get(), set[ExitCode]()
    with open_registry(project.config) as registry:
        for target in project.modelfiles(paths or ["."]):
            try:
                found = rewrite(target, registry, terminal.clock)
            except ModelfileError as error:
                terminal.print_error(error.message, error.hint)
                codes.add(error.exit_code)
                continue
            if found and not dry_run:
                target.write(found.text)
            if found:
                terminal.print_note(f"{target.path}: FROM {found.previous} -> {found.current}")
    return codes


def _prune(project: Project, opened: AbstractContextManager[Store], *, yes: bool, dry_run: bool, as_json: bool) -> None:
    from modelfile.pinning.pin_aliases import locks_of, remove_aliases, unused_aliases

    terminal, locks = current.get(), locks_of(project)
    with opened as store:
        found = unused_aliases(locks, store)
        if found and not (yes or dry_run):
            for model in found:
                terminal.print(str(model.name), err=True)
            if not terminal.stdin.isatty():
                raise UsageError("cannot ask for confirmation: standard input is not a terminal", hint="pass --yes")
            if not terminal.confirm(
                f"remove {'it' if len(found) == 1 else f'these {len(found)}'} from {store.location}?"
            ):
                terminal.print_note("nothing was removed")
                raise SystemExit(ExitCode.FINDINGS)
        removed = [str(model.name) for model in (found if dry_run else remove_aliases(found, store))]
    if as_json:
        print_json({"removed": removed}, terminal)
        return
    for name in removed:
        terminal.print(f"{'would remove' if dry_run else 'removed'} {name}")
    if not removed:
        terminal.print_note("no pin alias to remove")


def _reject_unusable(targets: Sequence[Target]) -> None:
    """Reject standard input, and damaged locks, which are errors of all Modelfiles."""
    for target in targets:
        if target.is_stdin:
            raise UsageError("standard input cannot be pinned", hint="name a file")
        if target.lock:
            _ = target.lock.newer


def _modelfiles(project: Project, paths: list[str] | None, *, merge: bool) -> tuple[Target, ...]:
    """Return the Modelfiles; with `merge`, their locks may have merge conflicts."""
    from modelfile.pinning.check import group_by_lock, with_locked

    found = project.modelfiles(paths or ["."])
    for lock in group_by_lock(found) if merge else ():
        lock.merge_conflicts()
    return with_locked(found) if paths is None else found


def print_skipped(targets: Sequence[Target], failures: Mapping[str, ModelfileError]) -> None:
    """Name the Modelfiles that have no error of their own, but that of their base."""
    for target in targets:
        error, base = failures.get(str(target.path)), target.project.base_of(target)
        cause = failures.get(str(base.path)) if base else None
        if base and error and cause and error.message == cause.message:
            current.get().print_error(f"`{target.path}` was skipped: its base `{base.path}` cannot be pinned", None)
