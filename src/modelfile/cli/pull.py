"""`mf pull`."""

from __future__ import annotations

from contextlib import ExitStack, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from modelfile.cli.locations import Use, folder_of, names_of, open_folder, open_store
from modelfile.cli.options import agree, load_project, transfer_models
from modelfile.cli.parameters import Argument, AsJson, Host, Replace, StoreFolder
from modelfile.library.replacement import Pulled, pull_through
from modelfile.library.replacement import pull as pull_model
from modelfile.names import ModelName
from modelfile.report.models import print_backup, print_received
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelfile.errors import WouldReplace
    from modelfile.project.config import Config
    from modelfile.stores.protocol import Store


def pull(
    names: Annotated[list[str], Argument(metavar="NAME...", help="Models to pull.")],
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
    both = host is not None and store is not None
    wanted = [*map(ModelName.parse, names_of(names, None if both else host, store))]
    config = load_project().config
    with (
        open_store(host, None if both else store, use=Use.CREATE) as opened,
        open_folder(folder_of(store, Use.CREATE), use=Use.CREATE) if both else nullcontext() as folder,
    ):

        def agreed(error: WouldReplace) -> bool:
            return replace or agree([error], as_json=as_json)

        def act(name: ModelName) -> dict[str, Any]:
            done = _pull(name, opened, folder, config, agreed)
            if not as_json:
                print_received(done.name, done.digest, done.previous, current.get())
                print_backup(done.name, done.backup, config.immutable, current.get())
            backup = str(done.backup) if done.backup else None
            return {"name": str(done.name), "digest": done.digest, "previous": done.previous, "backup": backup}

        transfer_models(wanted, act, config, "pull", as_json=as_json)


def _pull(
    name: ModelName, store: Store, folder: Store | None, config: Config, agreed: Callable[[WouldReplace], bool]
) -> Pulled:
    """Pull a model to a store; to a server by way of a folder if there is one."""
    with ExitStack() as shown:
        events = shown.enter_context(progress(f"pulling {name}", current.get()))

        def approve(error: WouldReplace) -> bool:
            shown.close()  # a bar would be drawn over the question
            return agreed(error)

        pull_to = partial(pull_model, str(name)) if folder is None else partial(pull_through, str(name), folder)
        return pull_to(store, events, immutable=config.immutable, approve=approve, keep=config.keep)
