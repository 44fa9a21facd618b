"""Worker processes that lint parts of many Modelfiles, because Python runs on one processor at a time.

A worker is a fork of this process, so it knows all that this one has read. It hands over all of its results or none:
where it would print a warning, fails or is killed, this process lints its part, as it would without workers.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from itertools import pairwise, zip_longest
from signal import SIGKILL
from typing import TYPE_CHECKING, Final, NoReturn, TypeAlias, cast

from modelfile.errors import InputError
from modelfile.linter.api import LintResult
from modelfile.linter.rules import RULES
from modelfile.project.target import Target
from modelfile.report.terminal import SafeStream, Terminal

if TYPE_CHECKING:
    from typing import TextIO

    from modelfile.diagnostics import Diagnostic
    from modelfile.source import Source

_Lint: TypeAlias = Callable[[Target], LintResult | InputError]
_Linted: TypeAlias = "tuple[Source, tuple[Diagnostic, ...], tuple[tuple[str, str], ...]]"
"""A text, its findings, and the codes of the rules that could not decide, with the reasons."""

_FEWEST: Final = 100
"""Number of Modelfiles from which on a process saves clearly more time than it takes."""
_MOST: Final = 8
"""Number of processes from which on to read their results takes as long as to lint."""


def lint_in_order(targets: Sequence[Target], lint: _Lint, terminal: Terminal) -> Generator[LintResult | InputError]:
    """Yield what `lint` returns for each Modelfile; the workers end with the generator.

    Args:
        targets: The Modelfiles, none of which is a stream: that can be read only once.
        lint: Lints one, or returns why it cannot be read.
        terminal: The terminal, on which no worker prints.
    """
    number = max(min(usable_processors(), _MOST, len(targets) // _FEWEST), 1)
    ends = (len(targets) * part // number for part in range(number + 1))
    first, *others = (targets[start:end] for start, end in pairwise(ends))
    workers: list[tuple[int, int]] = []
    try:
        if others:
            lint(first[0])  # so that workers inherit the modules, the configuration and the lock
        with suppress(OSError):  # too many processes
            workers.extend(_start(part, lint, terminal) for part in others)
        yield from map(lint, first)
        for part in others:
            results = _results(*workers[0]) if workers else ()
            del workers[:1]
            for target, linted in zip_longest(part, results):
                yield _restore(target, linted) if linted else lint(target)
    finally:
        for worker, _ in workers:
            with suppress(OSError):  # it has ended
                os.kill(worker, SIGKILL)
                os.waitpid(worker, 0)


def usable_processors() -> int:
    """Return the number of processors to use; 1 where a fork is not safe: with threads, and on macOS and Windows."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" and threading.active_count() == 1 else 1


def _start(part: Sequence[Target], lint: _Lint, terminal: Terminal) -> tuple[int, int]:
    """Start a worker; return its process and the pipe from which to read its results."""
    reader, writer = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.close(reader)  # so that it does not wait for a reader that is gone
        _work(part, lint, terminal, writer)
    os.close(writer)
    return worker, reader


def _work(part: Sequence[Target], lint: _Lint, terminal: Terminal, writer: int) -> NoReturn:
    """Write the results of a worker to a pipe, and exit, whatever happens."""
    code = 1
    try:
        import pickle

        gc.freeze()  # to look for garbage would copy what it inherits
        terminal.stdout = terminal.stderr = SafeStream(cast("TextIO", None))  # to print raises an AttributeError
        with open(writer, "wb") as pipe:  # a pipe
            pickle.dump([_linted(lint(target)) for target in part], pipe)
        code = 0
    finally:
        os._exit(code)


def _linted(result: LintResult | InputError) -> _Linted | None:
    if isinstance(result, InputError) or result.lock_error:
        return None
    reasons = tuple((rule.code, reason) for rule, reason in result.undecided())
    return result.target.source, result.diagnostics, reasons


def _results(worker: int, reader: int) -> Sequence[_Linted | None]:
    """Wait for the results of a worker: none if it failed, and None for a Modelfile with an error."""
    import pickle  # takes 3 ms, in which the worker works

    with open(reader, "rb") as pipe:  # a pipe
        content = pipe.read()
    _, status = os.waitpid(worker, 0)
    results: Sequence[_Linted | None] = pickle.loads(content) if status == 0 else ()  # noqa: S301  # of our own process
    return results


def _restore(target: Target, linted: _Linted) -> LintResult:
    source, diagnostics, reasons = linted
    target.recall(source)
    rules = {rule.code: rule for rule in RULES} if reasons else {}
    undecided = [(rules[code], reason) for code, reason in reasons]
    return LintResult(target=target, diagnostics=diagnostics, undecided=lambda: undecided)
