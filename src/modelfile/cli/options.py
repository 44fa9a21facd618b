"""The project and the registries that the options of a command select, and questions to the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from modelfile.errors import ExitCode, ModelfileError, ServerUnreachable, UsageError, WouldReplace, not_allowed
from modelfile.report.terminal import Terminal, current

if TYPE_CHECKING:  # 20 ms that commands on stored models do not need
    from modelfile.catalog.versions import Version
    from modelfile.diagnostics import Diagnostic
    from modelfile.names import ModelName
    from modelfile.project.config import Config
    from modelfile.project.project import Project
    from modelfile.project.target import Target
    from modelfile.stores.network.deadline import Timeouts
    from modelfile.stores.protocol import Registry, RegistrySettings

_Result = TypeVar("_Result")

_LONG_WAIT: Final = 2.0
"""Length of waits from which on they are reported, in seconds."""

OpenRegistry: TypeAlias = "Callable[[RegistrySettings], AbstractContextManager[Registry]]"
"""Function that opens the registries that settings allow."""


def timeouts() -> Timeouts | None:
    """Return the timeouts of this run, if options set any."""
    if not limits.get():
        return None
    from modelfile.stores.network.deadline import Timeouts

    return Timeouts(**limits.get())


insecure: Final[ContextVar[bool]] = ContextVar("insecure", default=False)
"""True after --insecure: every registry is asked over plain http."""

limits: Final[ContextVar[Mapping[str, float]]] = ContextVar("limits", default={})  # noqa: B039  # never changed
"""The `Timeouts` of this run that --timeout and --idle-timeout set, in seconds."""
registry_opener: Final[ContextVar[OpenRegistry | None]] = ContextVar("registry_opener", default=None)
"""Function that opens registries in this run, if `modelfile.cli.app.main` has set one; default: over HTTP."""


def load_project(
    config: str | None = None,
    *,
    isolated: bool | None = None,
    force_exclude: bool = False,
    stdin_filename: str | None = None,
) -> Project:
    """Return the project of the current folder, without reading anything yet."""
    from modelfile.project.project import Project

    terminal, path = current.get(), Path(config) if config is not None else None
    return Project(
        config=path,
        isolated=isolated,
        force_exclude=force_exclude or None,
        stdin=terminal.stdin.buffer,
        stdin_filename=stdin_filename,
        warn=terminal.print_warning,
    )


def paths_or_stdin(paths: list[str] | None, stdin_filename: str | None) -> list[str]:
    """Return the paths to work on: standard input if its file name is given, otherwise by default this folder.

    Raises:
        UsageError: A file name for standard input is given, and other paths.
    """
    from modelfile.project.discovery import STDIN, is_stream

    if stdin_filename is None:
        return paths or ["."]
    if paths not in (None, [], [STDIN]):
        raise UsageError("--stdin-filename can be used with standard input only", hint="leave out the paths, or pass -")
    if not stdin_filename or is_stream(stdin_filename):
        raise UsageError(f"invalid file name for standard input: `{stdin_filename}`", hint="write the path of a file")
    return [STDIN]


def open_registry(config: Config) -> AbstractContextManager[Registry]:
    """Open the registries as a configuration has it; no request is sent yet."""
    return (registry_opener.get() or _open_registries)(registry_settings(config))


def registry_settings(config: Config) -> RegistrySettings:
    """Return the settings for registries of a configuration and of this run."""
    from modelfile.stores.protocol import RegistrySettings

    return RegistrySettings(
        allowed=config.registries,
        mirrors=config.mirrors,
        insecure=config.insecure_registries,
        all_insecure=insecure.get(),
    )


def _open_registries(settings: RegistrySettings) -> AbstractContextManager[Registry]:
    from modelfile.stores.network.retry import Backoff
    from modelfile.stores.open import open_registry

    terminal = current.get()
    backoff = Backoff(on_wait=_WaitNotes(terminal).note)
    return open_registry(settings, environ=terminal.environ, backoff=backoff, timeouts=timeouts())


class _WaitNotes:
    """Notes on long waits for registries: one for all threads that wait for the same host."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lock = Lock()
        self._until: dict[str, float] = {}
        """When the next try is made, by host."""

    def note(self, host: str, seconds: float) -> None:
        """Print that a host is asked again after some seconds, unless that has been printed, or is soon."""
        until = self._terminal.clock.monotonic() + seconds
        with self._lock:
            if seconds < _LONG_WAIT or until < self._until.get(host, 0.0) + _LONG_WAIT:
                return
            self._until[host] = until
        self._terminal.print_note(f"{host} is busy or fails: the next try is in {seconds:.0f} s")


def with_consent(act: Callable[[bool], _Result], *, replace: bool, as_json: bool) -> _Result:
    """Do what may replace another model, with `replace` or else only after a question on the terminal.

    Args:
        act: Does it; its argument is whether to replace another model. It raises WouldReplace if not.
        replace: Whether the user has agreed already.
        as_json: Whether a program reads the output, so that nothing is asked.

    Raises:
        WouldReplace: Nobody can be asked, or the answer is no.
    """
    try:
        return act(replace)
    except WouldReplace as error:
        if not agree([error], as_json=as_json):
            raise
        return act(True)  # noqa: FBT003  # its only argument


def agree(errors: Sequence[WouldReplace], *, as_json: bool) -> bool:
    """Return whether the user agrees to replace models; without a terminal, nobody is asked."""
    terminal = current.get()
    if as_json or not terminal.stdin.isatty():
        return False
    for error in errors:
        for line in (error.message, *(f"  {detail}" for detail in error.details)):
            terminal.print(line, err=True)
    return terminal.confirm(f"replace {'it' if len(errors) == 1 else 'them'}?")


def transfer_models(
    names: Iterable[ModelName], act: Callable[[ModelName], dict[str, Any]], config: Config, task: str, *, as_json: bool
) -> None:
    """Pull or push models, each once; if one fails, its error is printed, and the others still follow.

    Args:
        names: The models.
        act: Transfers one, and returns what is printed of it with --json.
        config: The configuration, which may not allow a registry.
        task: `pull` or `push`.
        as_json: Whether to print the results as JSON.

    Raises:
        ServerUnreachable: The server does not answer for the first model.
        SystemExit: One failed.
    """
    from modelfile.report.json_output import error_as_json, print_json

    terminal, answers = current.get(), list[dict[str, Any]]()
    for name in dict.fromkeys(names):
        try:
            if not config.allows(name):
                raise not_allowed(f"cannot {task} {name}", name.host, UsageError)
            answers.append(act(name))
        except ModelfileError as error:
            if isinstance(error, ServerUnreachable) and not answers:
                raise  # the others would fail alike
            terminal.print_error(error.message, error.hint, error.details)
            answers.append({"name": str(name), **error_as_json(error)})
    if as_json:
        print_json(answers, terminal)
    if any("error" in answer for answer in answers):
        raise SystemExit(ExitCode.FAILED)


def print_for_build(target: Target, found: tuple[Diagnostic, ...]) -> None:
    """Print the findings in a Modelfile that a command uses; with --quiet, only its errors."""
    from modelfile.diagnostics import Severity
    from modelfile.report.findings import print_findings

    terminal = current.get()
    printed = tuple(item for item in found if item.severity is Severity.ERROR or not terminal.quiet)
    print_findings([(target.source, printed)], terminal, err=True, summary=False)


def build_checker() -> Callable[[Target, Version | None], None]:
    """Return what rejects a Modelfile that a version of Ollama would reject, and prints each finding once."""
    from modelfile.linter.api import reject_errors
    from modelfile.linter.settings import settings_by_target

    settings_of, printed = settings_by_target(), set[tuple[Path, str, int, str]]()

    def print_new(target: Target, found: tuple[Diagnostic, ...]) -> None:
        """Print findings once, also if several servers have them."""
        keys = {(target.path, item.code, item.span.start, item.message): item for item in found}
        new = tuple(item for key, item in keys.items() if key not in printed)
        printed.update(keys)
        print_for_build(target, new)

    return lambda target, version: reject_errors(target, settings_of(target), print_new, version)
