"""`mf fmt`."""

from __future__ import annotations

from typing import Annotated, Any

from modelfile.cli.options import load_project, paths_or_stdin
from modelfile.cli.parameters import AsJson, ForceExclude, Option, Paths, StdinFilename
from modelfile.errors import ExitCode, InputError, UsageError
from modelfile.formatter import format_modelfile
from modelfile.report.file_diffs import print_line_diff
from modelfile.report.json_output import error_as_json, print_json
from modelfile.report.terminal import Terminal, current


def fmt(  # noqa: C901, PLR0913  # four modes, and the command's options
    paths: Paths = None,
    *,
    check: Annotated[bool, Option("--check", help="List files that would change; exit 1 if any.")] = False,
    diff: Annotated[bool, Option("--diff", help="Print the changes; exit 1 if there are any.")] = False,
    unsafe_newlines: Annotated[bool, Option("--unsafe-newlines", help="Write LF line endings in values too.")] = False,
    force_exclude: ForceExclude = False,
    stdin_filename: StdinFilename = None,
    as_json: AsJson = False,
) -> None:
    """Format Modelfiles in the canonical style, never changing what they mean to Ollama.

    Default: the current folder. Text between the comments `# fmt: off` and `# fmt: on` is not changed, apart from its
    line endings. A file whose values have carriage returns (CRLF line endings), which Ollama keeps, is reported and not
    changed; with --unsafe-newlines, it gets LF line endings everywhere.

    With --json: a list of {"path", "changed"}, or {"path", "error": {"message", "hint", "code"}}.
    """
    terminal = current.get()
    if as_json and diff:
        raise UsageError("--json cannot be used with --diff")
    project = load_project(force_exclude=force_exclude, stdin_filename=stdin_filename)
    answers: list[dict[str, Any]] = []
    formats_stdin = False
    targets = project.modelfiles(paths_or_stdin(paths, stdin_filename))
    if stdin_filename is not None and not (targets or check or diff or as_json):  # excluded
        terminal.write_content(terminal.stdin.buffer.read())
    for target in targets:
        try:
            modelfile = target.modelfile
            text = format_modelfile(modelfile, unsafe_newlines=unsafe_newlines)
            changed = text != modelfile.text
            if changed and not (check or diff or target.is_stdin):
                target.write(text)
        except InputError as error:
            terminal.print_error(error.message, error.hint)
            answers.append({"path": str(target.path), **error_as_json(error)})
            continue
        answers.append({"path": str(target.path), "changed": changed})
        if changed and diff:
            print_line_diff(modelfile.text, text, str(target.path), terminal)
        elif target.is_stdin and not check and not as_json:
            terminal.write_content(modelfile.source.encode(text))
            formats_stdin = True
        elif changed and not as_json:
            terminal.print(f"{'would reformat' if check else 'reformatted'} {target.path}")
    if as_json:
        print_json(answers, terminal)
    elif not formats_stdin:
        _print_counts(answers, terminal, would="would be " if check or diff else "", err=diff)
    if any("error" in answer for answer in answers):
        raise SystemExit(ExitCode.FAILED)
    if (check or diff) and any(answer["changed"] for answer in answers):
        raise SystemExit(ExitCode.FINDINGS)


def _print_counts(answers: list[dict[str, Any]], terminal: Terminal, *, would: str, err: bool) -> None:
    """Print how many files were formatted, unless all failed or --quiet is given."""
    failed = sum("error" in answer for answer in answers)
    changed = sum(answer.get("changed", False) for answer in answers)
    counts = {f"{would}reformatted": changed, "already formatted": len(answers) - changed - failed, "failed": failed}
    parts = [f"{count} {what}" for what, count in counts.items() if count]
    if len(answers) > failed and not terminal.quiet:
        number, _, what = parts[0].partition(" ")
        parts[0] = f"{number} {'file' if number == '1' else 'files'} {what}"
        terminal.print(", ".join(parts), err=err)
