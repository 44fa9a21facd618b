"""Measure two commands in turn, so that whatever the machine does meanwhile happens to both."""

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile

RSS_UNIT = 1 if sys.platform == "darwin" else 1024
# Linux counts the memory that the parent had at the fork as the child's, so a bare interpreter starts what is measured.
STARTER = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - start
print(os.waitstatus_to_exitcode(status), wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a command runs."""

    folder: Path
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two commands for the same job: `before` runs in a fresh place that do not count, then the one that does."""

    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    place: Callable[[], AbstractContextManager[Place]]
    rounds: int
    before: int = 0
    exits: frozenset[int] = frozenset({0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run: seconds by the clock and of the processor, and the peak of resident memory in bytes."""

    wall: float
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A figure over all runs of one command."""

    median: float
    min: float
    max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A figure of both commands; `ratio` is our median by theirs."""

    ours: Spread
    theirs: Spread
    ratio: float


def measure(case: Case) -> dict[str, Result]:
    """Run ours, theirs, ours, theirs ... and return the result for each field of Sample; the first round warms up."""
    rounds = [(_sample(case, case.ours), _sample(case, case.theirs)) for _ in range(case.rounds + 1)]
    ours, theirs = zip(*rounds[1:], strict=True)
    return {field.name: _result(_spread(ours, field.name), _spread(theirs, field.name)) for field in fields(Sample)}


def _spread(samples: Iterable[Sample], figure: str) -> Spread:
    values = [getattr(sample, figure) for sample in samples]
    return Spread(median=median(values), min=min(values), max=max(values))


def _result(ours: Spread, theirs: Spread) -> Result:
    return Result(ours=ours, theirs=theirs, ratio=ours.median / theirs.median)


def _sample(case: Case, argv: tuple[str, ...]) -> Sample:
    with case.place() as place:
        for _ in range(case.before):
            _run(argv, place, case.exits)
        return _run(argv, place, case.exits)


def _run(argv: tuple[str, ...], place: Place, exits: frozenset[int]) -> Sample:
    with TemporaryFile() as output:
        starter = subprocess.run(
            [sys.executable, "-ISc", STARTER, *argv],
            cwd=place.folder,
            env=place.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            check=False,
        )
        output.seek(0)
        said = output.read().decode(errors="replace")
    if starter.returncode:
        raise RuntimeError(f"`{argv[0]}` could not be started:\n{said}")
    code, wall, cpu, memory = map(float, starter.stdout.split())
    if code not in exits:
        raise RuntimeError(f"`{' '.join(argv)}` ended with {code:.0f}:\n{said}")
    return Sample(wall=wall, cpu=cpu, memory=memory * RSS_UNIT)
