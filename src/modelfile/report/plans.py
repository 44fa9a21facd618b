"""Plans and the results of builds as text."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any, Final, assert_never

from modelfile.builder.constraints import RENEW
from modelfile.builder.plan import (
    Backup,
    Create,
    Fetch,
    PinBase,
    Plan,
    PruneStaging,
    Publish,
    Pull,
    Quantize,
    Step,
    Upload,
)
from modelfile.builder.scheduler import Failed, Outcome, Skipped, Succeeded
from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.catalog.versions import release
from modelfile.errors import InputError, ModelfileError
from modelfile.filesystem import format_size
from modelfile.names import short_digest, shorten_digest
from modelfile.report.models import print_table, short_name, shortened
from modelfile.report.terminal import Piece, Terminal

if TYPE_CHECKING:
    from modelfile.builder.execute import Built
    from modelfile.prediction import ExpectedModel
    from modelfile.stores.protocol import StoredModel, StoreLocation

_PREFERRED: Final = "Ollama 0.30 and later ignore this TEMPLATE if the chat template inside the weights supports more"
_WIDTH = 11
_FEW = 3


def print_plan(plan: Plan, terminal: Terminal, *, replace: bool, err: bool = False) -> None:
    """Print the current model, the steps of a plan, and the changes to the model.

    Args:
        plan: The plan.
        terminal: The output.
        replace: Whether the user has agreed to replace the model of an immutable tag.
        err: Whether to print to standard error.
    """
    terminal.write([(f"{plan.name}", "bold"), (f" {plan.location.where}, {_version(plan)}", "")], err=err)
    for title, text in _rows(plan, replace=replace):
        terminal.write(_row(title, text), err=err)
    if plan.changes:
        terminal.write(_row("changes", ""), err=err)
        from modelfile.report.differences import print_changes  # 3 ms that a plan with no change saves

        print_changes(plan.changes, terminal, err=err, indent="    ")


def _version(plan: Plan) -> str:
    return f"as by Ollama {plan.version}" if plan.location.is_folder else f"Ollama {plan.version}"


def print_stale(plan: Plan, terminal: Terminal) -> None:
    """Print a warning if the lock is stale for the Modelfile, with all reasons."""
    if plan.stale:
        details = [str(drift) for drift in plan.stale]
        terminal.print_warning(f"mf.lock is out of date for {plan.name}", RENEW, details)


def print_dropped_capabilities(model: object, planned: Plan | ExpectedModel, terminal: Terminal) -> None:
    """Print a warning if the TEMPLATE of a model takes capabilities away that the base has."""
    if dropped := planned.dropped_capabilities:
        names = " and ".join(name for name, _ in dropped)
        fields = " and ".join(f"`.{field}`" for _, field in dropped)
        base = short_name(planned.base.name) if planned.base else ""
        message = f"the TEMPLATE of {model} drops {names} that {base} supports: it lacks {fields}"
        known = release(planned.version)
        may_be_ignored = (known is None or known >= PREFERS_CHAT_TEMPLATES) and dropped[0][0] != "insert"
        details = [_PREFERRED] if may_be_ignored else []
        hint = "delete TEMPLATE, or start from the one that `mf show` prints for the base"
        terminal.print_warning(message, hint, details)


def print_up_to_date(plan: Plan, terminal: Terminal) -> None:
    """Print that there is nothing to do."""
    terminal.write([(f"{plan.name} is up to date: {plan.expected_fingerprint}", "")])


def print_built(built: Built, terminal: Terminal) -> None:
    """Print the result of one build."""
    if built.plan.nothing_to_do:
        print_up_to_date(built.plan, terminal)
        return
    terminal.write([(str(built.created.name), "bold")])
    terminal.write(_row("fingerprint", built.created.fingerprint))
    terminal.write(_row("digest", built.created.digest))
    _print_notes(built, terminal)


def _print_notes(built: Built, terminal: Terminal) -> None:
    """Print all that is worth knowing about a model that was not up to date."""
    if built.unchanged:
        terminal.write(_row("unchanged", "run `mf pin`, so that the next build can skip it"))
    if built.replaced:
        how = f"; `mf rollback {built.created.name} --replace` restores it" if built.backup else ", without a backup"
        terminal.write(_row("replaced", terminal.complete(f"{built.replaced}{how}")))
    if built.backup:
        terminal.write(_row("backup", short_name(built.backup)))
    if built.concurrent_build:
        text = (
            f"another build published this tag at the same time; its model is now {short_name(built.concurrent_build)}"
        )
        terminal.write(_row("concurrent", text))
    sent, made = built.rewritten
    if sent:
        terminal.write(_row("weights", f"sent {_some(sent)}"))
        terminal.write(_row("", f"Ollama {built.plan.version} rewrote them to {_some(made)}"))


def _some(digests: Collection[str]) -> str:
    first = ", ".join(map(short_name, [*digests][:_FEW]))
    return f"{first} and {len(digests) - _FEW} more" if len(digests) > _FEW else first


def print_outcomes(outcomes: Collection[Outcome[Built]], terminal: Terminal) -> None:
    """Print a line per model and server, then notes and errors."""
    rows: list[tuple[str, ...]] = [("MODEL", "SERVER", "RESULT", "FINGERPRINT")]
    rows += ((str(outcome.name), str(outcome.store), *_result(outcome)) for outcome in outcomes)
    if len({outcome.store for outcome in outcomes}) == 1:
        rows = [(name, result, made) for name, _, result, made in rows]
    print_table(shortened(rows), terminal)
    for outcome in outcomes:
        if isinstance(outcome, Succeeded) and _has_notes(outcome.result):
            terminal.write([(f"{outcome.name} {outcome.store.where}", "bold")])
            _print_notes(outcome.result, terminal)
    _print_failures(outcomes, terminal)


def _has_notes(built: Built) -> bool:
    if built.plan.nothing_to_do:
        return False
    return bool(built.unchanged or built.replaced or built.backup or built.concurrent_build or built.rewritten[0])


def print_plans(outcomes: Collection[Outcome[Plan]], terminal: Terminal, *, replace: bool) -> None:
    """Print the plan per model and server, then errors; `replace` as in `print_plan`."""
    for outcome in outcomes:
        match outcome:
            case Succeeded(result=plan):
                if plan.steps:
                    print_plan(plan, terminal, replace=replace)
                else:
                    print_up_to_date(plan, terminal)
            case Skipped(because=because):
                terminal.write([(f"{outcome.name}", "bold"), (f" {outcome.store.where}", "")])
                terminal.write(_row("skipped", f"{because} cannot be built"))
            case Failed():
                pass
            case _:
                assert_never(outcome)
    _print_failures(outcomes, terminal)


def _print_failures(outcomes: Collection[Outcome[Any]], terminal: Terminal) -> None:
    """Print the errors: one of local files once, with the models that it fails, whatever the number of servers."""
    failures: dict[tuple[str, ...], tuple[ModelfileError, list[str]]] = {}
    for outcome in outcomes:
        if isinstance(outcome, Failed):
            error, name = outcome.error, str(outcome.name)
            is_local = isinstance(error, InputError)
            key = (error.message, error.hint or "", *error.details) if is_local else (name, str(outcome.store))
            _, models = failures.setdefault(key, (error, []))
            models.append(name if is_local else f"{name} {outcome.store.where}")
    for error, models in failures.values():
        what = ", ".join(dict.fromkeys(models))
        message = error.message if error.message.startswith(what) else f"{what}: {error.message}"
        terminal.print_error(message, error.hint, error.details)


def _result(outcome: Outcome[Built]) -> tuple[str, str]:
    match outcome:
        case Succeeded(result=built):
            word = "up to date" if built.plan.nothing_to_do else "unchanged" if built.unchanged else "built"
            return word, built.created.fingerprint
        case Failed():
            return "failed", ""
        case Skipped(reason=reason):
            return f"skipped: {reason}", ""
        case _:
            assert_never(outcome)


def _row(title: str, text: str) -> list[Piece]:
    return [(f"  {title:<{_WIDTH}}  {text}".rstrip(), "")]


def _rows(plan: Plan, *, replace: bool) -> Iterator[tuple[str, str]]:
    yield "current", _short(plan.existing) if plan.existing else "none"
    if plan.base:
        yield (
            "base",
            f"{short_name(plan.base.name)}, {_short(plan.base)}" + ("" if plan.base.digest else " once it is built"),
        )
    for step in plan.steps:
        yield _describe(step, plan.location)
        if isinstance(step, Backup) and step.evicted:
            yield "evict", ", ".join(map(short_name, step.evicted))
    if plan.immutable_base:
        tag = plan.immutable_base[0]
        yield (
            "immutable",
            f"{'replaces' if replace else 'would replace'} the model of {tag}"
            + (" (--replace)" if replace else ": needs --replace"),
        )
    if plan.replaces is not False:
        yield "immutable", _describe_replacement(plan, replace=replace)
    if plan.nothing_to_do:
        yield "build", "nothing to do"
    if plan.expected_fingerprint:
        yield "fingerprint", plan.expected_fingerprint
    if plan.changes is None or not plan.expected_fingerprint:
        known = (("fingerprint", plan.expected_fingerprint is not None), ("changes", plan.changes is not None))
        yield "unknown", f"{' and '.join(what for what, is_known in known if not is_known)}, until {plan.pending}"


def _describe_replacement(plan: Plan, *, replace: bool) -> str:
    model = f"the model of {plan.name}"
    if replace:
        return f"{'replaces' if plan.replaces else 'may replace'} {model} (--replace)"
    return f"{'would' if plan.replaces else 'may'} replace {model}: needs --replace"


def _short(stored: StoredModel) -> str:
    return shorten_digest(stored.fingerprint)


def _describe(step: Step, location: StoreLocation) -> tuple[str, str]:  # noqa: PLR0911  # one for each kind
    match step:
        case PruneStaging(name):
            return "prune", f"{name}, the stale staging tag of a killed build"
        case Pull(base, replaced):
            return "pull", f"{base}" + (
                f", instead of {short_digest(replaced)}, for all users of the {location.noun}" if replaced else ""
            )
        case Fetch(base, alias, manifest, _):
            length = format_size(manifest.size)
            return "fetch", f"{base} as it was pinned, {length}, by its digests, as {short_name(alias)}"
        case PinBase(base, alias, replaced):
            note = f", which has another model ({short_digest(replaced)}) that is backed up" if replaced else ""
            return "pin base", f"{short_name(base)} as {short_name(alias)}{note}"
        case Upload(path, digest, length, is_placed):
            what = f"{path.name}, {format_size(length)} ({shorten_digest(digest)})"
            direct = "" if location.is_folder else ", directly in the folder of the server"
            return ("place", f"{what}{direct}") if is_placed else ("upload", what)
        case Quantize(kind):
            return "quantize", f"to {kind}"
        case Create(recipe, _):
            projectors = tuple(path for path in recipe.weight_files if path not in recipe.model_files)
            parts = (("projector", projectors), ("adapter", recipe.adapter_files), ("draft", recipe.drafts))
            others = "".join(
                f", with the {word} {', '.join(path.name for path in files)}" for word, files in parts if files
            )
            models = (path for path in recipe.weight_files if path not in projectors)
            source = short_name(recipe.base) if recipe.base else ", ".join(path.name for path in models)
            return "create", f"from {source}{others}, and verify"
        case Backup(name):
            return "back up", f"{name}, for `mf rollback`"
        case Publish(name, discarded):
            return "publish", f"as {name}" + (
                f", discarding {short_digest(discarded)} without a backup" if discarded else ""
            )
        case _:
            assert_never(step)
