"""`mf config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from modelfile.linter.settings import settings
from modelfile.project.config import KEYS, ProjectModel


def config(
    *,
    file: Annotated[str | None, typer.Option("--config", metavar="FILE", help="Read this configuration.")] = None,
    isolated: Annotated[bool, typer.Option("--isolated", help="Read no configuration.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Print what is configured here, where that was read, and which of it is the default."""
    force = settings(file=file, isolated=isolated)
    found = force.config
    values = {key: _plain(getattr(found, name)) for key, name in KEYS.items()}
    if as_json:
        told = {key: {"value": value, "default": KEYS[key] not in found.given} for key, value in values.items()}
        rules = [rule.name for rule in force.rules]
        said = {"file": found.file and str(found.file), "settings": told, "rules": rules}
        typer.echo(json.dumps(said, indent=2, ensure_ascii=False))
        return
    typer.echo(f"# {found.file or 'no configuration file: the defaults'}")
    for key, value in values.items():
        line = f"# {key} is not set" if value is None else f"{key} = {_as_toml(value)}"
        typer.echo(line if KEYS[key] in found.given or value is None else f"{line}  # default")
    typer.echo(f"# in {Path.cwd()}, {len(force.rules)} rules are in force")


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {_as_toml(item)}' for key, item in value.items())}}}"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """As it stands in the file."""
    match value:
        case (ProjectModel(), *_):
            return {str(model.name).rpartition(":")[0]: _table(model) for model in value}
        case _:
            return value


def _table(model: ProjectModel) -> dict[str, str]:
    quantize = {"quantize": model.quantize} if model.quantize else {}
    return {"modelfile": str(model.modelfile), "tag": model.name.tag, **quantize}
