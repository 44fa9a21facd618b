"""`mf push`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modelfile.cli.locations import Use, names_of, open_store
from modelfile.cli.options import load_project, open_registry, with_consent
from modelfile.cli.parameters import AsJson, Host, Replace, StoreFolder
from modelfile.cli.pull import check_registry
from modelfile.errors import ExitCode, ModelfileError, ServerUnreachable
from modelfile.library.publication import Pushed
from modelfile.library.publication import push as push_model
from modelfile.names import ModelName
from modelfile.report.json_output import error_as_json, print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def push(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models to push; names have the registry.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Push models from an Ollama server or a folder to their registries.

    If one fails, the others are still pushed. If a tag has another model in the registry, asks before that is replaced.
    A folder sends no layer that the registry has, and no local path.

    With --json: a list of {"name", "digest", "previous"}; digest is that of the manifest in the registry, and previous
    the one before, or null. A failure is {"name", "error"}.
    """
    terminal, config = current.get(), load_project().config
    answers: list[dict[str, Any]] = []
    wanted = [*dict.fromkeys(map(ModelName.parse, names_of(names, host, store)))]
    with open_store(host, store, use=Use.CHANGE) as opened, open_registry(config) as registry:
        for name in wanted:

            def act(agreed: bool, name: ModelName = name) -> Pushed:  # noqa: FBT001  # as `with_consent` calls it
                with progress(f"pushing {name}", terminal) as events:
                    return push_model(str(name), opened, registry, events, replace=agreed)

            try:
                check_registry(name, config, "push")
                done = with_consent(act, replace=replace, as_json=as_json)
            except ModelfileError as error:
                if isinstance(error, ServerUnreachable) and not answers:
                    raise  # the others would fail alike
                terminal.print_error(error.message, error.hint, error.details)
                answers.append({"name": str(name), **error_as_json(error)})
                continue
            answers.append({"name": str(done.name), "digest": done.digest, "previous": done.previous})
            if not as_json:
                terminal.print(f"{done.name}  {done.digest}  ({_change(done)})")
    if as_json:
        print_json(answers, terminal)
    if any("error" in answer for answer in answers):
        raise typer.Exit(ExitCode.FAILED)


def _change(done: Pushed) -> str:
    if done.previous is None:
        return "new"
    return "unchanged" if done.was_up_to_date else "changed"
