"""`mf lint`."""

from __future__ import annotations

import sys
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from modelfile.cli.checked import Checked, check_all, diagnose
from modelfile.cli.files import STDIN, find_modelfiles, write_atomic
from modelfile.cli.settings import Settings, settings
from modelfile.config import Config
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError
from modelfile.lint.rules import RULES
from modelfile.report.as_json import findings_as_json
from modelfile.report.text import print_error, print_findings, print_line_diff
from modelfile.source import Source

Findings: TypeAlias = list[tuple[Source, tuple[Diagnostic, ...]]]

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


def lint(  # noqa: PLR0913  # the command's options
    paths: Annotated[
        list[str] | None, typer.Argument(help="Modelfiles, folders to look for them in, or - for standard input.")
    ] = None,
    *,
    output_format: Annotated[Format, typer.Option("--format", help="How to print what is found.")] = Format.TEXT,
    select: Annotated[list[str] | None, typer.Option(help="Rules in force: codes, families, names, ALL.")] = None,
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
) -> None:
    """Find what is wrong with Modelfiles, and mend it with --fix.

    Without PATHS, looks in this folder. Exits 1 if there is an error or a warning. Configured by `[tool.mf]` in
    pyproject.toml, or by mf.toml. A comment `# mf: ignore[rule] reason` above an instruction silences a rule there,
    `# mf: ignore-file[rule] reason` in the whole file.
    """
    said = Config(
        select=tuple(select or Config().select),
        ignore=tuple(ignore or ()),
        extend_select=tuple(extend_select or ()),
        target=target,
    )
    force = settings(said, file=config, isolated=isolated)
    checked, unread = check_all(find_modelfiles(paths or ["."]), force)
    if fix or diff:
        checked = [_mend(item, force, unsafe=unsafe_fixes, write=not diff) for item in checked]
    findings = [(item.modelfile.source, item.diagnostics) for item in checked]
    if diff:
        pass
    elif statistics:
        counts = Counter((found.code, found.name) for item in checked for found in item.diagnostics)
        for (code, name), count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
            typer.echo(f"{count:6} {code} {name}")
    elif output_format is Format.TEXT and output_file is None:
        print_findings(findings)
    else:
        _report(_rendered(output_format, findings, unread), output_file)
    for failure in unread:
        print_error(failure.message, failure.hint)
    if unread:
        raise typer.Exit(3)
    worst = max((_RANK[found.severity] for item in checked for found in item.diagnostics), default=-1)
    if worst >= _RANK[fail_level or force.config.fail_level] and not exit_zero:
        raise typer.Exit(1)


def _rendered(output_format: Format, findings: Findings, unread: list[InputError]) -> str:
    match output_format:
        case Format.TEXT | Format.CONCISE:
            from modelfile.report.concise import findings_as_concise as render
        case Format.JSON:
            return findings_as_json(findings, unread)
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


def _report(text: str, file: str | None) -> None:
    if file is not None:
        write_atomic(Path(file), f"{text.rstrip()}\n".encode())
    elif text:
        typer.echo(text.rstrip("\n"))


def _mend(item: Checked, force: Settings, *, unsafe: bool, write: bool) -> Checked:
    """The Modelfile with its fixes; written back, or shown."""
    from modelfile.lint.fixes import apply_fixes

    before = item.modelfile
    path = before.source.path
    mended, count = apply_fixes(before, lambda modelfile: diagnose(modelfile, path, force), unsafe=unsafe)
    if count and not write:
        print_line_diff(before.text, mended.text, path)
    elif write and path == STDIN:
        sys.stdout.buffer.write(mended.source.encode(mended.text))
    elif count and write:
        write_atomic(Path(path), mended.source.encode(mended.text))
        typer.echo(f"{path}: {count} mended", err=True)
    return Checked(modelfile=mended, diagnostics=diagnose(mended, path, force))
