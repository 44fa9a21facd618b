"""The program: `mf`, `modelfile` and `python -m modelfile`."""

import atexit
import gc
import sys
from importlib import import_module


def main() -> None:
    """Run the command line; an interruption is no error, not even while it is still being imported."""
    try:
        if "modelfile.cli.app" not in sys.modules:
            _import()
        from modelfile.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


def _import() -> None:
    """Import the program without a look for garbage: what is imported stays. A sixth of the time that a lint takes."""
    atexit.register(gc.freeze)
    gc.disable()
    try:
        import_module("modelfile.cli.app")
    finally:
        gc.freeze()
        gc.enable()


if __name__ == "__main__":
    main()
