"""`mf check`."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Annotated

from modelfile.cli.lint import Format, lint_all, print_undecided, resolve_format, write_report
from modelfile.cli.options import load_project
from modelfile.cli.parameters import Argument, AsJson, ConfigFile, ForceExclude, Isolated, Option
from modelfile.diagnostics import Safety, Severity
from modelfile.errors import ExitCode, UsageError
from modelfile.events import Events, Progress
from modelfile.inspection import CONDITIONS, CheckResult
from modelfile.inspection import check as check_all
from modelfile.project.discovery import is_stream
from modelfile.report.findings import print_findings
from modelfile.report.formats import MARK, Report, render
from modelfile.report.progress import progress
from modelfile.report.terminal import current


def check(  # noqa: PLR0913  # the command's options
    paths: Annotated[list[str] | None, Argument(help="Modelfiles, or folders to search.")] = None,
    *,
    output_format: Annotated[Format, Option("--format", help="Output format.")] = "text",
    fail_level: Annotated[Severity | None, Option(help="Lowest severity that exits 1.")] = None,
    output_file: Annotated[str | None, Option(metavar="FILE", help="File to write findings to.")] = None,
    config: ConfigFile = None,
    isolated: Isolated = False,
    force_exclude: ForceExclude = False,
    as_json: AsJson = False,
) -> None:
    """Check everything that needs no server: lint, `fmt --check` and `pin --check`.

    Default: the current folder, and what mf.lock has of it. Exits 1 if there is an error or a warning: a finding of a
    rule, a Modelfile that `mf fmt` would change (FMT001), or one that differs from mf.lock (PIN001 to PIN009). Use it
    in CI; what has changed on a server is not checked. A Modelfile with errors is not checked further.

    With --json: {"version", "files", "unread", "undecided", "findings"}, as docs/schema/check.schema.json has it.
    """
    output_format = resolve_format(output_format, as_json=as_json)
    if any(map(is_stream, paths or ())):
        raise UsageError("standard input cannot be checked", hint="name a file, or run `mf lint -`")
    terminal = current.get()
    project = load_project(config, isolated=isolated, force_exclude=force_exclude)
    with ExitStack() as closing:
        shown: list[Events] = []

        def show(now: Progress) -> None:
            if not shown:  # it starts a thread, before which other processes have to be started
                shown.append(closing.enter_context(progress("checking", terminal)))
            shown[0](now)

        result = check_all(paths or None, project, events=show, lint_all=lint_all)
    findings = [(file.source, file.diagnostics) for file in result.files]
    if output_format == "text" and output_file is None:
        print_findings(findings, terminal, modelfiles=result.modelfiles, fixes=_describe_fixes(result))
    else:
        report = Report(
            findings=findings,
            unread=result.unread,
            undecided=((file.source, file.undecided()) for file in result.files),
            command="check",
            modelfiles=result.modelfiles,
            titles=[(condition.code, condition.title) for condition in CONDITIONS],
        )
        write_report(render(report, output_format), output_format, output_file)
    print_undecided((file.source.path, file.diagnostics, file.undecided) for file in result.files)
    for error in result.unread:
        terminal.print_error(error.message, error.hint)
    if result.unread:
        raise SystemExit(ExitCode.FAILED)
    raise SystemExit(ExitCode(any(file.fails(fail_level) for file in result.files)))


def _describe_fixes(result: CheckResult) -> str:
    """Return the commands that fix findings, with the number of each."""
    found = [one for file in result.files for one in file.diagnostics]
    families = Counter(one.code[:3] for one in found)
    safe = sum(one.fix is not None and one.fix.safety is Safety.SAFE for one in found)
    numbers = {"lint --fix": safe, "fmt": families["FMT"], "pin": families["PIN"]}
    first, *others = [f"{number} with `mf {name}`" for name, number in numbers.items() if number] or [""]
    return ", ".join(((f"{MARK} " if safe else "") + first.replace(" with", " fixable with", 1), *others))
