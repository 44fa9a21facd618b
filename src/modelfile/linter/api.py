"""Lint Modelfiles, fix and suppress their findings."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.diagnostics import MOST_FINDINGS, Diagnostic, Severity
from modelfile.errors import InputError, ModelfileHasErrors
from modelfile.immutable import record, replace
from modelfile.linter.context import context_of
from modelfile.linter.engine import lint as run_rules
from modelfile.linter.engine import undecided
from modelfile.linter.rule import Rule
from modelfile.linter.settings import Settings, resolve_settings, settings_by_target
from modelfile.project.config import DEFAULT_RULES, Config
from modelfile.project.discovery import is_stream
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.syntax.modelfile import Modelfile, parse

_ON_LOCK: Final = ("missing-from-lock", "stale-lock")
_DEPENDENT_ON_LOCK: Final = (*_ON_LOCK, "unpinned-base")
"""Rules that cannot decide if the lock cannot be read."""
_CHECKED_BY_BUILD: Final = (
    *("unusable-weights", "projector-as-adapter", "model-as-adapter", "adapter-as-from", "not-gguf", "git-lfs-pointer"),
    *("html-instead-of-weights", "truncated-weights", "corrupt-gguf", "split-weights"),
    *("unsupported-architecture", "unsupported-quantization", "adapter-mismatch", "adapter-format"),
    "quantize-not-possible",
)
"""Rules that a build does not need: it checks the same by the version of its server."""

_NEEDED_BY_BUILD: Final = ("missing-file",)
"""Rules whose findings are errors to a build, though a checkout may do without the file."""


@record(kw_only=True)
class LintResult:
    """A Modelfile and its findings."""

    target: Target
    diagnostics: tuple[Diagnostic, ...]
    undecided: Callable[[], Iterable[tuple[Rule, str]]]
    """Returns the rules that could not decide, and why."""
    lock_error: InputError | None = None
    """Why the lock cannot be read, so that the rules that depend on it did not run."""

    @property
    def has_errors(self) -> bool:
        """True if a finding is an error."""
        return any(found.severity is Severity.ERROR for found in self.diagnostics)


def lint(
    modelfile: Modelfile | str | bytes,
    path: str | Path | None = None,
    *,
    select: Sequence[str] = (DEFAULT_RULES,),
    ignore: Sequence[str] = (),
    severities: Mapping[str, Severity] | None = None,
    ollama: str | None = None,
) -> tuple[Diagnostic, ...]:
    r"""Return the findings of `mf lint --isolated`, in the order of the text.

    >>> import modelfile
    >>> for found in modelfile.lint("FROM llama3.2:3b\nPARAMETER temperture 0.2\n", select=["MF3"]):
    ...     print(found.span.start, found.severity, found.name, found.hint)
    27 error unknown-parameter did you mean `temperature`?

    Args:
        modelfile: A Modelfile, or its text.
        path: Its path; without one, rules on files and on the lock cannot decide.
        select: Rules in force: codes, families, names, DEFAULT, ALL.
        ignore: Rules not in force.
        severities: Severities by rule name, where they differ from the rules' own.
        ollama: The Ollama version that it is for, as in "0.24.0" (default: the newest known).

    Raises:
        InputError: The lock at `path` is damaged, or of a later version.
        UsageError: There is no such rule, or no such version.
    """
    parsed = modelfile if isinstance(modelfile, Modelfile) else parse(modelfile)
    chosen, unwanted = ((names,) if isinstance(names, str) else tuple(names) for names in (select, ignore))
    project = Project(isolated=True)
    overrides = Config(select=chosen, ignore=unwanted, severities=severities or {}, ollama=ollama)
    target = Target(project, Path(path) if path is not None else Path("-"), modelfile=parsed)
    result = lint_target(target, resolve_settings(project, overrides), has_folder=path is not None)
    if result.lock_error:
        raise result.lock_error
    return result.diagnostics


def lint_target(target: Target, settings: Settings, *, has_folder: bool | None = None) -> LintResult:
    """Lint one Modelfile.

    Args:
        target: The Modelfile.
        settings: The rules in force.
        has_folder: Whether its paths can be looked up; by default those of standard input cannot.

    Raises:
        InputError: It cannot be read.
    """
    context = context_of(
        target,
        settings.ollama,
        has_folder=target.has_folder if has_folder is None else has_folder,
        ollama_is_given=settings.ollama_is_given,
        reads_weights=settings.reads_weights,
    )
    rules = settings.rules_for(target.path)
    if context.lock_error:
        rules = tuple(rule for rule in rules if rule.name not in _DEPENDENT_ON_LOCK)
    found = run_rules(context, rules, settings.severities)
    return LintResult(
        target=target,
        diagnostics=found,
        undecided=lambda: undecided(context, rules, found),
        lock_error=context.lock_error,
    )


def lint_paths(
    paths: Iterable[str] = (".",), project: Project | None = None, settings: Settings | None = None
) -> Iterator[LintResult | InputError]:
    r"""Lint Modelfiles and folders of Modelfiles.

    >>> from pathlib import Path
    >>> import modelfile
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nPARAMETER temperture 0.2\n")
    >>> [found.name for result in modelfile.lint_paths() for found in result.diagnostics]
    ['unknown-parameter']

    Args:
        paths: Modelfiles, and folders in which to find them; `-` is standard input.
        project: The project (default: that of this folder).
        settings: The lint settings (default: those of the configuration nearest to each Modelfile).

    Yields:
        The findings of each Modelfile, or the error that kept it from being read; each error of a lock once.

    Raises:
        InputError: A folder has no Modelfile.
        UsageError: The configuration is invalid.
    """
    project, paths = project or Project(), tuple(paths)
    given, by_target, lock_errors = settings, settings_by_target(), set[str]()
    settings = settings or resolve_settings(project)
    for target in project.modelfiles(paths):
        try:
            result = lint_target(target, given or by_target(target))
        except InputError as error:
            yield error
            continue
        yield result
        if result.lock_error and result.lock_error.message not in lock_errors:
            lock_errors.add(result.lock_error.message)
            yield result.lock_error
    yield from check_models(paths, project)


def check_models(paths: Iterable[str], project: Project) -> Iterator[InputError]:
    """Yield why models of the configuration cannot be built, if a path is a folder.

    Args:
        paths: The paths to lint.
        project: The project.
    """
    if any(not is_stream(path) and Path(path).is_dir() for path in paths):
        yield from project.errors()


def fix(result: LintResult, settings: Settings, *, unsafe: bool = False) -> tuple[LintResult, int]:
    r"""Apply the fixes of findings, as far as they help and change nothing else.

    >>> from pathlib import Path
    >>> import modelfile
    >>> _ = Path("Modelfile").write_text("# A bot.\nFROM llama3.2:3b\nPARAMETER  seed 1\n")
    >>> (result,) = modelfile.lint_paths()
    >>> fixed, count = modelfile.fix(result, modelfile.resolve_settings(modelfile.Project()))
    >>> fixed.target.modelfile.text, count
    ('# A bot.\nFROM llama3.2:3b\nPARAMETER seed 1\n', 1)

    Args:
        result: A Modelfile and its findings; its file is not written.
        settings: The lint settings.
        unsafe: Whether to apply unsafe fixes, too.

    Returns:
        The fixed Modelfile with the findings that remain, and the number of fixes applied.
    """
    from modelfile.linter.fixes import apply_fixes

    if len(result.diagnostics) >= MOST_FINDINGS:  # what there would be after a fix is not known
        return result, 0

    def diagnose(modelfile: Modelfile) -> tuple[Diagnostic, ...]:
        return lint_target(result.target.with_modelfile(modelfile), settings).diagnostics

    fixed, count = apply_fixes(result.target.modelfile, diagnose, unsafe=unsafe, found=result.diagnostics)
    return (lint_target(result.target.with_modelfile(fixed), settings), count) if count else (result, 0)


def suppress(result: LintResult, settings: Settings) -> tuple[LintResult, int]:
    """Add comments that suppress all findings but errors; return the result and the number of findings."""
    unwanted = [found for found in result.diagnostics if found.severity is not Severity.ERROR]
    if not unwanted:
        return result, 0
    suppressed = _suppressed(result, unwanted, settings)
    left = {found.name for found in suppressed.diagnostics} & {found.name for found in unwanted}
    if left:  # they are on the file, not on an instruction
        suppressed = _suppressed(result, unwanted, settings, whole_file=left)
    return suppressed, len(unwanted)


def _suppressed(
    result: LintResult, unwanted: Sequence[Diagnostic], settings: Settings, *, whole_file: Container[str] = ()
) -> LintResult:
    from modelfile.linter.suppressions import with_suppressions

    text = with_suppressions(result.target.modelfile, unwanted, whole_file=whole_file)
    return lint_target(result.target.with_text(text), settings)


def settings_of_build(settings: Settings) -> Settings:
    """Return settings by which a missing file is an error, without rules that a build checks itself.

    No header of weights is read: a build that has nothing to do opens none.
    """
    rules = tuple(rule for rule in settings.rules if rule.name not in _CHECKED_BY_BUILD)
    severities = {**settings.severities, **dict.fromkeys(_NEEDED_BY_BUILD, Severity.ERROR)}
    return replace(settings, rules=rules, severities=severities, reads_weights=False)


def reject_errors(
    target: Target,
    settings: Settings,
    on_findings: Callable[[Target, tuple[Diagnostic, ...]], None],
    version: Version | None = None,
    *,
    only_errors: bool = False,
) -> None:
    """Reject a Modelfile with errors; findings about the lock do not count, because the command may write the lock.

    Args:
        target: The Modelfile.
        settings: The rules in force.
        on_findings: Receives its errors and warnings, if there are any.
        version: The version of the Ollama that will take it; None if it is not known, and the settings decide.
        only_errors: Whether to look for errors only, which takes a hundredth of the time for long texts.

    Raises:
        InputError: It cannot be read.
        ModelfileHasErrors: It has errors.
    """
    settings = settings_of_build(settings)
    if only_errors:
        settings = replace(settings, rules=tuple(filter(settings.may_reject, settings.rules)))
    ollama = catalog(version) if version else settings.ollama
    result = lint_target(target, replace(settings, ollama=ollama), has_folder=True)
    found = tuple(
        found for found in result.diagnostics if found.severity is not Severity.INFO and found.name not in _ON_LOCK
    )
    if found:
        on_findings(target, found)
    if result.has_errors:
        usual = lint_target(target, settings, has_folder=True)
        option = f" --ollama {version}" if _errors(result) - _errors(usual) else ""
        hint = f"`mf lint{option} {target.path}` shows them, and --fix fixes what it safely can"
        what = f"has errors for Ollama {version}" if option else "has errors"
        raise ModelfileHasErrors(f"`{target.path}` {what}", hint=hint)


def _errors(result: LintResult) -> set[tuple[str, int]]:
    return {(found.name, found.span.start) for found in result.diagnostics if found.severity is Severity.ERROR}
