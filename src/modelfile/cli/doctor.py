"""`mf doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from modelfile.cli.options import load_project, open_store
from modelfile.cli.parameters import AsJson, ConfigFile, Host, Isolated
from modelfile.errors import ExitCode
from modelfile.health import REGISTRY, Status, diagnose
from modelfile.report.health import print_checks
from modelfile.report.json_output import checks_as_json, print_json
from modelfile.report.terminal import current


def doctor(
    host: Host = None,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Do not connect to registry.ollama.ai.")] = False,
    config: ConfigFile = None,
    isolated: Isolated = False,
    as_json: AsJson = False,
) -> None:
    """Examine this machine, the server and the project: what may hinder mf, and what to do about it.

    It connects to the server and, without --offline, to registry.ollama.ai; keys are not printed. Exits with 1 if there
    are warnings, and with 3 if there are errors.

    With --json: {"checks": [{"name", "status", "message", "help"}, ...]}, where status is ok, skipped, warning or
    error, and help may be null.
    """
    terminal = current.get()
    project = load_project(config, isolated=isolated)
    registry = None if offline else REGISTRY
    checks = diagnose(project, lambda: open_store(host), terminal.environ, registry=registry)
    if as_json:
        made = [*checks]
        print_json(checks_as_json(made), terminal)
    else:
        made = print_checks(checks, terminal)
    statuses = {check.status for check in made}
    if Status.ERROR in statuses:
        raise typer.Exit(ExitCode.FAILED)
    if Status.WARNING in statuses:
        raise typer.Exit(ExitCode.FINDINGS)
