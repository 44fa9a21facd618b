"""`mf diff`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.locations import Use, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry, print_for_build
from modelfile.cli.parameters import AsJson, Host, StoreFolder
from modelfile.errors import ExitCode
from modelfile.report.differences import print_changes
from modelfile.report.json_output import changes_as_json, print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.prediction import ExpectedModel
    from modelfile.project.target import Target


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="Modelfile, model, or tag of this project's model.")],
    b: Annotated[str, typer.Argument(metavar="B", help="Modelfile, model or tag to compare with.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
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

    With --json: {"a", "b", "same", "changes": [{"aspect", "name", "old", "new"}, ...], "undecided",
    "dropped_capabilities"}; undecided lists the parts that are not compared, and same is null if no other part differs.
    """
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import resolve_settings, settings_by_target
    from modelfile.report.plans import print_dropped_capabilities
    from modelfile.sides import diff as compare

    project, terminal, undecided, dropped = load_project(), current.get(), list[str](), list[str]()

    def note_undecided(target: Target, parts: tuple[str, ...]) -> None:
        undecided.extend(parts)
        if not as_json:
            *others, last = parts
            named = f"{', '.join(others)} and {last}" if others else last
            terminal.print_note(
                f"not compared: {named}, which a build decides for the files of `{target.path}`; "
                "they are known once it is built from here"
            )

    def note_dropped(target: Target, expected: ExpectedModel) -> None:
        dropped.extend(name for name, _ in expected.dropped_capabilities)
        print_dropped_capabilities(f"`{target.path}`", expected, terminal)

    resolve_settings(project)  # an error in the configuration is reported first
    settings_of = settings_by_target()
    with (
        open_store(host, None if host else store, use=Use.READ) as opened,
        open_prefixed(store) as folder,
        open_registry(project.config) as registry,
    ):
        changes = compare(
            a,
            b,
            project,
            opened,
            lambda target, version: reject_errors(target, settings_of(target), print_for_build, version),
            terminal.print_note,
            folder=folder,
            registry=registry,
            on_undecided=note_undecided,
            on_expected=note_dropped,
        )
    if as_json:
        same = None if undecided and not changes else not changes
        answer = {"a": a, "b": b, "same": same, "changes": changes_as_json(changes), "undecided": undecided}
        print_json(answer | {"dropped_capabilities": dropped}, terminal)
    else:
        print_changes(changes, terminal)
    if changes:
        raise typer.Exit(ExitCode.FINDINGS)
