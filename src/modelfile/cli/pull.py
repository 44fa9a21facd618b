"""`mf pull`."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfile.cli.locations import Use, folder_of, names_of, open_folder, open_store
from modelfile.cli.options import agree, load_project
from modelfile.cli.parameters import AsJson, Host, Replace, StoreFolder
from modelfile.errors import ExitCode, ModelfileError, ServerUnreachable, UsageError, WouldReplace
from modelfile.library.replacement import Pulled, pull_through
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

    A pull into a folder goes on where an earlier one has ended. With --store and --host, models are pulled into the
    folder, and given to the server from there; it then needs no access to the registry.

    If one fails, the others are still pulled. If an immutable tag gets another model, asks before that is replaced.

    With --json: a list of {"name", "digest", "previous", "backup"}; previous is the digest before the pull, or null,
    and backup the alias of the model that an immutable tag had, or null. A failure is {"name", "error"}.
    """
    terminal = current.get()
    answers: list[dict[str, Any]] = []
    both = host is not None and store is not None
    wanted = [*dict.fromkeys(map(ModelName.parse, names_of(names, None if both else host, store)))]
    config = load_project().config
    with (
        open_store(host, None if both else store, use=Use.CREATE) as opened,
        open_folder(folder_of(store, Use.CREATE), use=Use.CREATE) if both else nullcontext() as folder,
    ):
        for name in wanted:
            try:
                check_registry(name, config, "pull")
                done = _pull(name, opened, folder, config, _Agreement(replace=replace, as_json=as_json))
            except ModelfileError as error:
                if isinstance(error, ServerUnreachable) and not answers:
                    raise  # the others would fail alike
                terminal.print_error(error.message, error.hint, error.details)
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


def check_registry(name: ModelName, config: Config, task: str) -> None:
    """Reject a model of a registry that the configuration does not allow."""
    if not config.allows(name):
        hint = "add the host to `registries` in the configuration, or use a model from another"
        raise UsageError(f"cannot {task} {name}: registry not allowed: `{name.host}`", hint=hint)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Agreement:
    """The user's consent to replace a model."""

    replace: bool
    as_json: bool


def _pull(name: ModelName, store: Store, folder: Store | None, config: Config, agreement: _Agreement) -> Pulled:
    """Pull a model to a store; to a server by way of a folder if there is one."""
    with ExitStack() as shown:
        events = shown.enter_context(progress(f"pulling {name}", current.get()))

        def approve(error: WouldReplace) -> bool:
            shown.close()  # a bar would be drawn over the question
            return agreement.replace or agree([error], as_json=agreement.as_json)

        pull_to = partial(pull_model, str(name)) if folder is None else partial(pull_through, str(name), folder)
        return pull_to(store, events, immutable=config.immutable, approve=approve, keep=config.keep)


def _change(previous: str | None, digest: str) -> str:
    if previous is None:
        return "new"
    return "unchanged" if previous == digest else "changed"
