"""`mf config`."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import typer

from modelfile.cli.settings import settings


def config() -> None:
    """Print what is configured here, and where that was read."""
    found = settings().config
    values = {item.name.replace("_", "-"): getattr(found, item.name) for item in fields(found) if item.name != "file"}
    typer.echo(f"# {found.file or 'no configuration file: the defaults'}")
    for key, value in values.items():
        typer.echo(f"{key} = {json.dumps(value, default=str)}")
    typer.echo(f"# in {Path.cwd()}, {len(settings().rules)} rules are in force")
