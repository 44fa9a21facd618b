"""The program: `mf`, `modelfile` and `python -m modelfile`."""

import atexit
import gc
import os
import sys
from importlib import import_module
from pathlib import Path

from modelfile.errors import ExitCode


def main() -> None:
    """Run the command line on the streams of this process, and exit as it says."""
    try:
        if "modelfile.cli.app" not in sys.modules:
            _import()
        from modelfile.cli.app import main as run

        _prepare_streams()
        code = run(_arguments(), sys.stdin, sys.stdout, sys.stderr, os.environ)
    except KeyboardInterrupt:  # it may come while the program is still being imported
        code = ExitCode.INTERRUPTED
    _drop_unwritten()
    sys.exit(code)


def _import() -> None:
    """Import the program without a look for garbage: what is imported stays. A sixth of the time that a lint takes."""
    atexit.register(gc.freeze)
    gc.disable()
    try:
        import_module("modelfile.cli.app")
    finally:
        gc.freeze()
        gc.enable()


def _arguments() -> list[str]:
    """Return the arguments, with wildcards expanded on Windows, where shells leave that to the program."""
    if os.name != "nt":
        return sys.argv[1:]
    from glob import glob

    return [path for word in sys.argv[1:] for path in (glob(word, recursive=True) or [word])]  # noqa: PTH207  # as written


def _prepare_streams() -> None:
    """Open what is closed (`>&-`), so that no file opened gets its number; spell out what cannot be encoded."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # open to the end
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
    main()
