"""`mf diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry, print_for_build
from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.differ.comparison import Category
from modelfile.errors import ExitCode, UsageError
from modelfile.immutable import replace
from modelfile.report.comparisons import DiffFormat, comparison_as_json, print_comparison, print_names, render
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.prediction import ExpectedModel
    from modelfile.project.target import Target


def diff(  # noqa: PLR0913  # the command's options
    a: Annotated[str, Argument(metavar="A", help="Modelfile, model, or tag of this project's model.")],
    b: Annotated[str, Argument(metavar="B", help="Modelfile, model or tag to compare with.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
    output_format: Annotated[DiffFormat, Option("--format", help="Output format.")] = "text",
    only: Annotated[
        str | None, Option("--only", metavar="CATEGORIES", help="Changes to report, as in `weights,prompt`.")
    ] = None,
    show_all: Annotated[
        bool, Option("--all", help="Report comments, order and notation of two Modelfiles, too.")
    ] = False,
    stat: Annotated[bool, Option("--stat", help="Print a line for each change, and their number.")] = False,
    name_only: Annotated[bool, Option("--name-only", help="Print only what has changed.")] = False,
    exit_zero: Annotated[bool, Option("--exit-zero", help="Exit 0 also if there are differences.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the differences between two models: parameters, prompts and weights, not lines of text.

    Two Modelfiles are compared as written, without a server. Exits 1 if they differ. A tag alone is one of the model
    that the Modelfile here builds: as mf.toml lists it, as it was last built here, or as its folder is called; or else
    one of the only model on the server that has it.

    `file:`, `model:`, `store:`, `lock:` and `registry:` before a side say what it is: a Modelfile, a model on the
    server, a model in a folder, a base as mf.lock has it, or a model in a registry, of which the weights are not read;
    they win over a model of that name. With --store alone, all models are those of the folder; with --host too, only
    those with `store:`.

    What Ollama adds to local weights is compared if a build from here or mf.lock has recorded it; otherwise a note
    names the parts that are not compared.

    If the templates of two models give different capabilities, such as tools, the difference has a line of its own. A
    warning names those that the TEMPLATE of a Modelfile takes from its base.

    Changes are in categories: weights, behavior (parameters), template, stop, prompt, capabilities and license; each
    says whether it may change answers, changes the interface, or is of text only, as that of a parameter to its
    default. `--only` limits output and exit code to some of them. Comments, order and notation of two Modelfiles are
    cosmetic, and reported only with `--all` or `--only cosmetic`.

    `--format markdown` is for a comment on a pull request, `--format html` is one file for a browser, and
    `--format github` prints a notice for each change.

    With --json: {"version", "a": {"name", "fingerprint", "digest"}, "b", "same", "changes": [{"category", "impact",
    "aspect", "name", "old", "new", "old_position", "new_position", "default", "ollama", "no_effect"}, ...],
    "undecided", "dropped_capabilities"}, as docs/schema/diff.schema.json has it; undecided lists the parts that are not
    compared, and same is null if no other part differs.
    """
    from modelfile.comparisons import diff as compare
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import resolve_settings, settings_by_target
    from modelfile.report.plans import print_dropped_capabilities

    chosen = _format(output_format, as_json=as_json, is_short=stat or name_only)
    categories = _categories(only)
    project, terminal = load_project(), current.get()

    def note_dropped(target: Target, expected: ExpectedModel) -> None:
        print_dropped_capabilities(f"`{target.path}`", expected, terminal)

    resolve_settings(project)  # an error in the configuration is reported first
    settings_of = settings_by_target()
    with (
        open_store(host, None if host else store, use=Use.READ) as opened,
        open_prefixed(store) as folder,
        open_registry(project.config) as registry,
    ):
        comparison = compare(
            a,
            b,
            project,
            opened,
            lambda target, version: reject_errors(target, settings_of(target), print_for_build, version),
            terminal.print_note,
            folder=folder,
            registry=registry,
            cosmetic=show_all or (only is not None and Category.COSMETIC in categories),
            on_expected=note_dropped,
        )
    shown = replace(comparison, changes=tuple(each for each in comparison.changes if each.category in categories))
    if chosen == "json":
        print_json(comparison_as_json(shown), terminal)
    elif chosen != "text":
        terminal.write_content(render(shown, chosen))
    elif name_only:
        print_names(shown, terminal)
    else:
        print_comparison(shown, terminal, stat=stat)
    if shown.changes and not exit_zero:
        raise SystemExit(ExitCode.FINDINGS)


def _format(chosen: DiffFormat, *, as_json: bool, is_short: bool) -> DiffFormat:
    if as_json and chosen not in ("text", "json"):
        raise UsageError(f"--json cannot be used with --format {chosen}", hint="leave one of them out")
    if is_short and (as_json or chosen != "text"):
        raise UsageError("--stat and --name-only cannot be used with another format", hint="leave one of them out")
    return "json" if as_json else chosen


def _categories(only: str | None) -> tuple[Category, ...]:
    """Return the categories to report."""
    known = [*map(str, Category)]
    names = [name.strip() for name in only.split(",")] if only is not None else known
    for name in names:
        if name not in known:
            raise UsageError(f"unknown category `{name}` in --only", hint=f"use one of {', '.join(known)}")
    return tuple(map(Category, names))
