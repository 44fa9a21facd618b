"""Run `mf` in this process."""

import contextlib
import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelfile.cli.app import main
from modelfile.cli.locations import OpenStore
from modelfile.cli.options import OpenRegistry
from modelfile.events import Clock
from modelfile.stores.memory import MemoryRegistry


@dataclass(frozen=True, slots=True)
class Ran:
    """The exit code and the output of a command."""

    code: int
    out: str
    err: str


class StoppedClock(Clock):
    """A clock that stands still, so that no progress is shown."""

    def monotonic(self) -> float:
        """Return the same time always."""
        return 0.0


class _TerminalInput(io.BytesIO):
    def isatty(self) -> bool:
        return True


def mf(  # noqa: PLR0913  # what a run of a program depends on
    *arguments: str,
    cwd: Path | None = None,
    stdin: bytes = b"",
    terminal: bool = False,
    together: bool = False,
    environ: Mapping[str, str] | None = None,
    open_store: "OpenStore | None" = None,
    open_registry: "OpenRegistry | None" = None,
    clock: Clock | None = None,
) -> Ran:
    """Run `mf` with these arguments; the outputs are no terminal, and the input is one if `terminal`.

    `together` puts what goes to either output into `out`; `environ` is added to the environment of the tests; the
    registries have no models unless `open_registry` opens others.
    """
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True) for _ in range(2))
    with contextlib.chdir(cwd or Path()):
        code = main(
            arguments,
            io.TextIOWrapper((_TerminalInput if terminal else io.BytesIO)(stdin)),
            out,
            out if together else err,
            {**os.environ, "MF_DEBUG": "1", **(environ or {})},
            open_store=open_store,
            open_registry=open_registry or (lambda _: contextlib.nullcontext(MemoryRegistry())),
            clock=clock or StoppedClock(),
        )
    return Ran(int(code), _text(out), _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
