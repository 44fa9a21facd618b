"""`mf build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from modelfile.cli.checked import check
from modelfile.cli.locks import find_pin
from modelfile.cli.server import Host, open_store
from modelfile.diagnostics import Severity
from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.report.text import print_findings


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
    checked = check(file)
    worth_a_look = tuple(found for found in checked.diagnostics if found.severity is not Severity.INFO)
    if worth_a_look:
        print_findings([(checked.modelfile.source, worth_a_look)], to_stderr=True)
    if checked.refused:
        raise typer.Exit(1)
    from modelfile.build.execute import build as build_model
    from modelfile.report.progress import progress
    from modelfile.semantics.fingerprint import fingerprint
    from modelfile.semantics.resolve import resolve

    recipe = resolve(checked.modelfile, Path(file).parent)
    pin = find_pin(Path(file))
    pinned = pin.base.fingerprint if pin and pin.base and pin.base.written == recipe.base else None
    with open_store(host) as store, progress(f"building {model}") as listen:
        made = build_model(model, recipe, store, listen, pinned=pinned)
        server = store.version()
    if as_json:
        answer = {"name": str(model), "fingerprint": fingerprint(made.model), "digest": made.digest, "ollama": server}
        typer.echo(json.dumps(answer, indent=2))
    else:
        typer.echo(f"{model}\n  fingerprint  {fingerprint(made.model)}\n  digest       {made.digest}")
