"""Alternating measurements of two commands, so that other load on the machine affects both."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Linux counts the parent's memory at the fork as the child's, so a bare interpreter starts the measured command.
STARTER = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
print(os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A folder and an environment in which a command runs."""

    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two commands to compare, each measured in a fresh sandbox, after `before` runs that are not measured."""

    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    sandbox: Callable[[], AbstractContextManager[Sandbox]]
    rounds: int
    before: int = 0
    exits: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run: wall-clock and CPU time in seconds, peak resident memory in bytes."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure's median and range over all runs of one command."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A figure of both commands; `ratio` is our median divided by theirs."""

    ours: Spread
    theirs: Spread
    ratio: float


def measure(case: Case) -> dict[str, Result]:
    """Run both commands in turn, and return the result for each field of Sample; the first round only warms up."""
    rounds = [(_sample(case, case.ours), _sample(case, case.theirs)) for _ in range(case.rounds + 1)]
    ours, theirs = zip(*rounds[1:], strict=True)
    return {field.name: _result(_spread(ours, field.name), _spread(theirs, field.name)) for field in fields(Sample)}


def _spread(samples: Iterable[Sample], figure: str) -> Spread:
    values = [getattr(sample, figure) for sample in samples]
    return Spread(median=median(values), min=min(values), max=max(values))


def _result(ours: Spread, theirs: Spread) -> Result:
    return Result(ours=ours, theirs=theirs, ratio=ours.median / theirs.median)


def _sample(case: Case, argv: tuple[str, ...]) -> Sample:
    with case.sandbox() as sandbox:
        for _ in range(case.before):
            _run(argv, sandbox, case.exits)
        return _run(argv, sandbox, case.exits)


def _run(argv: tuple[str, ...], sandbox: Sandbox, exits: frozenset[int]) -> Sample:
    with TemporaryFile() as output:
        starter = subprocess.run(
            [sys.executable, "-ISc", STARTER, *argv],
            cwd=sandbox.folder,
            env=sandbox.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=False,
        )
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if starter.returncode:
        raise RuntimeError(f"cannot start `{argv[0]}`:\n{printed}")
    code, wall, cpu, memory = map(float, starter.stdout.split())
    if code not in exits:
        raise RuntimeError(f"`{' '.join(argv)}` exited with {code:.0f}:\n{printed}")
    return Sample(wall=wall, cpu=cpu, memory=memory * RSS_UNIT)
