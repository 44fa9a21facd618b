"""`mf build`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from shlex import quote
from threading import Lock
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from modelfile.cli.locations import Location, Use, location_of, open_at, open_planned
from modelfile.cli.options import agree, build_checker, load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, OllamaOfStore, Option, Replace, StoreFolder
from modelfile.errors import ExitCode, InputError, ModelfileError, UsageError, WouldReplace
from modelfile.events import Events
from modelfile.filesystem import write_atomic
from modelfile.immutable import record
from modelfile.project import DEFAULT_KEEP
from modelfile.project.discovery import STDIN
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.builder.plan import Plan
    from modelfile.builder.planfile import PlanFile
    from modelfile.builder.scheduler import Outcome
    from modelfile.catalog.versions import Version
    from modelfile.stores.protocol import Registry, Store

_Result = TypeVar("_Result")
_INTERRUPTED = "nothing is half-done; run it again, finished uploads are reused"


def build(  # noqa: PLR0913  # the command's options
    names: Annotated[
        list[str] | None,
        Argument(metavar="[NAME:TAG]...", help="Models to build; default: all in mf.toml, or in the plan."),
    ] = None,
    file: Annotated[
        str | None, Option("--file", "-f", metavar="FILE", help="Modelfile, or its folder; default: ./Modelfile.")
    ] = None,
    host: Annotated[
        list[str] | None,
        Option(metavar="URL", help="Ollama server, repeatable; default: $OLLAMA_HOST or http://127.0.0.1:11434."),
    ] = None,
    store: StoreFolder = None,
    *,
    ollama: OllamaOfStore = "",
    latest: Annotated[bool, Option("--latest", help="Allow a NAME without a tag to mean `latest`.")] = False,
    quantize: Annotated[str, Option("--quantize", metavar="TYPE", help="Quantize the weights, as q4_K_M.")] = "",
    quantizer: Annotated[
        str, Option("--with", metavar="PROGRAM", help="Quantize local weights here, by llama-quantize.")
    ] = "",
    dry_run: Annotated[bool, Option("--dry-run", help="Print the plan; change nothing.")] = False,
    exit_code: Annotated[
        bool, Option("--exit-code", help="With --dry-run: exit 1 if there is something to do.")
    ] = False,
    plan_out: Annotated[str | None, Option(metavar="FILE", help="Write the plan to FILE; change nothing.")] = None,
    plan: Annotated[
        str | None,
        Option(metavar="FILE", help="Execute a plan written by --plan-out; fail if it is out of date."),
    ] = None,
    keep: Annotated[
        int | None,
        Option(metavar="N", min=0, help=f"Number of backups to keep of the tag; default: {DEFAULT_KEEP}."),
    ] = None,
    locked: Annotated[bool, Option("--locked", help="Fail if mf.lock does not record what is to be built.")] = False,
    frozen: Annotated[
        bool, Option("--frozen", help="Build on the bases in mf.lock; ask no registry, write no lock.")
    ] = False,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Build models from Modelfiles on an Ollama server or in a folder, and verify them.

    Each Modelfile is judged by the version of the server, before anything is sent to it. With --store no server is
    needed: the folder has the files that Ollama would write, in the version of --ollama, of `ollama` in mf.toml, or
    0.24.0. What only a server can do, such as to convert safetensors, is rejected beforehand.

    With --quantize TYPE --with llama-quantize, that program of llama.cpp quantizes local weights on this machine: for a
    folder, and for Ollama 0.34.1 and later, whose server does not. The result is checked, kept in the cache for a week,
    and recorded in mf.lock if mf.toml lists the type. A dry run quantizes, too.

    Does nothing if the model is already up to date. Without NAME, builds all models that mf.toml lists; without TAG,
    the tag that mf.toml lists. Each model is built after its base. If one fails, the others are still built, except
    those based on it. Asks before a different model is replaced under an immutable tag, such as v1.2.

    If mf.lock rules one out beforehand, nothing is built. A Modelfile that has changed since `mf pin` is built with a
    warning; --locked fails instead, before anything is asked of a server. One that mf.lock does not have is added to it
    once it is built, unless there is no mf.lock, or --locked or --frozen is given.

    If mf.lock records the base, builds go FROM a copy of it, as `llama3.2:sha256-…`, whatever its tag has now. The
    base is searched for under all names; if it is gone, and its registry still has it under the tag, it is pulled
    after a backup of what the tag has. If it is lost, the error lists its layers.

    With --json: {"name", "host", "fingerprint", "digest", "ollama", "built", "backup", "replaced",
    "concurrent_build", "rewritten", "stale", "dropped_capabilities"}; for a plan {"name", "host", "ollama",
    "nothing_to_do", "existing", "base", "steps", "expected_fingerprint", "changes", "replaces", "pending", "stale",
    "dropped_capabilities"}; stale has the reasons for which mf.lock is out of date, as `mf pin --check` prints them.
    Unless a single NAME and server are given, a list, bases first, with {"name", "host", "error"} for failures and
    {"name", "host", "skipped"} for models that were not attempted. host is the URL of a server or the path of a folder.
    """
    only_plan = dry_run or plan_out is not None
    if locked and frozen:
        raise UsageError("--locked and --frozen cannot be used together", hint="pass only one of them")
    if exit_code and not dry_run:
        raise UsageError("--exit-code needs --dry-run")
    if plan is not None:
        _check_plan_options(
            only_plan=only_plan, others=bool(file or quantize or quantizer or latest or replace or keep is not None)
        )
    if plan_out is not None:
        _check_plan_out(plan_out, file, quantizer)
    project = load_project()
    plan_file = _load_plan(plan) if plan is not None else None
    if plan_file:
        targets, keep, replace = plan_file.targets(project, names), plan_file.keep, plan_file.replace
    else:
        targets = _targets(project, names or [], file, latest=latest, quantize=quantize)
        keep = project.config.keep if keep is None else keep
    if quantizer and not any(target.quantize for target in targets):
        raise UsageError("--with needs a type", hint='pass --quantize TYPE, or set `quantize = "…"` in mf.toml')
    locations, named = _locations(host, store, project, plan_file), bool(host) or store is not None
    several, confirmed = len(names or ()) != 1 or len(locations) > 1, named or plan_file is None
    request = _Options(
        targets,
        locations,
        keep,
        use=Use.PLAN if only_plan else Use.CREATE,
        ollama=ollama,
        check=build_checker(),
        locked=locked,
        frozen=frozen,
        replace=replace,
        quantizer=quantizer,
        as_json=as_json,
        several=several,
        confirmed=confirmed,
    )
    if only_plan:
        complete = _plan(request, project, plan_out)
        raise SystemExit(ExitCode.FINDINGS if exit_code and not complete else ExitCode.CLEAN)
    try:
        _build(request, project, plan_file)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_INTERRUPTED) from None


@record()
class _Options:
    targets: tuple[Target, ...]
    locations: tuple[Location, ...]
    keep: int
    use: Use
    ollama: str
    """The version of Ollama that a folder is written for; empty: that of the configuration."""
    replace: bool
    quantizer: str
    """The program that quantizes local weights; empty: the server does."""
    as_json: bool
    several: bool
    """True to print a list of results."""
    confirmed: bool
    """True if the user has named the servers or the folder, not only a plan."""
    check: Callable[[Target, Version | None], None]
    """Rejects a Modelfile that a version of Ollama would reject, and prints its findings."""
    locked: bool
    """True if mf.lock has to record what is to be built."""
    frozen: bool
    """True if mf.lock is trusted, and no registry is asked."""


def _check_plan_options(*, only_plan: bool, others: bool) -> None:
    if only_plan:
        raise UsageError("--plan cannot be used with --dry-run or --plan-out")
    if others:
        raise UsageError(
            "--plan cannot be used with --file, --quantize, --with, --latest, --keep or --replace: a plan has its own",
            hint="write another plan with --plan-out",
        )


def _check_plan_out(path: str, file: str | None, quantizer: str) -> None:
    if quantizer:
        raise UsageError("--plan-out cannot be used with --with: a plan has no weights of its own")
    if path == STDIN:
        hint = "pass a file, or print the plan with `--dry-run --json`"
        raise UsageError(
            "--plan-out cannot write to standard output: paths in a plan are relative to its folder", hint=hint
        )
    if file == STDIN:
        hint = "save the Modelfile as a file"
        raise UsageError("--plan-out cannot be used with a Modelfile from standard input", hint=hint)


def _load_plan(path: str) -> PlanFile:
    from modelfile.builder.planfile import PlanFile

    return PlanFile(Path(path))


def _targets(
    project: Project, names: list[str], file: str | None, *, latest: bool, quantize: str
) -> tuple[Target, ...]:
    if file and len(names) > 1:
        raise UsageError("--file can be used with a single NAME only", hint="list the models in mf.toml")
    if names:
        return tuple(project.target(name, file=file, latest=latest, quantize=quantize) for name in names)
    if file or latest:
        raise UsageError("--file and --latest need a NAME", hint="name the model, as in `mf build my-bot:v1`")
    if quantize:
        hint = 'name the model, as in `mf build my-bot:v1`, or set `quantize = "…"` in mf.toml under [models.my-bot]'
        raise UsageError("--quantize needs a NAME", hint=hint)
    if not project.targets:
        hint = "name a model, as in `mf build my-bot:v1`, or list models in mf.toml as [models.my-bot]"
        raise UsageError("no model to build", hint=hint)
    return project.targets


def _locations(
    hosts: list[str] | None, store: str | None, project: Project, plan_file: PlanFile | None
) -> tuple[Location, ...]:
    """Return where to build: on the servers of --host, in the folder of --store, as the plan has it, or the default."""
    if plan_file and not hosts and store is None:
        return plan_file.locations
    found = tuple(dict.fromkeys(location_of(host, store, project.config) for host in hosts or (None,)))
    if len(found) > 1:
        current.get().location = ""  # hints are for one of them
    others = [str(location) for location in found if plan_file and location not in plan_file.locations]
    if plan_file and others:
        option, there = ("--host", "that server") if hosts else ("--store", "that folder")
        message = f"the plan is for {', '.join(map(str, plan_file.locations))}, not for {', '.join(others)}"
        raise UsageError(message, hint=f"leave out {option}, or write a plan for {there} with --plan-out")
    return found


@contextmanager
def _stores(request: _Options, project: Project, title: str) -> Iterator[tuple[list[Store], Registry | None, Events]]:
    """Open the stores to build in, and the registries if there is a lock."""
    with ExitStack() as closing, progress(title, current.get()) as events:
        open_store = open_at if request.confirmed else open_planned
        stores = [
            closing.enter_context(open_store(location, use=request.use, ollama=request.ollama))
            for location in request.locations
        ]
        is_locked = not request.frozen and any(target.lock for target in request.targets)
        registry = closing.enter_context(open_registry(project.config)) if is_locked else None
        yield stores, registry, events


def _plan(request: _Options, project: Project, out: str | None) -> bool:
    """Make plans, print them and write them; return whether there is nothing to do."""
    from modelfile.builder.api import plan
    from modelfile.builder.planfile import check_replaceable, dumps, plan_as_json
    from modelfile.builder.scheduler import Succeeded, reject_replacements
    from modelfile.report.plans import print_dropped_capabilities, print_plans, print_stale

    terminal = current.get()
    if out is not None:
        check_replaceable(Path(out))
    with _stores(request, project, "planning") as (stores, registry, events):
        outcomes = plan(
            request.targets,
            stores,
            registry=registry,
            keep=request.keep,
            locked=request.locked,
            frozen=request.frozen,
            immutable=project.config.immutable,
            quantizer=request.quantizer,
            check=request.check,
            events=events,
        )
    if out is not None and not request.replace:
        outcomes = reject_replacements(outcomes)
    _raise_single(outcomes, request)
    plans = [outcome.result for outcome in outcomes if isinstance(outcome, Succeeded)]
    for planned in plans:
        print_stale(planned, terminal)
        print_dropped_capabilities(planned.name, planned, terminal)
    complete = len(plans) == len(outcomes)
    if out is not None and complete:
        text = dumps(request.targets, plans, Path(out).parent, keep=request.keep, replace=request.replace)
        write_atomic(Path(out), text.encode())
    if request.as_json:
        _print_json(outcomes, plan_as_json, request)
    else:
        print_plans(outcomes, terminal, replace=request.replace)
    if not complete:
        if out is not None:
            hint = "fix the error, or name a single model to plan"
            terminal.print_error(f"`{out}` was not written: a model could not be planned", hint)
        raise SystemExit(ExitCode.FAILED)
    if out is not None:
        terminal.print_note(f"wrote the plan to `{out}`; execute it with `mf build --plan {quote(out)}`")
    return all(plan.nothing_to_do for plan in plans)


def _start_hashing(targets: Sequence[Target]) -> None:
    """Begin to hash local files, beside the imports of what builds."""
    for target in targets:
        with suppress(InputError):  # reported when it is built
            target.start_hashing()


def _build(request: _Options, project: Project, plan_file: PlanFile | None) -> None:
    _start_hashing(request.targets)
    from modelfile.builder.api import build
    from modelfile.builder.scheduler import Failed, Succeeded
    from modelfile.report.json_output import built_as_json
    from modelfile.report.plans import print_built, print_dropped_capabilities, print_outcomes, print_plan, print_stale

    terminal = current.get()
    printing = Lock()  # models are built in parallel

    def on_plan(plan: Plan, *, replace: bool) -> None:
        with printing:
            print_stale(plan, terminal)
            print_dropped_capabilities(plan.name, plan, terminal)
        if not request.as_json and not terminal.quiet and not plan.nothing_to_do:
            with printing:
                print_plan(plan, terminal, replace=replace, err=True)

    def build_all(*, replace: bool) -> tuple[Outcome[Built], ...]:
        title = "building" if request.several else f"building {request.targets[0].named}"
        with _stores(request, project, title) as (stores, registry, events):
            return build(
                request.targets,
                stores,
                registry=registry,
                keep=request.keep,
                locked=request.locked,
                frozen=request.frozen,
                immutable=project.config.immutable,
                replace=replace,
                quantizer=request.quantizer,
                check=request.check,
                plan_file=plan_file,
                on_plan=partial(on_plan, replace=replace),
                on_added=_print_added,
                events=events,
            )

    outcomes = build_all(replace=request.replace)
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    rejected = [error for error in errors if isinstance(error, WouldReplace)]
    if rejected and not plan_file and agree(rejected, as_json=request.as_json):
        outcomes = build_all(replace=True)
    _raise_single(outcomes, request)
    for outcome in outcomes:
        if isinstance(outcome, Succeeded) and (warning := outcome.result.warning):
            terminal.print_warning(warning)
    if request.as_json:
        _print_json(outcomes, built_as_json, request)
    elif not request.several and isinstance(only := outcomes[0], Succeeded):
        print_built(only.result, terminal)
    else:
        print_outcomes(outcomes, terminal)
    if not all(isinstance(outcome, Succeeded) for outcome in outcomes):
        raise SystemExit(ExitCode.FAILED)


def _print_added(target: Target, error: ModelfileError | None) -> None:
    if error:
        current.get().print_warning(f"`{target.path}` was not added to mf.lock: {error.message}", error.hint)
    else:
        current.get().print_note(f"added `{target.path}` to mf.lock")


def _raise_single(outcomes: Sequence[Outcome[Any]], request: _Options) -> None:
    from modelfile.builder.scheduler import Failed

    for outcome in outcomes:
        if isinstance(outcome, Failed) and not request.several:
            raise outcome.error


def _print_json(
    outcomes: Sequence[Outcome[_Result]], result_as_json: Callable[[_Result], dict[str, Any]], request: _Options
) -> None:
    from modelfile.report.json_output import outcome_as_json, print_json

    items = [outcome_as_json(outcome, result_as_json) for outcome in outcomes]
    print_json(items if request.several else items[0], current.get())
