"""`mf update`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, ForceExclude, FromServer, Host, Option, StoreFolder
from modelfile.cli.pin import print_skipped, targets_to_pin
from modelfile.errors import ModelfileError, UsageError
from modelfile.pinning.pinner import PinOptions
from modelfile.pinning.update import update as update_pins
from modelfile.project.target import Target
from modelfile.report.json_output import print_json
from modelfile.report.pins import print_failures
from modelfile.report.progress import progress
from modelfile.report.terminal import current
from modelfile.report.updates import as_markdown, commit_message, print_update, update_as_json

UpdateFormat: TypeAlias = Literal["text", "markdown", "json"]


def update(  # noqa: PLR0913  # the command's options
    bases: Annotated[
        list[str] | None, Argument(metavar="[BASE...]", help="Bases; without a tag: all tags of the model.")
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    from_server: FromServer = False,
    dry_run: Annotated[bool, Option("--dry-run", help="Show what would change; do not write mf.lock.")] = False,
    output_format: Annotated[UpdateFormat, Option("--format", help="Output format.")] = "text",
    message: Annotated[bool, Option("--message", help="Print the message of a commit instead.")] = False,
    force_exclude: ForceExclude = False,
    as_json: AsJson = False,
) -> None:
    """Pin the bases of this folder's Modelfiles as their registries have them now, and print what that changes.

    Default: all bases. What has not changed stays to the byte. A base that no registry has is looked up on the server.
    Modelfiles that have changed are pinned, too.

    Printed are the differences of each base that has moved, and of each model built on it, as `mf diff` prints them:
    what a Modelfile sets itself does not change with its base. The contents of the old base come from mf.lock, the
    cache and the registry; if they are no longer there, that is printed, with the layers that differ.

    `--format markdown` is for a pull request. `--message` is for a commit, as in
    `git commit -m "$(mf update --message)" mf.lock`; it is empty if nothing has changed.

    With --json: {"version", "message", "bases": [{"base", "modelfiles", "previous", "current", "parts", "changes",
    "missing"}, ...], "models": [{"modelfile", "names", "previous", "current", "changes", "inherited", "own", "edited",
    "missing"}, ...], "pins": as `mf pin --json` prints them}; changes as in `mf diff --json`, missing is the reason why
    there are none.
    """
    if message and (as_json or output_format != "text"):
        raise UsageError("--message cannot be used with another format", hint="with --json, read the key `message`")
    if as_json and output_format == "markdown":
        raise UsageError("--json cannot be used with --format markdown", hint="leave one of them out")
    chosen = "json" if as_json else output_format
    terminal, project = current.get(), load_project(force_exclude=force_exclude)
    targets, check = targets_to_pin(None, project, merge=True)
    failures: dict[str, ModelfileError] = {}

    def on_failure(target: Target, error: ModelfileError) -> None:
        failures[str(target.path)] = error

    with (
        open_store(host, store, use=Use.READ if not from_server else Use.CREATE) as opened,
        open_registry(project.config) as registry,
        progress("pinning", terminal) as events,
    ):
        summary = update_pins(
            targets,
            opened,
            registry,
            bases=bases or (),
            options=PinOptions(from_server=from_server, check=check),
            dry_run=dry_run,
            on_failure=on_failure,
            on_warning=terminal.print_warning,
            clock=terminal.clock,
            events=events,
        )
    if message:
        if text := commit_message(summary):
            terminal.print_lines(text)
    elif chosen == "json":
        print_json(update_as_json(summary, failures), terminal)
    elif chosen == "markdown":
        terminal.print_lines(as_markdown(summary, failed=len(failures)))
    else:
        print_update(summary, terminal)
    print_failures(failures.values(), terminal)
    print_skipped(targets, failures)
    if failures:
        raise SystemExit(max(error.exit_code for error in failures.values()))
    terminal.print_note("mf.lock is unchanged" if dry_run else "mf.lock is up to date")
