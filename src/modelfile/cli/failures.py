"""The error boundary: each exception that leaves a command becomes a message, a hint and an exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from modelfile.errors import ExitCode, ModelfileError, reason_of
from modelfile.immutable import record
from modelfile.report.terminal import ReaderGone, Terminal

ISSUES: Final = "https://github.com/modelfile/modelfile/issues"
_BROKEN: Final = "is modelfile installed whole? MF_DEBUG=1 prints the traceback"


@record(kw_only=True)
class Failure:
    """A failed command: what to print, and how to exit."""

    message: str
    hint: str | None
    kind: str
    """The `code` of the error in JSON."""
    code: int
    """The exit code."""
    details: tuple[str, ...] = ()


def guard(command: Callable[[], int], terminal: Terminal, is_json: Callable[[], bool]) -> int:
    """Run a command and report whatever it raises; return the exit code.

    Args:
        command: The command; returns its exit code.
        terminal: Prints the error on standard error.
        is_json: Returns whether to print it as JSON on standard output, too.
    """
    code = ExitCode.CLEAN.value
    try:
        try:
            code = command()
        except ReaderGone:
            raise
        except BaseException as raised:  # noqa: BLE001  # the one error boundary; panics of Rust are no Exception
            error = _interrupt_in(raised) or raised
            code = ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else code
            code = _report(error, terminal, is_json)
        terminal.stdout.flush()
    except ReaderGone:
        return ExitCode.READER_GONE
    except KeyboardInterrupt:
        if code != ExitCode.INTERRUPTED:  # otherwise this is the second
            terminal.print_error("interrupted", None)
        return ExitCode.INTERRUPTED
    except BaseException as error:  # noqa: BLE001  # the report itself failed
        terminal.stderr.write(f"error: internal error: {type(error).__name__} while an error was reported\n")
        return ExitCode.INTERNAL
    if terminal.stdout.failure is None:
        return code
    is_complete = code in (ExitCode.CLEAN, ExitCode.FINDINGS)
    hint = "the command was completed; only its output is incomplete" if is_complete else None
    terminal.print_error(f"cannot write to standard output: {reason_of(terminal.stdout.failure)}", hint)
    return ExitCode.FAILED if is_complete else code


def _interrupt_in(error: BaseException) -> KeyboardInterrupt | None:
    """Return the Ctrl-C that caused an exception: Python 3.11 wraps one that comes while it makes a class."""
    cause: BaseException | None = error
    while cause:
        if isinstance(cause, KeyboardInterrupt):
            return cause
        cause = cause.__cause__
    return None


def _report(error: BaseException, terminal: Terminal, is_json: Callable[[], bool]) -> int:
    if isinstance(error, SystemExit):  # a command that exits with a code
        return error.code if isinstance(error.code, int) else ExitCode(error.code is not None)
    failure = describe(error, terminal)
    terminal.print_error(failure.message, failure.hint, failure.details)
    if is_json():
        from modelfile.report.json_output import failure_as_json, print_json

        message = "\n  ".join((failure.message, *failure.details))
        print_json(failure_as_json(message, failure.hint and terminal.complete(failure.hint), failure.kind), terminal)
    return failure.code


def describe(error: BaseException, terminal: Terminal) -> Failure:
    """Return how to report an exception; save the traceback of an unforeseen one."""
    match error:
        case ModelfileError(message=message, hint=hint, code=kind, exit_code=code, details=details):
            return Failure(message=message, hint=hint, kind=kind, code=code, details=details)
        case KeyboardInterrupt():
            hint = str(error) or None
            return Failure(message="interrupted", hint=hint, kind="interrupted", code=ExitCode.INTERRUPTED)
        case OSError():
            what = f" `{error.filename}`" if error.filename else ""
            message = f"cannot read or write{what}: {reason_of(error)}"
            return Failure(message=message, hint=None, kind="system-error", code=ExitCode.FAILED)
        case _:
            is_broken = isinstance(error, ModuleNotFoundError) and terminal.environ.get("MF_DEBUG") != "1"
            hint = _BROKEN if is_broken else _save_traceback(error, terminal)
            message = _without_secrets(f"internal error: {type(error).__name__}: {error}", terminal)
            return Failure(message=message, hint=hint, kind="internal-error", code=ExitCode.INTERNAL)


def _save_traceback(error: BaseException, terminal: Terminal) -> str:
    """Write a traceback to a file, or with MF_DEBUG=1 to standard error; return how to report the error."""
    import traceback
    from importlib.metadata import version
    from platform import platform, python_version
    from tempfile import NamedTemporaryFile

    versions = f"mf {version('modelfile')}, Python {python_version()}, {platform()}\n"
    text = _without_secrets("".join(traceback.format_exception(error)) + versions, terminal)
    if terminal.environ.get("MF_DEBUG") == "1":
        terminal.print_lines(text, err=True)
        return f"report it with this traceback at {ISSUES}"
    try:
        with NamedTemporaryFile(
            "w", prefix="mf-", suffix=".txt", encoding="utf-8", errors="backslashreplace", delete=False
        ) as file:
            file.write(text)
    except OSError:
        return f"run it again with MF_DEBUG=1, and report the traceback at {ISSUES}"
    return f"report it at {ISSUES} with the traceback in `{file.name}`"


def _without_secrets(text: str, terminal: Terminal) -> str:
    """Return a text to be reported without the key of the server and the secrets of Modelfiles."""
    from modelfile.redaction import redact

    key = terminal.environ.get("OLLAMA_API_KEY", "")
    return redact(text.replace(key, "[redacted]") if key else text)
