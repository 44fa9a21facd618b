"""`mf pull`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfile.cli.locations import Use, names_of, open_store
from modelfile.cli.options import agree, load_project
from modelfile.cli.parameters import AsJson, Host, Replace, StoreFolder
from modelfile.errors import ExitCode, ModelfileError, ServerUnreachable, UsageError, WouldReplace
from modelfile.library.replacement import Pulled
from modelfile.library.replacement import pull as pull_model
from modelfile.names import ModelName
from modelfile.report.json_output import error_as_json, print_json
from modelfile.report.models import describe_backup
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.project.config import Config
    from modelfile.stores.protocol import Store


def pull(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Models to pull.")],
    host: Host = None,
    store: StoreFolder = None,
    *,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Pull models from their registries to an Ollama server or into a folder, or update them.

    If one fails, the others are still pulled. If an immutable tag gets another model, asks before that is replaced.

    With --json: a list of {"name", "digest", "previous", "backup"}; previous is the digest before the pull, or null,
    and backup the alias of the model that an immutable tag had, or null. A failure is {"name", "error"}.
    """
    terminal = current.get()
    answers: list[dict[str, Any]] = []
    wanted = [*dict.fromkeys(map(ModelName.parse, names_of(names, host, store)))]
    config = load_project().config
    with open_store(host, store, use=Use.CREATE) as opened:
        for name in wanted:
            try:
                _check_registry(name, config)
                done = _pull(name, opened, config, replace=replace, as_json=as_json)
            except ModelfileError as error:
                if isinstance(error, ServerUnreachable) and not answers:
                    raise  # the others would fail alike
                terminal.print_error(error.message, error.hint)
                answers.append({"name": str(name), **error_as_json(error)})
                continue
            backup = str(done.backup) if done.backup else None
            answers.append({"name": str(done.name), "digest": done.digest, "previous": done.previous, "backup": backup})
            if not as_json:
                terminal.print(f"{done.name}  {done.digest}  ({_change(done.previous, done.digest)})")
                if done.backup:
                    terminal.print(f"  {describe_backup(done.name, done.backup, config.immutable)}")
    if as_json:
        print_json(answers, terminal)
    if any("error" in answer for answer in answers):
        raise typer.Exit(ExitCode.FAILED)


def _check_registry(name: ModelName, config: Config) -> None:
    """Reject a model of a registry that the configuration does not allow."""
    if not config.allows(name):
        hint = "add the host to `registries` in the configuration, or use a model from another"
        raise UsageError(f"cannot pull {name}: registry not allowed: `{name.host}`", hint=hint)


def _pull(name: ModelName, store: Store, config: Config, *, replace: bool, as_json: bool) -> Pulled:
    with ExitStack() as shown:
        events = shown.enter_context(progress(f"pulling {name}", current.get()))

        def approve(error: WouldReplace) -> bool:
            shown.close()  # a bar would be drawn over the question
            return replace or agree([error], as_json=as_json)

        return pull_model(str(name), store, events, immutable=config.immutable, approve=approve, keep=config.keep)


def _change(previous: str | None, digest: str) -> str:
    if previous is None:
        return "new"
    return "unchanged" if previous == digest else "changed"
