"""The program: `mf`, `modelfile` and `python -P -m modelfile`.

SIGTERM and SIGHUP end it at once, as they end most programs: files are written whole or not at all, and the next build
prunes the staging tag.
"""

from __future__ import annotations

import os
import sys
from _signal import SIGINT, default_int_handler, getsignal, signal  # type: ignore[import-not-found]  # built in; the

# module `signal` takes 4 ms to import, in which Ctrl-C would print a traceback

TYPE_CHECKING = False  # for the same reason
if TYPE_CHECKING:
    from typing import Any

_INTERRUPTED = 130
"""`modelfile.errors.ExitCode.INTERRUPTED`, which is not imported yet."""

_GARBAGE = 50_000, 20, 50
"""Numbers of new objects, and of looks at them, after which garbage is looked for: half the time of a large file."""

_HOOK = 0.01
"""Time in which a hook for uncaught errors has returned, in seconds."""

_INTERNAL = 70
"""`modelfile.errors.ExitCode.INTERNAL`, likewise."""


def _stop(*_: object) -> None:
    """End the process at Ctrl-C: nothing that needs to be undone has begun."""
    _print_error("interrupted")
    os._exit(_INTERRUPTED)


def _leave(*_: object) -> None:
    """End the process at Ctrl-C: all is done, and it only waits to exit."""
    os._exit(_INTERRUPTED)


def _print_error(message: str) -> None:
    try:
        os.write(2, f"error: {message}\n".encode(errors="backslashreplace"))
    except OSError:  # standard error is closed
        return


_HANDLES = getsignal(SIGINT) is default_int_handler
"""False where Ctrl-C is ignored, as in the background of a shell."""
if _HANDLES:
    signal(SIGINT, _stop)


def main() -> None:
    """Run the command line on the streams of this process, and exit as it says."""
    try:
        if "modelfile.cli.app" not in sys.modules:
            _import()
        from modelfile.cli.app import main as run

        _prepare_streams()
        if os.environ.get("MF_DEBUG") != "1":
            _shorten_tracebacks()
        if _HANDLES:
            signal(SIGINT, default_int_handler)
        code = run(_arguments(), sys.stdin, sys.stdout, sys.stderr, os.environ)
    except KeyboardInterrupt:  # just before or after the run, which reports its own
        code = _INTERRUPTED
        _print_error("interrupted")
    except Exception as error:
        if os.environ.get("MF_DEBUG") == "1":
            raise
        code = _INTERNAL
        hint = "is modelfile installed whole? MF_DEBUG=1 prints the traceback"
        _print_error(f"internal error: {type(error).__name__}: {error}\nhelp: {hint}")
    if _HANDLES:
        signal(SIGINT, _leave)
    _drop_unwritten()
    sys.exit(code)


def _import() -> None:
    """Import the program without a look for garbage: what is imported stays. A sixth of the time that a lint takes."""
    import atexit
    import gc
    from importlib import import_module

    atexit.register(gc.freeze)
    gc.disable()
    try:
        import_module("modelfile.cli.app")
    finally:
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        gc.enable()


def _shorten_tracebacks() -> None:
    """Report an error in a thread, a destructor or at exit, which no code can catch, in one line."""
    import threading

    sys.unraisablehook = threading.excepthook = _report_uncaught


def _report_uncaught(uncaught: Any) -> None:
    from modelfile.characters import escape_controls
    from modelfile.redaction import redact

    if issubclass(uncaught.exc_type, KeyboardInterrupt):  # it must not be lost
        import _thread

        try:
            _thread.start_new_thread(_interrupt_soon, ())
        except RuntimeError:  # Python cleans up already
            return
    else:
        error = f"{uncaught.exc_type.__name__}: {uncaught.exc_value}"
        _print_error(f"internal error in the background: {redact(escape_controls(error))}")


def _interrupt_soon() -> None:
    """Interrupt the main thread, also in a wait, once it has left the hook, which would lose the interrupt again."""
    import _thread
    import threading
    import time

    time.sleep(_HOOK)
    if sys.platform == "win32":
        _thread.interrupt_main()
    elif main_thread := threading.main_thread().ident:
        from signal import pthread_kill

        pthread_kill(main_thread, SIGINT)


def _arguments() -> list[str]:
    """Return the arguments, with wildcards expanded on Windows, where shells leave that to the program."""
    if os.name != "nt":
        return sys.argv[1:]
    from glob import glob

    return [path for word in sys.argv[1:] for path in (glob(word, recursive=True) or [word])]  # noqa: PTH207  # as written


def _prepare_streams() -> None:
    """Open what is closed (`>&-`), so that no file opened gets its number; spell out what cannot be encoded.

    Standard output is opened for reading only, so that a command that prints to it fails, as if it were still closed.
    """
    for name, mode, access in (
        ("stdin", "r", os.O_RDONLY),
        ("stdout", "w", os.O_RDONLY),
        ("stderr", "w", os.O_WRONLY),
    ):
        if getattr(sys, name) is None:
            number = os.open(os.devnull, access)
            setattr(sys, name, open(number, mode, encoding="utf-8"))  # noqa: PTH123, SIM115  # open to the end
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # opened above


def _drop_unwritten() -> None:
    """Send what cannot be written nowhere, so that Python does not fail to write it at the end of the process."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


if __name__ == "__main__":
    if __spec__ and not sys.flags.safe_path:  # as of `python -m`
        del sys.path[0]  # the current folder, whose modules are those of a foreign repository
    main()
