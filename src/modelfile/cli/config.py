"""`mf config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelfile.cli.options import load_project
from modelfile.cli.parameters import AsJson, ConfigFile, Isolated
from modelfile.linter.settings import resolve_settings
from modelfile.project.config import KEYS, ProjectModel
from modelfile.report.json_output import dumps, print_json
from modelfile.report.terminal import current


def config(
    *,
    file: ConfigFile = None,
    isolated: Isolated = False,
    as_json: AsJson = False,
) -> None:
    """Print the settings, the configuration file, and the number of rules in force.

    With --json: {"file", "settings": {key: {"value", "default"}}, "rules": [name, ...]}.
    """
    terminal = current.get()
    lint_settings = resolve_settings(load_project(file, isolated=isolated))
    found = lint_settings.config
    values = {key: _plain(getattr(found, name)) for key, name in KEYS.items()}
    if as_json:
        settings = {
            key: {"value": value, "default": KEYS[key] not in found.fields_set} for key, value in values.items()
        }
        rules = [rule.name for rule in lint_settings.rules]
        print_json({"file": found.file and str(found.file), "settings": settings, "rules": rules}, terminal)
        return
    terminal.print(f"# {found.file or 'no configuration file, only defaults'}")
    for key, value in values.items():
        line = f"# {key} is not set" if value is None else f"{key} = {_as_toml(value)}"
        terminal.print(line if KEYS[key] in found.fields_set or value is None else f"{line}  # default")
    terminal.print(f"# in {Path.cwd()}, {len(lint_settings.rules)} rules are in force")


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{dumps(key)} = {_as_toml(item)}' for key, item in value.items())}}}"
    return dumps(value, one_line=True)


def _plain(value: Any) -> Any:
    """Return a value as written in the file."""
    match value:
        case (ProjectModel(), *_):
            return {model.table.partition(".")[2]: _table(model) for model in value}
        case _:
            return value


def _table(model: ProjectModel) -> dict[str, str]:
    quantize = {"quantize": model.quantize} if model.quantize else {}
    return {"modelfile": str(model.modelfile), "tag": model.name.tag, **quantize}
