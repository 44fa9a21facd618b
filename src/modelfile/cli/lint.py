"""`mf lint`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Container
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from modelfile.cli.checked import Checked, check_all, diagnose
from modelfile.cli.files import STDIN, find_modelfiles
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError, UsageError
from modelfile.filesystem import write_atomic
from modelfile.linter.rules import RULES
from modelfile.linter.settings import Settings, settings
from modelfile.project.config import Config
from modelfile.report.terminal import print_error, print_findings, print_line_diff, print_note
from modelfile.syntax.modelfile import Modelfile

_RANK: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2}


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"


def lint(  # noqa: C901, PLR0913  # the command's options
    paths: Annotated[
        list[str] | None, typer.Argument(help="Modelfiles, folders to look for them in, or - for standard input.")
    ] = None,
    *,
    output_format: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.TEXT,
    select: Annotated[
        list[str] | None, typer.Option(help="Rules in force: codes, families, names, ALL, with commas between.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Rules not in force.")] = None,
    extend_select: Annotated[list[str] | None, typer.Option(help="Rules in force besides.")] = None,
    target: Annotated[str | None, typer.Option(metavar="VERSION", help="The Ollama version that is meant.")] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended safely.")] = False,
    unsafe_fixes: Annotated[bool, typer.Option("--unsafe-fixes", help="With --fix: also what needs a look.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what --fix would change; write nothing.")] = False,
    statistics: Annotated[
        bool, typer.Option("--statistics", help="Print how often each rule finds something.")
    ] = False,
    fail_level: Annotated[Severity | None, typer.Option(help="The least severity that makes it exit 1.")] = None,
    exit_zero: Annotated[bool, typer.Option("--exit-zero", help="Exit 0 whatever is found.")] = False,
    output_file: Annotated[str | None, typer.Option(metavar="FILE", help="Write what is found there.")] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Read this configuration.")] = None,
    isolated: Annotated[bool, typer.Option("--isolated", help="Read no configuration.")] = False,
    add_ignore: Annotated[
        bool, typer.Option("--add-ignore", help="Write comments that silence what is found, errors apart.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Do it again whenever a file changes, until Ctrl-C.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print findings, and no summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what could not be looked at, too.")] = False,
) -> None:
    """Find what is wrong with Modelfiles, and mend it with --fix.

    Without PATHS, looks in this folder. Exits 1 if there is an error or a warning. Configured by `[tool.mf]` in
    pyproject.toml, or by mf.toml. A comment `# mf: ignore[rule] reason` above an instruction silences a rule there,
    `# mf: ignore-file[rule] reason` in the whole file.
    """
    if unsafe_fixes and not (fix or diff):
        raise UsageError("--unsafe-fixes says what --fix or --diff may do: it goes with one of them")
    if add_ignore and (fix or diff or STDIN in (paths or ())):
        raise UsageError("--add-ignore writes into files, and goes with neither --fix, --diff nor standard input")
    said = Config(
        select=_selectors(select) or Config().select,
        ignore=_selectors(ignore),
        extend_select=_selectors(extend_select),
        target=target,
    )

    def files() -> list[str]:
        return find_modelfiles(paths or ["."])

    def once() -> int:
        force = settings(said, file=config, isolated=isolated)
        checked, unread = check_all(files(), force)
        before = [item.modelfile.text for item in checked]
        if fix or diff:
            checked = [_mend(item, force, unsafe=unsafe_fixes, write=not diff) for item in checked]
        differs = before != [item.modelfile.text for item in checked]
        if add_ignore:
            checked = [_silence(item, force) for item in checked]
        if statistics:
            _print_statistics(checked, as_json=output_format is Format.JSON)
        elif output_format is Format.TEXT and output_file is None and not diff:
            findings = [(item.modelfile.source, item.diagnostics) for item in checked]
            mended_to_stdout = fix and STDIN in (item.modelfile.source.path for item in checked)
            print_findings(findings, to_stderr=mended_to_stdout, summary=not quiet)
        elif not diff:
            _write(_rendered(output_format, checked, unread), output_file)
        if verbose:
            _print_undecided(checked)
        for failure in unread:
            print_error(failure.message, failure.hint)
        worst = max((_RANK[found.severity] for item in checked for found in item.diagnostics), default=-1)
        fails = worst >= _RANK[fail_level or force.config.fail_level] or (diff and differs)
        return 3 if unread else int(fails and not exit_zero)

    if watch:
        from modelfile.cli.watch import repeat

        repeat(once, files)
    raise typer.Exit(once())


def _selectors(given: list[str] | None) -> tuple[str, ...]:
    """Each given on its own, or several with commas between."""
    return tuple(selector.strip() for text in given or () for selector in text.split(",") if selector.strip())


def _print_undecided(checked: list[Checked]) -> None:
    files: dict[tuple[str, str], list[str]] = {}
    for item in checked:
        for rule, reason in item.undecided():
            files.setdefault((rule.name, reason), []).append(item.modelfile.source.path)
    for (name, reason), paths in files.items():
        where = paths[0] if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
        print_note(f"{where}: {name} could not look: {reason}")


def _print_statistics(checked: list[Checked], *, as_json: bool) -> None:
    counts = Counter((found.code, found.name) for item in checked for found in item.diagnostics)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    if as_json:
        import json

        rows = [{"code": code, "name": name, "count": count} for (code, name), count in ordered]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for (code, name), count in ordered:
            typer.echo(f"{count:6} {code} {name}")


def _rendered(output_format: Format, checked: list[Checked], unread: list[InputError]) -> str:
    findings = [(item.modelfile.source, item.diagnostics) for item in checked]
    match output_format:
        case Format.TEXT | Format.CONCISE:
            from modelfile.report.concise import findings_as_concise as render
        case Format.JSON:
            from modelfile.report.json_output import findings_as_json

            undecided = [(item.modelfile.source, item.undecided()) for item in checked]
            return findings_as_json(findings, unread, undecided)
        case Format.SARIF:
            from importlib.metadata import version

            from modelfile.report.sarif import findings_as_sarif

            pages = {rule.code: rule.page for rule in RULES}
            return findings_as_sarif(findings, version=version("modelfile"), pages=pages)
        case Format.GITHUB:
            from modelfile.report.github import findings_as_github as render
        case Format.GITLAB:
            from modelfile.report.gitlab import findings_as_gitlab as render
        case Format.JUNIT:
            from modelfile.report.junit import findings_as_junit as render
    return render(findings)


def _write(text: str, file: str | None) -> None:
    if file is not None:
        write_atomic(Path(file), f"{text.rstrip()}\n".encode())
    elif text:
        typer.echo(text.rstrip("\n"))


def _mend(item: Checked, force: Settings, *, unsafe: bool, write: bool) -> Checked:
    """The Modelfile with its fixes; written back, or shown."""
    from modelfile.linter.fixes import apply_fixes

    before = item.modelfile
    path = before.source.path
    mended, count = apply_fixes(before, lambda modelfile: diagnose(modelfile, path, force), unsafe=unsafe)
    if count and not write:
        print_line_diff(before.text, mended.text, path)
    elif write and path == STDIN:
        sys.stdout.buffer.write(mended.source.encode(mended.text))
    elif count and write:
        write_atomic(Path(path), mended.source.encode(mended.text))
        print_note(f"{path}: {count} mended")
    return replace(item, modelfile=mended, diagnostics=diagnose(mended, path, force))


def _silence(item: Checked, force: Settings) -> Checked:
    """The Modelfile with comments that silence what is found in it; written back."""
    path = item.modelfile.source.path
    unwanted = [found for found in item.diagnostics if found.severity is not Severity.ERROR]
    if not unwanted:
        return item
    silenced = _silenced(item, unwanted, force)
    left = {found.name for found in silenced.diagnostics} & {found.name for found in unwanted}
    if left:  # they are on the file, not on an instruction
        silenced = _silenced(item, unwanted, force, whole_file=left)
    write_atomic(Path(path), silenced.modelfile.source.encode(silenced.modelfile.text))
    print_note(f"{path}: {len(unwanted)} silenced")
    return silenced


def _silenced(
    item: Checked, unwanted: list[Diagnostic], force: Settings, *, whole_file: Container[str] = ()
) -> Checked:
    from modelfile.linter.suppressions import with_suppressions

    text = with_suppressions(item.modelfile, unwanted, whole_file=whole_file)
    modelfile = Modelfile.parse(replace(item.modelfile.source, text=text))
    return replace(item, modelfile=modelfile, diagnostics=diagnose(modelfile, modelfile.source.path, force))
