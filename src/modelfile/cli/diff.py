"""`mf diff`."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Annotated, Final

from modelfile.cli.locations import Use, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry, print_for_build
from modelfile.cli.parameters import Argument, AsJson, Option, StoreFolder
from modelfile.differ.comparison import Category, Comparison
from modelfile.errors import ExitCode, UsageError
from modelfile.immutable import replace
from modelfile.report.comparisons import (
    DiffFormat,
    comparison_as_json,
    comparisons_as_json,
    print_comparisons,
    print_names,
    render,
)
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.prediction import ExpectedModel
    from modelfile.project.target import Target

_MOST_HOSTS: Final = 2


def diff(  # noqa: PLR0913  # the command's options
    a: Annotated[
        str | None, Argument(metavar="[A]", help="Modelfile, model, tag, or revision of git; default: HEAD.")
    ] = None,
    b: Annotated[
        str | None, Argument(metavar="[B]", help="The same; default: what A is compared with, see above.")
    ] = None,
    host: Annotated[
        list[str] | None,
        Option("--host", metavar="URL", help="Ollama server; given twice, that of A and that of B."),
    ] = None,
    store: StoreFolder = None,
    *,
    model: Annotated[
        str | None, Option("--model", "-m", metavar="NAME", help="The model that tags alone belong to.")
    ] = None,
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
    """Print the differences between models or Modelfiles: parameters, prompts and weights, not lines of text.

    Exits 1 if they differ. A and B are each a Modelfile or its folder, weights (a GGUF or safetensors file, or a folder
    of them), `-` for standard input, a model, a tag of the model here, the start of a digest, or a revision of git.

    Weights are compared as a Modelfile that is only FROM them. If weights differ, so may what their headers say:
    architecture, size, quantization, context, license, chat template and the tensors that differ, by type (`mf show
    --tensors` lists all); of a model in a registry, only what its configuration says.

    `mf diff` compares the last commit with the working tree: every Modelfile, and mf.lock pin by pin. `mf diff REV`
    compares another commit, `mf diff REV..REV` two commits, and `mf diff main...HEAD` a branch since it left main. `mf
    diff REV Modelfile` compares a Modelfile with what it was, and `mf diff Modelfile` with the last commit.

    `mf diff my-bot` compares a model as it is built with its Modelfile, and with --host twice a model on two servers.
    Two Modelfiles are compared as written, without a server. A tag alone is one of the model that the Modelfile here
    builds: as mf.toml lists it, as it was last built here, or as its folder is called; or else one of the only model on
    the server that has it. `-m NAME` says whose it is.

    `file:`, `model:`, `store:`, `lock:`, `registry:` and `git:` before a side say what it is: a Modelfile, a model on
    the server, a model in a folder, a base as mf.lock has it, a model in a registry, of which the weights are not read,
    and a revision or, as `git:REV:PATH`, a Modelfile at one, on the base that mf.lock had then. They win over a model
    of that name. A word that means a Modelfile, a model and a revision, or two of these, is an error that lists them.
    With --store alone, all models are those of the folder; with --host too, only those with `store:`.

    What Ollama adds to local weights is compared if a build from here or mf.lock has recorded it; otherwise a note
    names the parts that are not compared. A Modelfile in git that Ollama would reject is compared by line.

    If the templates of two models give different capabilities, such as tools, the difference has a line of its own. A
    warning names those that the TEMPLATE of a Modelfile takes from its base.

    Changes are in categories: weights, behavior (parameters), template, stop, prompt, capabilities, license and lock;
    each says whether it may change answers, changes the interface, or is of text only, as that of a parameter to its
    default. `--only` limits output and exit code to some of them. Comments, order and notation of two Modelfiles are
    cosmetic, and reported only with `--all` or `--only cosmetic`.

    `--format markdown` is for a comment on a pull request, `--format html` is one file for a browser, and
    `--format github` prints a notice for each change.

    With --json: {"version", "a": {"name", "fingerprint", "digest"}, "b", "same", "changes": [{"category", "impact",
    "aspect", "name", "old", "new", "old_position", "new_position", "default", "ollama", "no_effect"}, ...],
    "undecided", "dropped_capabilities"}, as docs/schema/diff.schema.json has it; undecided lists the parts that are not
    compared, and same is null if no other part differs. Of commits: {"version", "same", "files": [{"path", "a", ...,
    "note"}, ...]}.
    """
    from modelfile.comparisons.arguments import compare_arguments
    from modelfile.comparisons.sides import Sources
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import resolve_settings, settings_by_target
    from modelfile.report.plans import print_dropped_capabilities

    chosen = _format(output_format, as_json=as_json, is_short=stat or name_only)
    categories = _categories(only)
    hosts: list[str | None] = [*host] if host else [None]
    if len(hosts) > _MOST_HOSTS:
        raise UsageError("--host can be given twice: for A and for B", hint="leave out the others")
    project, terminal = load_project(), current.get()

    def note_dropped(target: Target, expected: ExpectedModel) -> None:
        print_dropped_capabilities(f"`{target.path}`", expected, terminal)

    resolve_settings(project)  # an error in the configuration is reported first
    settings_of = settings_by_target()
    with (
        open_store(hosts[0], None if host else store, use=Use.READ) as opened,
        open_store(hosts[-1], use=Use.READ) if len(hosts) > 1 else nullcontext() as other,
        open_prefixed(store) as folder,
        open_registry(project.config) as registry,
    ):
        sources = Sources(
            project=project,
            store=opened,
            folder=folder,
            registry=registry,
            on_note=terminal.print_note,
            check=lambda target, version: reject_errors(
                target, settings_of(target), print_for_build, version, only_errors=True
            ),
            on_expected=note_dropped,
        )
        found = compare_arguments(
            [text for text in (a, b) if text is not None],
            sources,
            model=model,
            other=other,
            cosmetic=show_all or (only is not None and Category.COSMETIC in categories),
        )
    of_files = isinstance(found, tuple)
    every = found if isinstance(found, tuple) else (found,)
    shown = [each for each in (_only(each, categories) for each in every) if each.changes or each.same or not of_files]
    if chosen == "json":
        print_json(comparisons_as_json(shown) if of_files else comparison_as_json(shown[0]), terminal)
    elif chosen != "text":
        terminal.write_content(render(shown, chosen))
    elif name_only:
        print_names(shown, terminal, of_files=of_files)
    else:
        print_comparisons(shown, terminal, stat=stat)
    if any(each.changes for each in shown) and not exit_zero:
        raise SystemExit(ExitCode.FINDINGS)


def _only(comparison: Comparison, categories: tuple[Category, ...]) -> Comparison:
    return replace(comparison, changes=tuple(each for each in comparison.changes if each.category in categories))


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
