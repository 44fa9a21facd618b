"""Commands that are killed or interrupted at a random moment, and the state that they may leave."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.support.cli import mf

from modelfile.cli.options import OpenRegistry
from modelfile.names import ModelName
from modelfile.stores.backups import is_internal
from modelfile.stores.staging import STAGING

SIGNAL_AT = """
import os, sys
at, number, seen = int(sys.argv.pop(1)), int(sys.argv.pop(1)), 0
CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.chmod", "os.mkdir", "os.utime", "os.truncate"}
CHANGES |= {"fcntl.ioctl", "fcntl.flock", "socket.connect"}
def count(event, arguments):
    global seen
    if event in CHANGES or event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        seen += 1
        if seen == at:
            os.kill(os.getpid(), number)
import modelfile.__main__
from modelfile.stores.network.sockets import BoundedSocket
send = BoundedSocket.sendall
def count_request(self, data):
    sys.audit("socket.connect")
    send(self, data)
BoundedSocket.sendall = count_request
os.write(1, b"!")
sys.addaudithook(count)
try:
    modelfile.__main__.main()
finally:
    os.write(2, b"%d changes\\n" % seen)
"""
"""Runs `mf`, and sends itself a signal just before the nth time that it changes a file or speaks to a server."""
_TEMPORARY = re.compile(r"\.mf-(?:\w{8}|\d{1,10}-[0-9a-f]{16})")
_RESOLVED = re.compile(rb'"resolved": "[\dTZ:-]{20}"')

Models = Mapping[str, str]
"""Digests by name."""


class Undisturbed(NamedTuple):
    """The result of a command that nothing disturbs."""

    files: Mapping[str, bytes]
    """The files that it leaves, by name."""
    models: Models
    """The models that it leaves."""
    changes: int
    """How often it changes a file or speaks to a server."""
    seconds: float
    """How long it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The files of a folder and the models of a server, which a command changes."""

    folder: Path
    files: Mapping[str, bytes]
    models: Callable[[], Models]
    """Returns the models of the server now."""
    reset: Callable[[], None]
    """Gives the server its first models again."""
    open_registry: OpenRegistry | None = None
    """Opens the registries of a command that is run again; default: they have no models."""
    done: dict[tuple[str, ...], Undisturbed] = field(default_factory=dict)
    """The results of commands that nothing disturbs."""
    ends: Counter[int] = field(default_factory=Counter)
    """How often each exit code was seen."""

    def restore(self) -> Models:
        """Return the models after the files and the models are as in the beginning."""
        for path in self.folder.iterdir():
            if path.name not in self.files and path.is_file():
                path.unlink()
        for name, content in self.files.items():
            (self.folder / name).write_bytes(content)
        self.reset()
        return self.models()

    def contents(self) -> dict[str, bytes]:
        """Return the files by name, without the times of pins."""
        files = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        return {name: _RESOLVED.sub(b"", content) for name, content in files.items()}

    def undisturbed(self, command: tuple[str, ...]) -> Undisturbed:
        """Return what a command does that nothing disturbs."""
        if command not in self.done:
            self.restore()
            began = time.monotonic()
            ran = run(command, signal.SIGINT, 0, self.folder)
            assert ran.returncode in (0, 1), ran
            changes = int(ran.stderr.splitlines()[-1].split()[0])
            self.done[command] = Undisturbed(self.contents(), self.models(), changes, time.monotonic() - began)
        return self.done[command]

    def kill(self, command: tuple[str, ...], how: signal.Signals, chance: random.Random) -> None:
        """Run a command, send it a signal before some change or at some time, and check what it has left."""
        files, after, changes, seconds = self.undisturbed(command)
        before = self.restore()
        at, wait = chance.choice(((chance.randint(1, changes), None), (0, chance.uniform(0, seconds))))
        ran = run(command, how, at, self.folder, wait)
        self.ends[ran.returncode] += 1
        what = f"{' '.join(command)}: {how.name} at {at or wait}: {ran}"
        assert "Traceback" not in ran.stderr, what
        interrupted = how == signal.SIGINT
        finished = ran.stderr.endswith("changes\n")  # a signal while Python cleans up after it ends the process
        codes = {130} | ({0, 1, -how} if finished else set()) if interrupted else {0, 1, -how}
        assert ran.returncode in codes, what
        self.check(files, before, after, tidy=interrupted, what=what)
        again = mf(*command, cwd=self.folder, open_registry=self.open_registry)
        assert again.code in (0, 1) or (command[0] == "rm" and again.code == 3), (what, again)
        assert not [name for name in self.models() if STAGING in name], what
        if command[0] not in ("rollback", "rm"):  # a second rollback undoes the first
            assert public(self.models()) == public(after), what
            assert self.files.keys() | files.keys() == {
                name for name in self.contents() if not _TEMPORARY.fullmatch(name)
            }, what

    def until_killed(self, kills: int, *, tries: int) -> Iterator[int]:
        """Yield the number of each try: at least so many, and more until so many commands were killed.

        A command may be done before it gets its signal, above all on a machine that was slower a moment ago.
        """
        for number in range(8 * tries):
            if number >= tries and self.ends[130] + self.ends[-signal.SIGKILL] >= kills:
                return
            yield number
        assert self.ends[130] + self.ends[-signal.SIGKILL] >= kills, self.ends

    def check(self, files: Mapping[str, bytes], before: Models, after: Models, *, tidy: bool, what: str) -> None:
        """Check that each file and each model is the old or the new one, and that no model is lost."""
        for name, content in self.contents().items():
            if name in files or name in self.files:
                assert content in (self.files.get(name), files.get(name)), (name, what)
            else:
                assert not tidy, (name, what)
                assert _TEMPORARY.fullmatch(name), (name, what)
        now = self.models()
        for name, digest in public(before).items():
            assert now.get(name) in (digest, after.get(name)), (name, what)
        for name in public(now).keys() - before.keys():
            assert now[name] == after[name], (name, what)
        assert {*before.values()} & {*after.values()} <= {*now.values()}, what
        if tidy:
            assert not [name for name in now if STAGING in name], what


def public(models: Models) -> Models:
    """Return the models without backups and staging tags."""
    return {name: digest for name, digest in models.items() if not is_internal(ModelName.parse(name))}


def run(
    command: tuple[str, ...], how: signal.Signals, at: int, folder: Path, seconds: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `mf` until it sends itself a signal before its nth change, or gets it after some seconds."""
    program = [sys.executable, "-c", SIGNAL_AT, str(at), str(int(how)), *command]
    with subprocess.Popen(
        program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as running:
        try:
            assert running.stdout
            assert os.read(running.stdout.fileno(), 1) == b"!"  # before that, a signal is Python's own affair
            if seconds is not None:
                time.sleep(seconds)
                running.send_signal(how)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    return subprocess.CompletedProcess(command, running.returncode, out, err)


def run_killed(command: tuple[str, ...], seconds: float, folder: Path) -> int:
    """Run `mf`, kill it after some seconds, and return its exit code."""
    return run(command, signal.SIGKILL, 0, folder, seconds).returncode
