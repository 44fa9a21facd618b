"""`mf build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.checked import check_buildable
from modelfile.cli.locks import find_pin
from modelfile.cli.server import Host, open_store
from modelfile.errors import UsageError
from modelfile.lock.find import find_lock
from modelfile.names import ModelName
from modelfile.report.text import print_warning
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.lock.schema import Pin


def build(
    name: Annotated[str, typer.Argument(metavar="NAME:TAG", help="The model to make.")],
    file: Annotated[str, typer.Option("--file", "-f", help="The Modelfile.")] = "Modelfile",
    host: Host = None,
    *,
    latest: Annotated[bool, typer.Option("--latest", help="Allow a NAME without a tag: `latest` is meant.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was made as JSON.")] = False,
) -> None:
    """Build a model from a Modelfile on an Ollama server, and check what the server made of it."""
    model = ModelName.parse(name)
    if not model.tagged and not latest:
        hint = f"write {name}:v1, or --latest if `latest` is meant: it changes for everybody who calls {name}"
        raise UsageError(f"`{name}` has no tag", hint=hint)
    checked = check_buildable(file)
    from modelfile.build.execute import Pinned
    from modelfile.build.execute import build as build_model
    from modelfile.report.progress import progress
    from modelfile.semantics.fingerprint import fingerprint
    from modelfile.semantics.resolve import resolve

    recipe = resolve(checked.modelfile, Path(file).parent)
    pin = find_pin(Path(file))
    unchanged = pin is not None and _as_pinned(checked.modelfile, Path(file), pin)
    pinned = Pinned()
    if pin and pin.base and recipe.base and ModelName.parse(pin.base.name).same_as(ModelName.parse(recipe.base)):
        pinned = Pinned(base=pin.base.fingerprint, model=pin.fingerprint if unchanged else None)
    with open_store(host) as store, progress(f"building {model}") as listen:
        made = build_model(model, recipe, store, listen, pinned)
        server = store.version()
    if pin and pin.base is None and unchanged and pin.fingerprint != fingerprint(made.model):
        print_warning(f"Ollama {server} makes something else of these weights than the {pin.ollama} that was pinned")
    if as_json:
        answer = {"name": str(model), "fingerprint": fingerprint(made.model), "digest": made.digest, "ollama": server}
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(f"{model}\n  fingerprint  {fingerprint(made.model)}\n  digest       {made.digest}")


def _as_pinned(modelfile: Modelfile, path: Path, pin: Pin) -> bool:
    """Whether a Modelfile and its files are as the lock has them."""
    from modelfile.lock.resolve import Entry
    from modelfile.lock.schema import Lock
    from modelfile.lock.verify import drift_of_files

    lock = find_lock(path.parent)
    if lock is None:
        return False
    entry = Entry(root=lock.parent, path=path, modelfile=modelfile)
    return not any(drift_of_files(entry, Lock(modelfiles={entry.key: pin})))
