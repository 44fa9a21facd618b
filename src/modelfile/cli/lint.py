"""`mf lint`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

from modelfile.catalog.versions import NEWEST, Version
from modelfile.cli.options import load_project, paths_or_stdin
from modelfile.cli.parameters import AsJson, ConfigFile, ForceExclude, Isolated, Option, Paths, StdinFilename
from modelfile.diagnostics import MOST_FINDINGS, Severity
from modelfile.errors import ExitCode, InputError, UsageError
from modelfile.filesystem import write_atomic
from modelfile.linter.api import LintResult, check_models, lint_target
from modelfile.linter.engine import TRUNCATED
from modelfile.linter.settings import Settings, resolve_settings, settings_by_target
from modelfile.project.config import Config
from modelfile.project.discovery import STDIN, is_stream
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.report.file_diffs import print_line_diff
from modelfile.report.findings import describe_fixed, print_findings
from modelfile.report.formats import FORMATS, Report, render
from modelfile.report.json_output import print_json
from modelfile.report.progress import track
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.diagnostics import Diagnostic
    from modelfile.linter.rule import Rule

    Format: TypeAlias = str
    Checked: TypeAlias = tuple[str, tuple[Diagnostic, ...], Callable[[], Iterable[tuple[Rule, str]]]]
    """A path, its findings, and a function that returns the rules that could not decide, with the reason."""
else:
    Format = StrEnum("Format", {name.upper(): name for name in FORMATS})

_MANY: Final = 200
"""Number of Modelfiles from which on other processes lint a part of them."""


def lint(  # noqa: C901, PLR0913  # the command's options
    paths: Paths = None,
    *,
    output_format: Annotated[Format, Option("--format", help="Output format.")] = "text",
    select: Annotated[list[str] | None, Option(help="Rules in force: codes, families, names, DEFAULT, ALL.")] = None,
    ignore: Annotated[list[str] | None, Option(help="Rules not in force.")] = None,
    extend_select: Annotated[list[str] | None, Option(help="Rules to add to those in force.")] = None,
    ollama: Annotated[
        str | None, Option(metavar="VERSION", help="Ollama version to check for; default: the newest known.")
    ] = None,
    fix: Annotated[bool, Option("--fix", help="Apply safe fixes.")] = False,
    unsafe_fixes: Annotated[
        bool, Option("--unsafe-fixes", help="With --fix or --diff: also apply unsafe fixes.")
    ] = False,
    diff: Annotated[bool, Option("--diff", help="Print what --fix would change; write nothing.")] = False,
    statistics: Annotated[bool, Option("--statistics", help="Print the number of findings by rule.")] = False,
    fail_level: Annotated[Severity | None, Option(help="Lowest severity that exits 1.")] = None,
    exit_zero: Annotated[bool, Option("--exit-zero", help="Exit 0 despite findings.")] = False,
    output_file: Annotated[str | None, Option(metavar="FILE", help="File to write findings to.")] = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    add_ignore: Annotated[
        bool, Option("--add-ignore", help="Write comments that suppress all findings but errors.")
    ] = False,
    watch: Annotated[bool, Option("--watch", help="Lint again after each change, until Ctrl-C.")] = False,
    force_exclude: ForceExclude = False,
    stdin_filename: StdinFilename = None,
    verbose: Annotated[bool, Option("--verbose", "-v", help="Also print rules that could not decide.")] = False,
    as_json: AsJson = False,
) -> int:
    """Find defects in Modelfiles, and fix them with --fix.

    Default: the current folder. Exits 1 if there is an error or a warning. Configured by `[tool.mf]` in
    pyproject.toml, or by mf.toml. A comment `# mf: ignore[rule] reason` above an instruction suppresses a rule there,
    `# mf: ignore-file[rule] reason` in the whole file.

    With --json: {"version", "files", "unread", "undecided", "findings"}, as docs/schema/lint.schema.json has it;
    with --statistics, a list of {"code", "name", "count"}.
    """
    if diff:
        _reject_format(output_format, output_file, as_json=as_json)
    output_format = resolve_format(output_format, as_json=as_json)
    if unsafe_fixes and not (fix or diff):
        raise UsageError("--unsafe-fixes needs --fix or --diff")
    searched = paths_or_stdin(paths, stdin_filename)
    if add_ignore and (fix or diff or STDIN in searched):
        raise UsageError("--add-ignore cannot be used with --fix, --diff or standard input")
    if watch and any(map(is_stream, searched)):
        raise UsageError("--watch cannot be used with standard input", hint="name files or folders to watch")
    terminal = current.get()
    overrides = Config(
        select=_split(select) or Config().select,
        ignore=_split(ignore),
        extend_select=_split(extend_select),
        ollama=ollama,
        fields_set=frozenset(name for name, given in (("select", select), ("ignore", ignore)) if _split(given)),
    )

    def load() -> Project:
        return load_project(config, isolated=isolated, force_exclude=force_exclude, stdin_filename=stdin_filename)

    def once() -> int:
        project, settings_of = load(), settings_by_target(overrides)
        results, unread = _lint(
            searched,
            project,
            settings_of,
            resolve_settings(project, overrides),
            shared=not (fix or diff or add_ignore or watch),
        )
        before = [result.target.source.text for result in results] if diff else []
        fixes = None
        if fix or diff:
            outcomes = [
                _fix(result, settings_of(result.target), unread, unsafe=unsafe_fixes, write=not diff)
                for result in results
            ]
            results, fixed = [result for result, _ in outcomes], sum(count for _, count in outcomes)
            remaining = [(result.target.source, result.diagnostics) for result in results]
            fixes = describe_fixed(remaining, fixed, unsafe=unsafe_fixes, diff=diff)
            if diff and fixes:
                terminal.print_note(fixes)
        differs = diff and before != [result.target.source.text for result in results]
        if add_ignore:
            results = [_suppress(result, settings_of(result.target), unread) for result in results]
        findings = [(result.target.source, result.diagnostics) for result in results]
        if statistics:
            _print_statistics(results, as_json=output_format == "json")
        elif output_format == "text" and output_file is None and not diff:
            fixed_to_stdout = fix and any(result.target.is_stdin for result in results)
            print_findings(findings, terminal, err=fixed_to_stdout, fixes=fixes)
        elif not diff:
            undecided = ((result.target.source, result.undecided()) for result in results)
            report = Report(findings=findings, unread=unread, undecided=undecided)
            write_report(render(report, output_format), output_format, output_file)
        checked = [(str(result.target.path), result.diagnostics, result.undecided) for result in results]
        print_undecided(checked, verbose=verbose)
        for error in unread:
            terminal.print_error(error.message, error.hint)
        fails = differs or any(
            found.severity.is_at_least(fail_level or result.target.config.fail_level)
            for result in results
            for found in result.diagnostics
        )
        return ExitCode.FAILED if unread else ExitCode(fails and not exit_zero)

    if watch:
        from modelfile.cli.watch import repeat, watch_changes

        def watched() -> list[str]:
            project = load()
            targets = project.modelfiles(searched)
            configured = {project.config.file, *(target.config.file for target in targets)}
            return [*(str(target.path) for target in targets), *(str(file) for file in configured if file)]

        repeat(once, watched, lambda: watch_changes(searched, watched()))
    return once()


def _lint(
    paths: Sequence[str],
    project: Project,
    settings_of: Callable[[Target], Settings],
    settings: Settings,
    *,
    shared: bool,
) -> tuple[list[LintResult], list[InputError]]:
    """Return the results by Modelfile, and the distinct errors of files that cannot be read.

    Args:
        paths: The paths to lint.
        project: The project.
        settings_of: Returns the lint settings for a Modelfile.
        settings: The lint settings of the project.
        shared: Whether other processes may lint a part of many Modelfiles.
    """

    def attempt(target: Target) -> LintResult | InputError:
        try:
            return lint_target(target, settings_of(target))
        except InputError as error:
            return error

    _warn_if_unknown(settings)
    results: list[LintResult] = []
    unread: dict[str, InputError] = {}
    targets, terminal = project.modelfiles(paths), current.get()
    may_share = shared and not any(map(is_stream, paths))
    with closing(lint_all(attempt, targets) if may_share else (attempt(target) for target in targets)) as linted:
        for _, result in zip(track(targets, "checked", terminal), linted, strict=True):
            error = result if isinstance(result, InputError) else result.lock_error
            if error:
                unread.setdefault(error.message, error)
            if isinstance(result, LintResult):
                results.append(result)
    for problem in check_models(paths, project):
        unread.setdefault(problem.message, problem)
    return results, list(unread.values())


def lint_all(
    lint: Callable[[Target], LintResult | InputError], targets: Sequence[Target]
) -> Generator[LintResult | InputError]:
    """Return what `lint` returns for each Modelfile, none a stream, in order; of many, other processes lint a part."""
    if len(targets) < _MANY:
        return (lint(target) for target in targets)
    from modelfile.cli.workers import lint_in_order

    return lint_in_order(targets, lint, current.get())


def resolve_format(output_format: Format, *, as_json: bool) -> Format:
    """Return the format of findings, and reject --json beside another one."""
    if as_json and output_format not in ("text", "json"):
        raise UsageError(f"--json cannot be used with --format {output_format}")
    return "json" if as_json else output_format


def _reject_format(output_format: Format, output_file: str | None, *, as_json: bool) -> None:
    """Reject options that --diff excludes."""
    if as_json or output_format != "text" or output_file is not None:
        given = "--json" if as_json else "--output-file" if output_format == "text" else f"--format {output_format}"
        raise UsageError(f"{given} cannot be used with --diff", hint="leave it out, or lint without --diff")


def _split(given: list[str] | None) -> tuple[str, ...]:
    """Split selectors at commas."""
    return tuple(selector.strip() for text in given or () for selector in text.split(",") if selector.strip())


def print_undecided(checked: Iterable[Checked], *, verbose: bool = False) -> None:
    """Print the rules that could not decide, or without `verbose` only those that did not check everything."""
    files: dict[tuple[str, str], list[str]] = {}
    for path, diagnostics, undecided in checked:
        for rule, reason in undecided() if verbose or len(diagnostics) >= MOST_FINDINGS else ():
            if verbose or reason == TRUNCATED:
                files.setdefault((rule.name, reason), []).append(path)
    for (name, reason), paths in files.items():
        where = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        current.get().print_note(f"{where}: {name} {'' if reason == TRUNCATED else 'cannot decide: '}{reason}")


def _print_statistics(results: Sequence[LintResult], *, as_json: bool) -> None:
    counts = Counter((found.code, found.name) for result in results for found in result.diagnostics)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if as_json:
        rows = [{"code": code, "name": name, "count": count} for (code, name), count in ordered]
        print_json(rows, current.get())
    else:
        for (code, name), count in ordered:
            current.get().print(f"{count:6} {code} {name}")


def write_report(pieces: Iterator[str], output_format: Format, file: str | None) -> None:
    """Print a report, or write it to a file."""
    if file is not None:
        write_atomic(Path(file), (piece.encode() for piece in chain([next(pieces, "\n")], pieces)))
    for piece in pieces:
        if output_format in ("text", "concise"):
            current.get().print_lines(piece)
        else:
            current.get().write_content(piece)


def _fix(
    result: LintResult, settings: Settings, failures: list[InputError], *, unsafe: bool, write: bool
) -> tuple[LintResult, int]:
    """Apply the fixes of a Modelfile, and write it or print the diff; return the result and the number of fixes."""
    from modelfile.linter.api import fix

    before = result.target
    fixed, count = fix(result, settings, unsafe=unsafe)
    text = fixed.target.modelfile.text
    if count and not write:
        print_line_diff(before.source.text, text, str(before.path), current.get())
    elif write and before.is_stdin:
        current.get().write_content(before.source.encode(text))
    elif count and not _overwrite(before, text, f"{count} fixed", failures):
        return result, 0
    return fixed, count


def _suppress(result: LintResult, settings: Settings, failures: list[InputError]) -> LintResult:
    from modelfile.linter.api import suppress

    suppressed, count = suppress(result, settings)
    if count and not _overwrite(result.target, suppressed.target.modelfile.text, f"{count} suppressed", failures):
        return result
    return suppressed


def _overwrite(target: Target, text: str, done: str, failures: list[InputError]) -> bool:
    """Write a Modelfile and print what was done; return whether it could be written, and record the error otherwise."""
    try:
        target.write(text)
    except InputError as error:
        failures.append(error)
        return False
    current.get().print_note(f"{target.path}: {done}")
    return True


def _warn_if_unknown(settings: Settings) -> None:
    """Print a warning if the version of Ollama is much newer than the newest known."""
    version = settings.ollama.version
    if settings.ollama_is_given and version >= Version(NEWEST.major, NEWEST.minor + 2, 0):
        message = f"Ollama {version} is not known: its facts are those of {NEWEST}, the newest known"
        current.get().print_warning(message)
