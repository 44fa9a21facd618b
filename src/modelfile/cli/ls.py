"""`mf ls`."""

from __future__ import annotations

from typing import Annotated

from modelfile.cli.locations import Use, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.errors import UsageError
from modelfile.library.lookup import list_models
from modelfile.names import Prefix, split_prefix
from modelfile.report.json_output import listed_as_json, print_json
from modelfile.report.models import print_models
from modelfile.report.terminal import current


def ls(
    pattern: Annotated[
        str | None,
        Argument(metavar="PATTERN", help="'bot', 'bot:v*', '*llama*' or registry:NAME; default: all."),
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    internal: Annotated[bool, Option("--all", "-a", help="Also list backups and models that are being built.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the models of an Ollama server or a folder, the newest first, or the tags of a model in its registry.

    `mf ls registry:NAME` asks no server; some registries cannot list tags.

    With --json: a list of {"name", "digest", "size", "modified"}; of {"name"} for tags in a registry.
    """
    prefix, rest = split_prefix(pattern) if pattern else (None, None)
    if prefix is Prefix.REGISTRY and rest:
        _list_tags(rest, as_json=as_json)
        return
    if prefix in (Prefix.FILE, Prefix.LOCK):
        raise UsageError(f"`{pattern}` cannot be listed", hint="name models of the server, or `registry:NAME`")
    pattern = rest
    in_folder = prefix is Prefix.STORE
    with open_prefixed(store) if in_folder else open_store(host, store, use=Use.READ) as opened:
        listed = list_models(opened, pattern, internal=internal)
    if as_json:
        print_json([listed_as_json(model) for model in listed], current.get())
    elif listed:
        print_models(listed, current.get())
    else:
        current.get().print_note(
            f"no model {opened.location.where} matches `{pattern}`" if pattern else f"{opened.location} has no models"
        )


def _list_tags(name: str, *, as_json: bool) -> None:
    from modelfile.library.published import published_tags

    with open_registry(load_project().config) as registry:
        tags = published_tags(name, registry)
    if as_json:
        print_json([{"name": str(tag)} for tag in tags], current.get())
    for tag in () if as_json else tags:
        current.get().print(str(tag))
