"""`mf doctor`."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

from modelfile.cli.locations import location_of, open_at
from modelfile.cli.options import load_project
from modelfile.cli.parameters import AsJson, ConfigFile, Host, Isolated, Option, StoreFolder
from modelfile.errors import ExitCode, ModelfileError
from modelfile.health import REGISTRY, Status, diagnose
from modelfile.project.config import Config
from modelfile.report.health import print_checks
from modelfile.report.json_output import checks_as_json, print_json
from modelfile.report.terminal import current


def doctor(
    host: Host = None,
    store: StoreFolder = None,
    *,
    offline: Annotated[bool, Option("--offline", help="Do not connect to registry.ollama.ai.")] = False,
    config: ConfigFile = None,
    isolated: Isolated = False,
    as_json: AsJson = False,
) -> None:
    """Examine this machine, the server or folder, and the project: what may hinder mf, and what to do about it.

    It connects to the server, unless a folder is used instead, and, without --offline, to registry.ollama.ai; keys are
    not printed. Exits with 1 if there are warnings, and with 3 if there are errors.

    With --json: {"checks": [{"name", "status", "message", "help"}, ...]}, where status is ok, skipped, warning or
    error, and help may be null.
    """
    terminal = current.get()
    project = load_project(config, isolated=isolated)
    registry, settings = None if offline else REGISTRY, Config()
    with suppress(ModelfileError):  # which the check of the configuration reports
        settings = project.config
    location = location_of(host, store, settings)
    checks = diagnose(
        project,
        lambda: open_at(location),
        terminal.environ,
        registry=registry,
        folder=location if isinstance(location, Path) else None,
    )
    if as_json:
        made = [*checks]
        print_json(checks_as_json(made), terminal)
    else:
        made = print_checks(checks, terminal)
    statuses = {check.status for check in made}
    if Status.ERROR in statuses:
        raise SystemExit(ExitCode.FAILED)
    if Status.WARNING in statuses:
        raise SystemExit(ExitCode.FINDINGS)
