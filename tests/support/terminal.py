"""A terminal for programs that are run in tests, and the text on its screen."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

_PIECE = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|[\r\n]|[^\x1b\r\n]+")


def mf_on_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """Run `mf` on a terminal of 100 columns; return its exit code and its output."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "modelfile", *arguments]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(command, cwd=cwd, env=environment, stdin=theirs, stdout=theirs, stderr=theirs) as running:
        os.close(theirs)
        written = b""
        while piece := _read(ours):
            written += piece
    os.close(ours)
    return running.returncode, written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1 << 16)
    except OSError:  # nobody has it open any more
        return b""


def screen(written: str) -> list[str]:
    """Return the lines that a terminal shows, without trailing spaces."""
    lines, row, column = [""], 0, 0
    for match in _PIECE.finditer(written):
        match match[0], match[2]:
            case "\r", _:
                column = 0
            case "\n", _:
                row += 1
                lines += [""] * (row == len(lines))
            case _, "A":
                row -= int(match[1] or 1)
            case _, "K":
                lines[row] = "" if match[1] == "2" else lines[row][:column]
            case _, str():
                pass  # colors, and hiding the cursor
            case text, _:
                lines[row] = f"{lines[row]:<{column}}"[:column] + text + lines[row][column + len(text) :]
                column += len(text)
    return [line.rstrip() for line in lines]
