"""`mf pull`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from modelfile.cli.options import AsJson, Host, open_store
from modelfile.errors import ExitCode, ModelfileError, ServerUnreachable
from modelfile.library import pull as pull_model
from modelfile.names import ModelName
from modelfile.report.json_output import error_as_json, print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models to pull.")],
    host: Host = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Pull models from their registries to an Ollama server, or update them.

    If one fails, the others are still pulled.

    With --json: a list of {"name", "digest", "previous"}; previous is the digest before the pull, or null. A failure
    is {"name", "error"}.
    """
    terminal = current.get()
    answers: list[dict[str, Any]] = []
    wanted = [*dict.fromkeys(map(ModelName.parse, names))]
    with open_store(host) as store:
        for name in wanted:
            try:
                with progress(f"pulling {name}", terminal) as events:
                    done = pull_model(str(name), store, events)
            except ModelfileError as error:
                if isinstance(error, ServerUnreachable) and not answers:
                    raise  # the others would fail alike
                terminal.print_error(error.message, error.hint)
                answers.append({"name": str(name), **error_as_json(error)})
                continue
            answers.append({"name": str(done.name), "digest": done.digest, "previous": done.previous})
            if not as_json:
                terminal.print(f"{done.name}  {done.digest}  ({_change(done.previous, done.digest)})")
    if as_json:
        print_json(answers, terminal)
    if any("error" in answer for answer in answers):
        raise typer.Exit(ExitCode.FAILED)


def _change(previous: str | None, digest: str) -> str:
    if previous is None:
        return "new"
    return "unchanged" if previous == digest else "changed"
