"""`mf show --layers` and `--raw`: the manifest of a model in a registry or a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelfile.cli.locations import Location, Use, folder_of, location_of, open_folder
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.show.sources import Options
from modelfile.errors import NotFound, UsageError
from modelfile.library.lookup import find_named
from modelfile.names import Prefix, split_prefix
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:  # only types
    from modelfile.manifest import Manifest
    from modelfile.names import ModelName


def show_manifest(name: str, options: Options, *, raw: bool, as_json: bool) -> None:
    """Print the layers of a model in a registry or a folder, or its manifest as it is."""
    from modelfile.report.json_output import manifest_as_json
    from modelfile.report.models import print_layers

    shown, manifest, kind, location = _manifest_of(name, options, "raw" if raw else "layers")
    if raw:
        current.get().write_content(manifest.text)
    elif as_json:
        print_json(manifest_as_json(shown, manifest, kind, location), current.get())
    else:
        print_layers(shown, manifest, kind, location, current.get())


def _manifest_of(name: str, options: Options, option: str) -> tuple[ModelName, Manifest, str, str]:
    """Return the name of a model, its manifest, and the kind and the location of what has it.

    Raises:
        UsageError: It is neither in a registry nor in a folder: a server does not give out manifests.
    """
    from modelfile.library.published import resolve_published
    from modelfile.names import ModelName

    prefix, rest = split_prefix(name)
    if prefix is Prefix.REGISTRY:
        parsed = ModelName.parse(rest)
        with open_registry(load_project().config) as registry:
            return parsed, resolve_published(parsed, registry), "registry", registry.url(parsed)
    if prefix is Prefix.STORE:
        location: Location | None = folder_of(options[1], Use.READ)
    else:
        location = location_of(*options) if prefix in (None, Prefix.MODEL) else None
    if not isinstance(location, Path):
        hint = f"write `registry:{rest}`, or name a folder with --store" if location else "write `registry:NAME`"
        raise UsageError(f"--{option} needs a model in a registry or a folder", hint=hint)
    with open_folder(location, use=Use.READ) as store:
        found = find_named(rest, store.list(), store)
        if manifest := store.manifest(found.name):
            return found.name, manifest, "store", str(store.location)
        raise NotFound(f"{found.name} not found {store.location.where}")
