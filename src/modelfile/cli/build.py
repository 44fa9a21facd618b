"""`mf build`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, assert_never

import typer

from modelfile.cli.files import STDIN
from modelfile.cli.models import print_json
from modelfile.cli.orders import Approve, Order, build_one, build_project, order, order_of, plans, project
from modelfile.cli.server import url_of
from modelfile.errors import InputError, UsageError
from modelfile.filesystem import write_atomic
from modelfile.names import ModelName
from modelfile.project.config import Config, find_config, load_config
from modelfile.report.terminal import print_error, print_note

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.builder.plan import Plan
    from modelfile.builder.planfile import PlanFile
    from modelfile.builder.scheduler import Outcome
    from modelfile.events import Events

INTERRUPTED = 130
_PRINTED = "`--dry-run --json` prints what would be done"
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How it is to be done and told."""

    hosts: list[str]
    as_json: bool
    several: bool
    """Whether there are several results, or would be if there were more models or servers."""


def build(  # noqa: PLR0913  # the command's options
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME:TAG]", help="The model to make; else all of mf.toml, or of the plan."),
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", "-f", metavar="FILE", help="The Modelfile; else ./Modelfile.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="The Ollama server, or several; else OLLAMA_HOST, else http://127.0.0.1:11434."
        ),
    ] = None,
    *,
    latest: Annotated[bool, typer.Option("--latest", help="Allow a NAME without a tag: `latest` is meant.")] = False,
    quantize: Annotated[
        str, typer.Option("--quantize", "-q", metavar="TYPE", help="The type to make the weights of, as q4_K_M.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")] = False,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="With --dry-run: exit 2 if there is something to do, as terraform does; wrong usage exits 2 too.",
        ),
    ] = False,
    plan_out: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write what would be done to FILE, and do nothing.")
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Do what --plan-out wrote to FILE, or refuse if it is no longer the same; needs no more.",
        ),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="How many models that the tag held are kept for `mf rollback`; else 3."),
    ] = None,
    no_keep: Annotated[bool, typer.Option("--no-keep", help="Keep none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what was made, or would be done, as JSON.")] = False,
) -> None:
    """Build a model from a Modelfile on an Ollama server, and check what the server made of it.

    A model that already is what the Modelfile says is left alone. Without NAME, builds all models that mf.toml lists,
    each after what it is FROM; one that fails keeps no other from it, but for what is FROM it. Where it is known ahead
    that mf.lock refuses one, none is built.

    With --json: {"name", "host", "fingerprint", "digest", "ollama", "built", "kept", "meanwhile", "rewritten"}; for a
    plan {"name", "host", "ollama", "nothing_to_do", "existing", "base", "steps", "gives", "changes", "unknown_until"}.
    Without NAME, or for several servers, it is a list, with {"name", "host", "error", "hint"} for what failed and
    {"name", "host", "skipped"} for what is FROM it.
    """
    only_planned = dry_run or plan_out is not None
    if detailed_exitcode and not only_planned:
        raise UsageError("--detailed-exitcode goes with --dry-run")
    if plan is not None:
        _refuse(only_planned=only_planned, otherwise=bool(file or quantize or no_keep or keep is not None))
    if no_keep and keep is not None:
        raise UsageError("--keep and --no-keep contradict each other")
    if plan_out is not None:
        _check_plan_out(plan_out, file)
    saved = _saved(plan) if plan is not None else None
    if saved:
        orders = [order_of(asked) for asked in saved.asked(ModelName.parse(name) if name is not None else None)]
    else:
        orders = _orders(name, file, latest=latest, quantize=quantize, keep=0 if no_keep else keep)
    hosts = _hosts(host, saved)
    way = _Way(hosts=hosts, as_json=as_json, several=name is None or len(hosts) > 1)
    from modelfile.report.progress import progress

    try:
        with progress("planning" if only_planned else f"building {name or 'the project'}") as events:
            if only_planned:
                planned = [(url, *planned) for url in hosts for planned in plans(orders, url, events).items()]
            else:
                built = _build(orders, way, events, saved)
    except KeyboardInterrupt:
        _interrupted(way)
    if not only_planned:
        _tell(built, way)
    elif not all(plan.nothing_to_do for plan in _show(planned, way, orders, plan_out)) and detailed_exitcode:
        raise typer.Exit(2)


def _refuse(*, only_planned: bool, otherwise: bool) -> None:
    """Refuse what --plan does not go with."""
    if only_planned:
        raise UsageError("--plan does what was planned: it goes with neither --dry-run nor --plan-out")
    if otherwise:
        what = "--plan says what is built and how: it goes with neither --file, --quantize, --keep nor --no-keep"
        raise UsageError(what, hint="to build something else, plan it with --plan-out")


def _check_plan_out(path: str, file: str | None) -> None:
    if path == STDIN:
        raise UsageError("--plan-out wants a file: a plan tells where the Modelfiles are from there", hint=_PRINTED)
    if file == STDIN:
        raise UsageError("standard input is not there later", hint="for --plan-out, save the Modelfile as a file")


def _orders(name: str | None, file: str | None, *, latest: bool, quantize: str, keep: int | None) -> list[Order]:
    configured = find_config(Path())  # what it says of rules is looked at with the Modelfile
    config = load_config(configured) if configured else Config()
    kept = config.keep if keep is None else keep
    if name is None and (file or latest):
        raise UsageError("--file and --latest are about one model", hint="name it, as in `mf build my-bot:v1`")
    if name is None:
        return project(config, quantize=quantize, keep=kept)
    listed = next((model for model in config.models if not file and model.name.same_as(ModelName.parse(name))), None)
    path = str(listed.modelfile) if listed else file or "Modelfile"
    kind = quantize or (listed and listed.quantize) or ""
    try:
        return [order(name, path, latest=latest, quantize=kind, keep=kept)]
    except InputError as error:
        if listed or file or Path(path).exists():
            raise
        others = ", ".join(str(model.name) for model in config.models)
        hint = "name the Modelfile, as in `--file bot/Modelfile`"
        raise InputError(error.message, hint=f"{hint}; `mf build` alone builds {others}" if others else hint) from error


def _hosts(given: list[str] | None, saved: PlanFile | None) -> list[str]:
    """The servers that are meant: of those that are planned for, if there is a plan."""
    if saved and not given:
        return [*saved.hosts]
    addresses = given or [os.environ.get("OLLAMA_HOST", "")]
    hosts = list(dict.fromkeys(url_of(address) for address in addresses))
    if saved and (others := [url for url in hosts if url not in saved.hosts]):
        what = f"--plan says on which server: {', '.join(saved.hosts)}, not {', '.join(others)}"
        raise UsageError(what, hint="leave --host out; to build on another, plan it with --plan-out")
    return hosts


def _interrupted(way: _Way) -> NoReturn:
    hint = "every model is as it was or as asked; run the command again: what was sent whole is not sent again"
    print_error("interrupted", hint)
    if way.as_json:
        print_json({"error": "interrupted", "hint": hint})
    raise typer.Exit(INTERRUPTED)


def _saved(path: str) -> PlanFile:
    from modelfile.builder.planfile import PlanFile

    try:
        return PlanFile(Path(path).read_bytes(), path)
    except OSError as error:
        raise InputError(f"`{path}` cannot be read: {error.strerror or error}") from error


def _approval(saved: PlanFile | None, *, quiet: bool) -> Approve:
    """What is done with a plan before it is done."""
    telling = Lock()  # several are built side by side

    def approve(plan: Plan) -> None:
        if saved:
            saved.approve(plan)
        if not quiet and not plan.nothing_to_do:
            from modelfile.report.plans import print_plan

            with telling:
                print_plan(plan, sys.stderr)

    return approve


def _show(
    outcomes: list[tuple[str, ModelName, Outcome[Plan]]], way: _Way, orders: list[Order], out: str | None
) -> list[Plan]:
    """Print what would be done, and write it.

    Raises:
        ModelfileError: The only model cannot be planned.
        Exit: One of several cannot, and nothing was written.
    """
    from modelfile.builder.planfile import dumps, plan_as_json
    from modelfile.builder.scheduler import Failed, Succeeded

    for _, _, outcome in outcomes:
        if isinstance(outcome, Failed) and not way.several:
            raise outcome.error
    planned = [outcome.result for _, _, outcome in outcomes if isinstance(outcome, Succeeded)]
    whole = len(planned) == len(outcomes)
    if out is not None and whole:
        write_atomic(Path(out), dumps(orders, planned, Path(out).parent).encode())
    if way.as_json:
        _print_json([_as_json(url, name, outcome, plan_as_json) for url, name, outcome in outcomes], way)
    else:
        from modelfile.report.plans import print_plans

        print_plans(outcomes, sys.stdout)
    if whole:
        if out is not None:
            print_note(f"plan written to `{out}`; `mf build --plan {quote(out)}` does it")
        return planned
    if out is not None:
        hint = "mend what failed, or name the one model that is meant"
        print_error(f"`{out}` is not written: it would lack a model", hint)
    raise typer.Exit(3)


def _build(
    orders: list[Order], way: _Way, events: Events, saved: PlanFile | None
) -> list[tuple[str, ModelName, Outcome[Built]]]:
    from modelfile.builder.scheduler import Failed, Succeeded

    if saved and way.several:  # all or nothing
        for url in way.hosts:
            for outcome in plans(orders, url, events).values():
                if isinstance(outcome, Failed):
                    raise outcome.error
                if isinstance(outcome, Succeeded):
                    saved.approve(outcome.result)
        if len(orders) * len(way.hosts) > 1:  # once a base is built, the plans of what is FROM it say more
            saved = None
    approve = _approval(saved, quiet=way.as_json)
    if not way.several:
        (only,) = orders
        return [(way.hosts[0], only.name, Succeeded(build_one(only, way.hosts[0], events, approve)))]
    return [
        (url, name, outcome)
        for url in way.hosts
        for name, outcome in build_project(orders, url, events, approve).items()
    ]


def _tell(outcomes: list[tuple[str, ModelName, Outcome[Built]]], way: _Way) -> None:
    from modelfile.builder.scheduler import Succeeded
    from modelfile.report.plans import print_built, print_outcomes

    if way.as_json:
        _print_json([_as_json(url, name, outcome, _built) for url, name, outcome in outcomes], way)
    elif not way.several and isinstance(only := outcomes[0][2], Succeeded):
        print_built(only.result, sys.stdout)
    else:
        print_outcomes(outcomes, sys.stdout)
    if not all(isinstance(outcome, Succeeded) for _, _, outcome in outcomes):
        raise typer.Exit(3)


def _as_json(
    url: str, name: ModelName, outcome: Outcome[_Result], told: Callable[[_Result], dict[str, Any]]
) -> dict[str, Any]:
    from modelfile.builder.scheduler import Failed, Skipped, Succeeded

    of = {"name": str(name), "host": url}
    match outcome:
        case Succeeded(result):
            return of | told(result)
        case Failed(error):
            return of | {"error": error.message, "hint": error.hint}
        case Skipped(because):
            return of | {"skipped": f"{because} failed"}
        case _:
            assert_never(outcome)


def _built(built: Built) -> dict[str, Any]:
    from modelfile.recipe.model import fingerprint

    sent, made = built.rewritten
    return {
        "fingerprint": fingerprint(built.made.model),
        "digest": built.made.digest,
        "ollama": built.plan.version,
        "built": not built.plan.nothing_to_do,
        "kept": str(built.kept) if built.kept else None,
        "meanwhile": str(built.meanwhile) if built.meanwhile else None,
        "rewritten": {"sent": sent, "made": made} if sent else None,
    }


def _print_json(items: list[dict[str, Any]], way: _Way) -> None:
    print_json(items if way.several else items[0])
