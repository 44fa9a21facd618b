"""The program: `mf`, `modelfile` and `python -m modelfile`."""

import gc
import sys


def main() -> None:
    """Run the command line; an interruption is no error, not even while it is still being imported."""
    try:
        from modelfile.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        gc.freeze()  # or Python's last collection walks all that was imported: a tenth of a short command's time


if __name__ == "__main__":
    main()
