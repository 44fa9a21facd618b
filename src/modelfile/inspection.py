"""The lint, the formatting and the lock of Modelfiles, checked in one run."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from operator import attrgetter
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

from modelfile.catalog.versions import Version
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import MAX_JSON, absolute_path, read_file
from modelfile.formatter import find_change, format_modelfile
from modelfile.immutable import field, record
from modelfile.linter.api import LintResult, check_models, lint_target, reject_errors
from modelfile.linter.rule import Rule, last_from
from modelfile.linter.settings import Settings, settings_by_target
from modelfile.lockfile.drift import Drift, Reason
from modelfile.lockfile.file import LockFile
from modelfile.pinning.check import check_pins, group_by_lock, is_gone, with_locked
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.source import Source, Span


@record(kw_only=True)
class Condition:
    """A condition that `mf check` reports besides the findings of rules."""

    code: str
    """FMT or PIN and a number; the codes of rules begin with MF."""
    name: str
    title: str
    """One sentence on it."""
    hint: str
    """The way to fix it."""


_PIN: Final = "run `mf pin`, review the changes in mf.lock, and commit it"

UNFORMATTED: Final = Condition(
    code="FMT001",
    name="would-reformat",
    title="The file is not written as `mf fmt` writes it.",
    hint="run `mf fmt`, or `mf fmt --diff` to see the changes",
)
STALE: Final[Mapping[Reason, Condition]] = MappingProxyType(
    {
        reason: Condition(code=f"PIN{number:03}", name=name, title=title, hint=hint)
        for number, reason, name, title, hint in (
            (1, Reason.NO_LOCK, "no-lock", "There is no mf.lock.", "run `mf pin`, and commit mf.lock"),
            (2, Reason.NOT_IN_LOCK, "not-in-lock", "The Modelfile is not in mf.lock.", "run `mf pin`"),
            (3, Reason.TEXT, "changed-text", "The Modelfile has changed since it was pinned.", _PIN),
            (4, Reason.FILE, "changed-file", "A local file has changed since it was pinned.", _PIN),
            (5, Reason.QUANTIZE, "changed-quantization", "The quantization has changed since it was pinned.", _PIN),
            (6, Reason.BASE, "changed-base", "The base is not the one in mf.lock.", _PIN),
            (7, Reason.FINGERPRINT, "changed-fingerprint", "A build has another fingerprint than in mf.lock.", _PIN),
            (8, Reason.GONE, "unused-entry", "mf.lock has an entry that belongs to no Modelfile here.", _PIN),
            (9, Reason.INCOMPLETE, "incomplete-entry", "mf.lock does not record where the base comes from.", _PIN),
        )
    }
)
"""Conditions by the reason for which the lock is stale."""
CONDITIONS: Final = (UNFORMATTED, *STALE.values())
"""All conditions in the order of their codes."""

_SAME: Final = frozenset({"missing-from-lock", "stale-lock", "unformatted"})
"""Rules that report the same as a condition, and less exactly."""
_UNFORMATTABLE: Final = frozenset({"crlf-in-value", "invalid-utf-8"})
"""Rules whose findings explain why a Modelfile cannot be formatted."""
_UNPINNABLE: Final = frozenset({"missing-file"})
"""Rules whose findings explain why a Modelfile cannot be compared with the lock."""


@record(kw_only=True)
class CheckedFile:
    """A Modelfile or a lock, and its findings."""

    source: Source
    diagnostics: tuple[Diagnostic, ...]
    """In the order of the text."""
    fail_level: Severity
    """Lowest severity that fails."""
    undecided: Callable[[], Iterable[tuple[Rule, str]]] = tuple
    """Returns the rules that could not decide, and why."""

    def fails(self, level: Severity | None = None) -> bool:
        """Return whether a finding has at least a severity (default: that of the configuration)."""
        return any(found.severity.is_at_least(level or self.fail_level) for found in self.diagnostics)


@record(kw_only=True)
class CheckResult:
    """The result of `check`."""

    files: tuple[CheckedFile, ...]
    """The Modelfiles that were checked, and the locks with findings of their own, which come last."""
    modelfiles: int
    """Number of Modelfiles checked."""
    unread: tuple[InputError, ...]
    """Why files could not be checked, each error once."""

    @property
    def passed(self) -> bool:
        """True if everything could be checked, and no finding fails."""
        return not self.unread and not any(file.fails() for file in self.files)


class _Reported(InputError):
    """Skips a Modelfile whose findings explain why it cannot be checked further."""


Lint: TypeAlias = Callable[[Target], LintResult | InputError]
"""Lints a Modelfile, or returns why it cannot be read."""


def _lint_each(lint: Lint, targets: Sequence[Target]) -> Generator[LintResult | InputError]:
    """Yield the results of Modelfiles in order."""
    yield from map(lint, targets)


def check(
    paths: Iterable[str] | None = None,
    project: Project | None = None,
    *,
    events: Events = ignore,
    lint_all: Callable[[Lint, Sequence[Target]], Generator[LintResult | InputError]] = _lint_each,
) -> CheckResult:
    r"""Lint Modelfiles, and check their formatting and their lock, as `mf check` does; no server is asked.

    >>> from pathlib import Path
    >>> import modelfile
    >>> _ = Path("Modelfile").write_text("# A bot.\nfrom llama3.2\nPARAMETER num_ctx 8192\n")
    >>> result = modelfile.check()
    >>> [(found.code, found.name) for file in result.files for found in file.diagnostics]
    [('FMT001', 'would-reformat'), ('MF201', 'unpinned-base'), ('PIN001', 'no-lock')]
    >>> result.passed
    False

    Each Modelfile is read and parsed once. A defect gives one finding: a Modelfile with errors is not also reported as
    unformatted or as different from the lock.

    Args:
        paths: Modelfiles, and folders in which to find them (default: this folder, and all entries of its lock).
        project: The project (default: that of this folder).
        events: Receives progress.
        lint_all: Yields what a function returns for each Modelfile, in order; other processes may do a part of it.

    Raises:
        InputError: A folder has no Modelfile.
        UsageError: The configuration is invalid.
    """
    project = project or Project()
    run, given = _Run(project, events), tuple(paths) if paths is not None else None
    targets = project.modelfiles(given or (".",))
    with closing(lint_all(run.lint, targets)) as linted:
        for number, (target, result) in enumerate(zip(targets, linted, strict=True), 1):
            run.add_and_format(target, result)
            events(Progress(status=f"checked {number} of {len(targets)}"))
    for problem in check_models(given or (".",), project):
        run.unread.setdefault(problem.message, problem)
    run.compare_with_locks(targets, whole=given is None)
    return run.result()


@record(frozen=False)
class _File:
    source: Source
    fail_level: Severity
    found: list[Diagnostic] = field(default_factory=list)
    undecided: Callable[[], Iterable[tuple[Rule, str]]] = tuple

    def fails_by(self, names: frozenset[str]) -> bool:
        """Return whether a finding is an error, or of one of these rules and fails."""
        return any(
            one.severity is Severity.ERROR or (one.name in names and one.severity.is_at_least(self.fail_level))
            for one in self.found
        )


class _Run:
    """One run of `check`: the findings and errors up to now."""

    def __init__(self, project: Project, events: Events) -> None:
        self.unread: dict[str, InputError] = {}
        self._project = project
        self._events = events
        self._settings_of: Callable[[Target], Settings] = settings_by_target()
        self._files: dict[Path, _File] = {}
        self._locks: dict[Path, _File] = {}
        self._failed: set[Path] = set()

    def lint(self, target: Target) -> LintResult | InputError:
        """Lint a Modelfile, or return why it cannot be read."""
        try:
            return lint_target(target, self._settings_of(target))
        except InputError as error:
            return error

    def add_and_format(self, target: Target, result: LintResult | InputError) -> None:
        """Add the findings of rules, and whether `mf fmt` would change the Modelfile."""
        if isinstance(result, InputError):
            self._failed.add(self._project.real_path(target.path))
            self.unread.setdefault(result.message, result)
            return
        if result.lock_error:
            self.unread.setdefault(result.lock_error.message, result.lock_error)
        file = self._file(target)
        file.found += (found for found in result.diagnostics if found.name not in _SAME)
        file.undecided = partial(_undecided, result)
        try:
            text = format_modelfile(target.modelfile)
        except InputError as error:
            if not file.fails_by(_UNFORMATTABLE):
                self.unread.setdefault(error.message, error)
            return
        if text != target.modelfile.text and not file.fails_by(frozenset()):
            span = find_change(target.modelfile.text, text)
            file.found.append(_diagnostic(UNFORMATTED, span, "not formatted: `mf fmt` would change this line"))

    def compare_with_locks(self, targets: Sequence[Target], *, whole: bool) -> None:
        """Add the differences between Modelfiles and their locks."""
        try:
            groups = group_by_lock(with_locked(targets) if whole else targets)
        except InputError as error:
            self.unread.setdefault(error.message, error)
            return
        for lock, group in groups.items():
            try:
                pins = check_pins(group, None, whole=whole, check=self._reject, events=self._events)
            except InputError as error:
                self.unread.setdefault(error.message, error)
                continue
            known = {target.key: target for target in group}
            for drift in pins.drifts:
                self._add_drift(drift, lock, known.get(drift.key))
            self.unread |= {
                problem.message: problem
                for problem in pins.unread
                if not isinstance(problem, _Reported) and problem.message not in self.unread
            }

    def _reject(self, target: Target, _: Version | None) -> None:
        """Reject a Modelfile with errors, and one whose findings explain why it cannot be compared.

        Raises:
            InputError: It is rejected.
        """
        path = self._project.real_path(target.path)
        file = self._files.get(path)
        if path in self._failed or (file and file.fails_by(_UNPINNABLE)):
            raise _Reported(f"`{target.path}` was reported")
        if file is None:  # a base, or a Modelfile in the lock, that is not among those to lint
            reject_errors(target, self._settings_of(target), lambda *_: None, only_errors=True)

    def _add_drift(self, drift: Drift, lock: LockFile, target: Target | None) -> None:
        condition = STALE[drift.reason]
        path = lock.path.parent / drift.key
        if drift.reason is Reason.GONE or is_gone(path):
            file, message = self._lock_file(lock), f"`{drift.key}` {drift.message}"
            start = file.source.text.find(f'"{drift.key}":')
            span = Span(start, start + len(f'"{drift.key}"')) if start >= 0 else Span(0, 0)
        else:
            target = target or self._project.at(path)
            file, message = self._file(target), _sentence(drift.message)
            base = last_from(target.modelfile)
            span = base.value.span if base else Span(0, 0)
        file.found.append(_diagnostic(condition, span, message))

    def _file(self, target: Target) -> _File:
        level = target.config.fail_level
        return self._files.setdefault(
            self._project.real_path(target.path), _File(source=target.source, fail_level=level)
        )

    def _lock_file(self, lock: LockFile) -> _File:
        if lock.path not in self._locks:
            here, level = absolute_path(Path()), self._project.config_for(lock.path.parent).fail_level
            path = lock.path.relative_to(here) if lock.path.is_relative_to(here) else lock.path
            source = Source.decode(read_file(lock.path, limit=MAX_JSON), str(path))
            self._locks[lock.path] = _File(source=source, fail_level=level)
        return self._locks[lock.path]

    def result(self) -> CheckResult:
        """Return what was found."""
        order = attrgetter("span.start", "code")
        files = tuple(
            CheckedFile(
                source=file.source,
                diagnostics=tuple(sorted(file.found, key=order)),
                fail_level=file.fail_level,
                undecided=file.undecided,
            )
            for file in (*self._files.values(), *self._locks.values())
        )
        return CheckResult(files=files, modelfiles=len(self._files), unread=tuple(self.unread.values()))


def _sentence(message: str) -> str:
    """Return the message of a drift without the name of the Modelfile before it."""
    return message if message.startswith(("its ", "`")) else f"this Modelfile {message}"


def _undecided(result: LintResult) -> Iterator[tuple[Rule, str]]:
    yield from ((rule, reason) for rule, reason in result.undecided() if rule.name not in _SAME)


def _diagnostic(condition: Condition, span: Span, message: str) -> Diagnostic:
    return Diagnostic(
        code=condition.code,
        name=condition.name,
        severity=Severity.WARNING,
        span=span,
        message=message,
        hint=condition.hint,
    )
