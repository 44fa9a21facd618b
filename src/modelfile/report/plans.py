"""Plans and what came of them, as text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, TextIO, TypeVar, assert_never

from modelfile.builder.plan import SHORT, Backup, Create, Plan, PruneStaging, Publish, Pull, Quantize, Step, Upload
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.report.models import short, short_name
from modelfile.report.terminal import Piece, print_changes, print_error, visible, write

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.builder.scheduler import Outcome
    from modelfile.stores.protocol import StoredModel

_WIDTH = 11
_FEW = 3
_Result = TypeVar("_Result")


def print_plan(plan: Plan, file: TextIO) -> None:
    """What is there, what will be done, and what it changes."""
    write([(visible(f"{plan.name}"), "bold"), (visible(f" on {plan.place}, Ollama {plan.version}"), "")], file)
    for title, text in _rows(plan):
        write(_row(title, text), file)
    if plan.changes:
        write(_row("changes", ""), file)
        print_changes(plan.changes, file, indent="    ")


def print_nothing_to_do(plan: Plan, file: TextIO) -> None:
    """A model that is as it should be."""
    write([(visible(f"Nothing to do: {plan.name} already is {plan.gives}"), "")], file)


def print_built(built: Built, file: TextIO) -> None:
    """What was made."""
    sent, made = built.rewritten
    if built.plan.nothing_to_do:
        print_nothing_to_do(built.plan, file)
    else:
        write([(visible(str(built.made.name)), "bold")], file)
        write(_row("fingerprint", fingerprint(built.made.model)), file)
        write(_row("digest", built.made.digest), file)
        if built.kept:
            write(_row("kept", f"what it held, as {short_name(built.kept)}"), file)
        if built.meanwhile:
            meanwhile = f"another build gave it another model, kept as {short_name(built.meanwhile)}"
            write(_row("meanwhile", meanwhile), file)
        if sent:
            write(_row("weights", f"{_some(sent)} was sent"), file)
            write(_row("", f"{_some(made)} is what Ollama {built.plan.version} made of it"), file)


def _some(digests: Collection[str]) -> str:
    first = ", ".join(map(short_name, [*digests][:_FEW]))
    return f"{first} and {len(digests) - _FEW} more" if len(digests) > _FEW else first


def print_outcomes(outcomes: Collection[tuple[str, ModelName, Outcome[Built]]], file: TextIO) -> None:
    """A line for each model and server."""
    rows = [("MODEL", "SERVER", "RESULT", "FINGERPRINT")]
    rows += ((str(name), url, *_result(outcome)) for url, name, outcome in outcomes)
    if len({url for url, _, _ in outcomes}) == 1:
        rows = [(name, "", result, made) for name, _, result, made in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = (f"{visible(cell):<{width}}" for cell, width in zip(row, widths, strict=True) if width)
        line = "  ".join(cells)
        write([(line.rstrip(), "" if number else "bold")], file)
    _print_failures(outcomes)


def print_plans(outcomes: Collection[tuple[str, ModelName, Outcome[Plan]]], file: TextIO) -> None:
    """The plan for each model and server."""
    from modelfile.builder.scheduler import Failed, Skipped, Succeeded

    for url, name, outcome in outcomes:
        match outcome:
            case Succeeded(plan):
                (print_plan if plan.steps else print_nothing_to_do)(plan, file)
            case Skipped(because):
                write([(visible(f"{name}"), "bold"), (visible(f" on {url}"), "")], file)
                write(_row("left out", f"{because} cannot be built"), file)
            case Failed():
                pass
            case _:
                assert_never(outcome)
    _print_failures(outcomes)


def _print_failures(outcomes: Collection[tuple[str, ModelName, Outcome[_Result]]]) -> None:
    from modelfile.builder.scheduler import Failed

    for url, name, outcome in outcomes:
        if isinstance(outcome, Failed):
            print_error(f"{name} on {url}: {outcome.error.message}", outcome.error.hint)


def _result(outcome: Outcome[Built]) -> tuple[str, str]:
    from modelfile.builder.scheduler import Failed, Skipped, Succeeded

    match outcome:
        case Succeeded(result):
            word = "nothing to do" if result.plan.nothing_to_do else "built"
            return word, fingerprint(result.made.model)
        case Failed():
            return "failed", ""
        case Skipped(because):
            return f"left out: {because} failed", ""
        case _:
            assert_never(outcome)


def _row(title: str, text: str) -> list[Piece]:
    return [(f"  {title:<{_WIDTH}}  {visible(text)}".rstrip(), "")]


def _rows(plan: Plan) -> Iterator[tuple[str, str]]:
    yield "now", _short(plan.existing) if plan.existing else "not there"
    if plan.base:
        yield "base", f"{plan.base.name}, {_short(plan.base)}" + ("" if plan.base.digest else " once it is built")
    for step in plan.steps:
        yield _told(step)
        if isinstance(step, Backup) and step.evicted:
            yield "let go", f"what was kept longest: {', '.join(map(short_name, step.evicted))}"
    if plan.nothing_to_do:
        yield "to do", "nothing"
    if plan.gives:
        yield "gives", plan.gives
    if plan.changes is None or not plan.gives:
        what = "what it gives" if plan.changes is not None else "changes" if plan.gives else "what it gives and changes"
        yield "not known", f"{what}, until {plan.unknown}"


def _short(stored: StoredModel) -> str:
    return f"{fingerprint(stored.model)[:SHORT]}…"


def _told(step: Step) -> tuple[str, str]:  # noqa: PLR0911  # one for each kind
    match step:
        case PruneStaging(name):
            return "sweep", f"{name}, which a build that was killed has left"
        case Pull(base):
            return "pull", str(base)
        case Upload(path, digest, size):
            from rich.filesize import decimal

            return "upload", f"{path.name}, {decimal(size)} ({digest[: len('sha256:') + 12]}…)"
        case Quantize(kind):
            return "quantize", f"to {kind}"
        case Create(request):
            beside = "".join(
                f", with the {word} {', '.join(request[key])}"
                for key, word in (("adapters", "adapter"), ("draft_files", "draft"))
                if request.get(key)
            )
            source = request.get("from") or ", ".join(request["files"])
            return "create", f"from {source}{beside}, and look at what came of it"
        case Backup(name):
            return "keep", f"what {name} holds, for `mf rollback`"
        case Publish(name, discarded):
            return "take", f"the name {name}" + (
                f", which loses what it holds ({short(discarded)})" if discarded else ""
            )
        case _:
            assert_never(step)
