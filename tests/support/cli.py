"""Run `mf` in this process."""

import contextlib
import io
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelfile.__main__ import main


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class _Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


def mf(
    *arguments: str, cwd: Path | None = None, stdin: bytes = b"", terminal: bool = False, together: bool = False
) -> Ran:
    """Run `mf` with these arguments, neither output a terminal, the input one if `terminal`.

    `together` puts what goes to either output into `out`.
    """
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)
    err = out if together else io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="", write_through=True)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", ["mf", *arguments])
        patch.setattr(sys, "stdin", io.TextIOWrapper((_Terminal if terminal else io.BytesIO)(stdin)))
        if cwd is not None:
            patch.chdir(cwd)
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        else:
            code = 0
    return Ran(int(code or 0), _text(out), "" if together else _text(err))


def _text(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()
