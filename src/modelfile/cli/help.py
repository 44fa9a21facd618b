"""Help texts: options and commands in panels, each described in full."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from modelfile.report.terminal import Terminal

GROUPS: Final = {
    "Modelfiles": ("init", "check", "lint", "fmt", "parse", "explain"),
    "Builds": ("build", "pin", "outdated", "update", "verify", "find", "diff"),
    "Models in a store": ("show", "tree", "ls", "cp", "rm", "pull", "push", "rollback", "store"),
    "Set-up": ("config", "git", "doctor"),
}
"""The commands by the heading that they stand under."""

_COLUMN: Final = 28
"""Longest name, in characters, that its description stands beside."""
_ARGUMENTS: Final = "Arguments"
_OPTIONS: Final = "Options"
_PANELS: Final = {
    "Rules": ("select", "ignore", "extend_select", "ollama"),
    "Fixes": ("fix", "unsafe_fixes", "diff", "add_ignore"),
    "Output": ("output_format", "output_file", "statistics", "verbose", "fail_level", "exit_zero"),
    "Files": ("force_exclude", "stdin_filename"),
    "Plans": ("dry_run", "exit_code", "plan_out", "plan"),
    "Server or folder": ("host", "store", "timeout", "idle_timeout", "insecure"),
    "Common options": ("config", "isolated", "as_json", "color", "quiet", "help"),
}
"""Options by the heading that they stand under, in a command that has several of them; the others are _OPTIONS."""


class PanelHelp:
    """A mixin for commands and groups of typer that writes help without rich, and shortens no description."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options in panels."""
        parameters = [(each, each.get_help_record(ctx)) for each in self.get_params(ctx)]  # type: ignore[attr-defined]  # typer's class has them
        names = {each.name for each, _ in parameters}
        panels: dict[str, list[tuple[str, str]]] = {title: [] for title in (_ARGUMENTS, _OPTIONS, *_PANELS)}
        for parameter, record in parameters:
            if record is not None:
                panels[_panel_of(parameter, names)].append(record)
        _write(panels.items(), formatter)
        if hasattr(self, "list_commands"):
            self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each group of commands with the first line of their help."""
        helps = {name: self.get_command(ctx, name).help.partition("\n")[0] for name in self.list_commands(ctx)}  # type: ignore[attr-defined]  # the same
        groups = self.headings.items()  # type: ignore[attr-defined]  # the same
        _write(((title, [(name, helps[name]) for name in names]) for title, names in groups), formatter)


def _panel_of(parameter: Any, names: set[str]) -> str:
    if parameter.param_type_name == "argument":
        return _ARGUMENTS
    for title, panel in _PANELS.items():
        if parameter.name in panel and len(names.intersection(panel)) > 1:
            return title
    return _OPTIONS


def _write(panels: Iterable[tuple[str, list[tuple[str, str]]]], formatter: Any) -> None:
    """Write panels with their second columns aligned."""
    panels = [(title, rows) for title, rows in panels if rows]
    width = min(max(len(name) for _, rows in panels for name, _ in rows), _COLUMN)
    for title, rows in panels:
        with formatter.section(title):
            formatter.write_dl([(f"{name:{width}}", text) for name, text in rows], col_max=_COLUMN)


def print_help(text: str, terminal: Terminal, *, err: bool = False) -> None:
    """Print a help text, with its headings in bold."""
    for line in text.removesuffix("\n").split("\n"):
        is_heading = line.endswith(":") and not line.startswith(" ")
        terminal.write([(line, "bold" if is_heading else "")], err=err)
