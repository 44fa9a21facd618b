"""Findings to report."""

from modelfile.diagnostics import Diagnostic, Severity
from modelfile.source import Source, Span

Files = list[tuple[Source, tuple[Diagnostic, ...]]]


def found(start: int, end: int, message: str, severity: Severity, hint: str | None = None) -> Diagnostic:
    names = {Severity.ERROR: "unknown-parameter", Severity.WARNING: "unpinned-base", Severity.INFO: "missing-purpose"}
    codes = {Severity.ERROR: "MF301", Severity.WARNING: "MF201", Severity.INFO: "MF505"}
    return Diagnostic(
        code=codes[severity],
        name=names[severity],
        severity=severity,
        span=Span(start, end),
        message=message,
        hint=hint,
    )


def files() -> Files:
    """Wide characters before the place, a path to escape, a file with nothing, and a span over two lines."""
    wide = Source(text="FROM x\r\n语🙂 temp 1\n", path="模型/100%, a:b/Modelfile")
    return [
        (wide, (found(11, 15, "no `{{ .X }}` 50%\nor \x1b语", Severity.ERROR, "did you mean, `a:b`?"),)),
        (Source(text="FROM y:1\n", path="./clean/Modelfile"), ()),
        (
            Source(text="FROM x\nFROM x\n", path="b"),
            (found(0, 9, "untagged", Severity.WARNING), found(0, 0, "no purpose", Severity.INFO)),
        ),
    ]
