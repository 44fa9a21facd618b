"""`mf push`."""

from __future__ import annotations

from typing import Annotated, Any

from modelfile.cli.locations import Use, names_of, open_store
from modelfile.cli.options import load_project, open_registry, transfer_models, with_consent
from modelfile.cli.parameters import Argument, AsJson, Host, Replace, StoreFolder
from modelfile.library.publication import Pushed
from modelfile.library.publication import push as push_model
from modelfile.names import ModelName
from modelfile.report.models import print_received
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def push(
    names: Annotated[list[str], Argument(metavar="NAME...", help="Models to push; names have the registry.")],
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
    config = load_project().config
    wanted = [*map(ModelName.parse, names_of(names, host, store))]
    with open_store(host, store, use=Use.CHANGE) as opened, open_registry(config) as registry:

        def act(name: ModelName) -> dict[str, Any]:
            def push_one(agreed: bool) -> Pushed:  # noqa: FBT001  # as `with_consent` calls it
                with progress(f"pushing {name}", current.get()) as events:
                    return push_model(str(name), opened, registry, events, replace=agreed)

            done = with_consent(push_one, replace=replace, as_json=as_json)
            if not as_json:
                print_received(done.name, done.digest, done.previous, current.get())
            return {"name": str(done.name), "digest": done.digest, "previous": done.previous}

        transfer_models(wanted, act, config, "push", as_json=as_json)
