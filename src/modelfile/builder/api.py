"""Plan and build models: every target on every store, with an outcome each."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from threading import Event
from typing import TYPE_CHECKING, TypeAlias, cast

from modelfile.builder.additions import OnAdded, add_missing
from modelfile.builder.constraints import (
    check_frozen,
    check_locked,
    check_pin,
    check_registry,
    constraints,
    needed_fingerprint,
)
from modelfile.builder.execute import BuildRequest, Built, prepare
from modelfile.builder.execute import build as build_one
from modelfile.builder.forecast import is_opaque
from modelfile.builder.plan import Plan
from modelfile.builder.quantization import check_type, quantized, record_quantized
from modelfile.builder.scheduler import (
    Failed,
    Outcome,
    Skipped,
    Succeeded,
    build_all,
    refused,
    reject_replacements,
)
from modelfile.builder.snapshot import Snapshot, as_created
from modelfile.catalog.versions import Version, release
from modelfile.errors import InputError, ModelfileError, ServerError, VerificationError, WouldReplace
from modelfile.events import Events, Progress, ignore
from modelfile.immutable import record
from modelfile.immutable import replace as with_changes
from modelfile.names import ModelName
from modelfile.project import DEFAULT_IMMUTABLE, DEFAULT_KEEP
from modelfile.project.graph import Graph, graph_of
from modelfile.project.target import Target
from modelfile.stores.protocol import Registry, Store
from modelfile.weights.checks import check_weights

if TYPE_CHECKING:
    from modelfile.builder.bases import RegistryTags
    from modelfile.builder.planfile import PlanFile

OnPlan: TypeAlias = Callable[[Plan], None]
"""Is shown a plan before it is executed, and may refuse it by an exception."""
Check: TypeAlias = Callable[[Target, Version | None], object]
"""Is given each target and a store's version of Ollama first, and raises an InputError if it cannot be built."""


@record()
class _Prepared:
    request: BuildRequest
    plan: Plan
    store: Store


def plan(  # noqa: PLR0913  # each is a choice of its own
    targets: Iterable[Target],
    stores: Iterable[Store],
    *,
    registry: Registry | None = None,
    keep: int = DEFAULT_KEEP,
    locked: bool = False,
    frozen: bool = False,
    immutable: Collection[str] = DEFAULT_IMMUTABLE,
    quantizer: str = "",
    check: Check = lambda *_: None,
    events: Events = ignore,
) -> tuple[Outcome[Plan], ...]:
    r"""Return the steps that builds would take now, bases first; nothing is done.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, store = modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b")
    >>> (outcome,) = modelfile.plan([target], [store])
    >>> [type(step).__name__ for step in outcome.result.steps]
    ['Create', 'Publish']

    Args:
        targets: The models to build, each with a name.
        stores: The stores to build them on.
        registry: The registries of locked bases that a store does not have; None: none is asked.
        keep: The number of backups that a tag may have.
        locked: Whether the lock has to record all that the builds depend on.
        frozen: Whether to trust the lock, which has to have each base; no registry is asked.
        immutable: The patterns of immutable tags.
        quantizer: The llama-quantize that quantizes local weights, now; empty: the servers do that.
        check: Called with each target and the version of each store's Ollama, None if it is not known, before anything
            is sent; raises an InputError if it cannot be built.
        events: Receives progress.

    Returns:
        An outcome for each store and target: `Succeeded` with a plan as its `result`, `Failed`, or `Skipped`.

    Raises:
        InputError: The lock is damaged.
        StaleLock: `locked` or `frozen` is given, and the lock does not record what is to be built.
        UsageError: Models are based on one another in a circle, or two have one name.
    """
    batch = _Batch(
        targets,
        registry=registry,
        keep=keep,
        locked=locked,
        frozen=frozen,
        immutable=immutable,
        quantizer=quantizer,
        check=check,
        events=events,
    )
    prepared = (_prepare_all(batch, store) for store in stores)
    return tuple(_plan_of(outcome) for outcomes in prepared for outcome in outcomes.values())


def _plan_of(outcome: Outcome[_Prepared]) -> Outcome[Plan]:
    if isinstance(outcome, Succeeded):
        return Succeeded(name=outcome.name, store=outcome.store, result=outcome.result.plan)
    return outcome


class _Batch:
    """The models to build, checked, and the options that they share."""

    def __init__(  # noqa: PLR0913  # each is a choice of its own
        self,
        targets: Iterable[Target],
        *,
        keep: int,
        locked: bool,
        frozen: bool,
        immutable: Collection[str],
        check: Check,
        events: Events,
        replace: bool = False,
        plan_file: PlanFile | None = None,
        registry: Registry | None = None,
        quantizer: str = "",
    ) -> None:
        self.targets = {target.named: target for target in targets}
        self._check = check
        self._errors: dict[tuple[ModelName, Version | None], InputError | None] = {}
        for target in self.targets.values():
            with contextlib.suppress(InputError):  # reported for each store
                target.start_hashing()
        _ = [target.pin for target in self.targets.values()]  # a damaged lock is an error of all models
        if locked:
            check_locked(self.targets.values(), events)
        if frozen:
            check_frozen(self.targets.values())
        # a single model may be FROM its own name, as with `ollama create`: it is then built from its current contents
        self.graph = graph_of(self.targets.values()) if len(self.targets) > 1 else Graph(dict.fromkeys(self.targets))
        self.keep = keep
        self.locked = locked
        self.immutable = tuple(immutable)
        self.replace = replace
        self.events = events
        self.plan_file = plan_file
        self.builds = False
        self.quantizer = quantizer
        self.quantized: dict[ModelName, str] = {}
        self.tags = _tags_of(registry) if registry and not frozen else None

    def errors(self, store: Store | None) -> dict[ModelName, InputError]:
        """Return why targets cannot be built with the version of a store; None if it is not known."""
        found: dict[ModelName, InputError] = {}
        for name, target in self.targets.items():
            version = release(as_created(target, store).ollama) if store else None
            if (name, version) not in self._errors:
                self._errors[name, version] = None
                try:
                    self._check(target, version)
                except InputError as error:
                    self._errors[name, version] = error
            if known := self._errors[name, version]:
                found[name] = known
        return found


def _tags_of(registry: Registry) -> RegistryTags:
    from modelfile.builder.bases import RegistryTags  # 1 ms that a project without a lock saves

    return RegistryTags(registry)


def _prepare_all(batch: _Batch, store: Store) -> dict[ModelName, Outcome[_Prepared]]:
    graph, outcomes = batch.graph, dict[ModelName, Outcome[_Prepared]]()
    snapshot: Snapshot | ServerError | None = None
    errors: dict[ModelName, InputError] | None = None
    try:
        errors = batch.errors(store)
        if errors.keys() != batch.targets.keys():
            snapshot = Snapshot(store)
    except ServerError as error:
        errors, snapshot = batch.errors(None) if errors is None else errors, error
    for name in (name for layer in graph.layers() for name in layer):
        base = outcomes.get(graph.base[name]) if name in graph.base else None
        if name in errors:
            outcomes[name] = Failed(name=name, store=store.location, error=errors[name])
        elif isinstance(snapshot, ServerError):
            outcomes[name] = Failed(name=name, store=store.location, error=snapshot)
        elif isinstance(base, Failed | Skipped):
            because = base.because if isinstance(base, Skipped) else base.name
            outcomes[name] = Skipped(name=name, store=store.location, because=because)
        else:
            pending = base.result.plan if base and not base.result.plan.nothing_to_do else None
            try:
                prepared = _prepare(batch, name, store, cast("Snapshot", snapshot), pending)
            except ModelfileError as error:
                outcomes[name] = Failed(name=name, store=store.location, error=error)
            else:
                outcomes[name] = Succeeded(name=name, store=store.location, result=prepared)
    return outcomes


def _prepare(batch: _Batch, name: ModelName, store: Store, snapshot: Snapshot, pending: Plan | None) -> _Prepared:
    store = as_created(batch.targets[name], store)
    request = _request(batch, batch.targets[name], store, pending)
    if pending and pending.expected_fingerprint and (locked := request.constraints.base_fingerprint):
        check_pin(str(pending.name), locked, pending.expected_fingerprint)
    return _Prepared(request, prepare(request, store, snapshot), store)


def _request(batch: _Batch, target: Target, store: Store, base: Plan | None) -> BuildRequest:
    """Return the request of a target on a store; bad weights are refused before they are hashed."""
    version, events = release(store.ollama), batch.events
    recipe = target.recipe(version)
    check_registry(target, recipe, store, pending=base is not None)
    if checked := not target.is_hashed(version):
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, version)
    if target.quantize:
        check_type(target, recipe, store, version, here=bool(batch.quantizer))
    if checked and batch.builds and not batch.quantizer:
        store.begin_placing(recipe)
    digests = target.digests(version, events)
    recipe = target.with_detected(recipe, target.pin, digests)
    required = constraints(target, recipe, events, locked=batch.locked)
    if target.quantize and batch.quantizer:
        made = quantized(target, recipe, digests, batch.quantizer, events, locked=batch.locked)
        recipe, digests, batch.quantized[target.named] = made
        required = with_changes(required, files={})
    if batch.plan_file and required.model is None and is_opaque(recipe):  # all else is predicted again
        saved = batch.plan_file.expected(target.named, store.location)
        required = with_changes(required, model=saved, version=None)
    return BuildRequest(
        name=target.named,
        recipe=recipe,
        digests=digests,
        constraints=required,
        keep=batch.keep,
        immutable=batch.immutable,
        replace=batch.replace,
        base=base,
        needed=needed_fingerprint(target.named, batch.targets, batch.graph),
        tags=batch.tags,
        checked=checked,
    )


def build(  # noqa: PLR0913  # each is a choice of its own
    targets: Iterable[Target],
    stores: Iterable[Store],
    *,
    registry: Registry | None = None,
    keep: int = DEFAULT_KEEP,
    locked: bool = False,
    frozen: bool = False,
    immutable: Collection[str] = DEFAULT_IMMUTABLE,
    replace: bool = False,
    quantizer: str = "",
    check: Check = lambda *_: None,
    plan_file: PlanFile | None = None,
    on_plan: OnPlan = lambda _: None,
    on_added: OnAdded = lambda *_: None,
    events: Events = ignore,
) -> tuple[Outcome[Built], ...]:
    r"""Build models, each after its base, independent ones in parallel, and verify them.

    A model that is up to date is not touched. If one fails, those based on it are skipped, and the others still built.
    If the lock rules one out beforehand, nothing is built, and nothing on any store if a different model would be
    replaced under an immutable tag. If there is a lock, Modelfiles that it does not have are added to it once they are
    built, unless `locked` or `frozen` is given.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> target, store = modelfile.Project().target("bot:v1"), MemoryStore.with_models("llama3.2:3b")
    >>> (outcome,) = modelfile.build([target], [store])
    >>> outcome.result.created.model.system, outcome.result.unchanged
    ('Be brief.', False)

    Args:
        targets: The models to build, each with a name.
        stores: The stores to build them on.
        registry: The registries of locked bases that a store does not have; None: none is asked.
        keep: The number of backups that a tag may have.
        locked: Whether the lock has to record all that the builds depend on.
        frozen: Whether to trust the lock, which has to have each base; no registry is asked.
        immutable: The patterns of immutable tags.
        replace: Whether to replace a different model under an immutable tag; it is backed up unless `keep` is 0.
        quantizer: The llama-quantize that quantizes local weights; empty: the servers do that.
        check: Called with each target and the version of each store's Ollama, None if it is not known, before anything
            is sent; raises an InputError if it cannot be built.
        plan_file: The plan that the builds have to follow.
        on_plan: Called with each plan before it is executed; an exception from it stops that build.
        on_added: Called with each Modelfile that is added to its lock, or that cannot be, with the error.
        events: Receives progress.

    Returns:
        An outcome for each store and target, bases first: `Succeeded` with a `Built` as its `result`, `Failed`, or
        `Skipped`.

    Raises:
        InputError: The lock is damaged.
        StaleLock: `locked` or `frozen` is given, and the lock does not record what is to be built.
        UsageError: Models are based on one another in a circle, or two have one name.
        VerificationError: A plan differs from the plan file.
    """
    batch = _Batch(
        targets,
        registry=registry,
        keep=keep,
        locked=locked,
        frozen=frozen,
        immutable=immutable,
        check=check,
        events=events,
        replace=replace,
        plan_file=plan_file,
        quantizer=quantizer,
    )
    batch.builds = True
    prepared = [(store, _prepare_all(batch, store)) for store in stores]
    if plan_file:
        for outcome in (outcome for _, outcomes in prepared for outcome in outcomes.values()):
            if isinstance(outcome, Failed):
                raise outcome.error
            if isinstance(outcome, Succeeded):
                plan_file.check(outcome.result.plan)
    if not replace and (rejected := refused(_reject_replacements(prepared), WouldReplace)):
        return rejected
    built = [(store, _build_all(batch, store, outcomes, on_plan)) for store, outcomes in prepared]
    if not (locked or frozen):
        made = [
            (batch.targets[outcome.name], store, outcome.result.created)
            for store, outcomes in built
            for outcome in outcomes
            if isinstance(outcome, Succeeded)
        ]
        add_missing(made, registry, on_added, events)
        record_quantized({one: batch.quantized[one.named] for one, *_ in made if one.named in batch.quantized}, events)
    return tuple(chain.from_iterable(outcomes for _, outcomes in built))


def _reject_replacements(
    prepared: Iterable[tuple[Store, Mapping[ModelName, Outcome[_Prepared]]]],
) -> tuple[Outcome[Plan], ...]:
    """Return all outcomes; where the lock rules out a model, nothing is built that could replace another one."""
    plans = ([_plan_of(outcome) for outcome in outcomes.values()] for _, outcomes in prepared)
    checked = (of if refused(of, VerificationError) else reject_replacements(of) for of in plans)
    return tuple(chain.from_iterable(checked))


def _build_all(
    batch: _Batch, store: Store, prepared: Mapping[ModelName, Outcome[_Prepared]], on_plan: OnPlan
) -> Collection[Outcome[Built]]:
    graph, plan_file = batch.graph, batch.plan_file
    if ruled_out := refused(prepared.values(), VerificationError):
        return ruled_out

    def approve(plan: Plan) -> None:
        if plan_file and plan.name not in graph.base:  # once its base is built, the plan says more
            plan_file.check(plan)
        on_plan(plan)

    def build_named(name: ModelName, interrupted: Event) -> Built:
        def on_progress(now: Progress) -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            batch.events(now if len(graph.names) == 1 else with_changes(now, status=f"{name}: {now.status}"))

        outcome = prepared[name]
        if isinstance(outcome, Failed):
            raise outcome.error
        ready = cast("Succeeded[_Prepared]", outcome).result  # one whose base failed is never begun
        planned = None if ready.request.base else ready.plan
        built = build_one(with_changes(ready.request, base=None), ready.store, on_progress, approve, planned)
        batch.targets[name].record_build()
        return built

    return build_all(graph, store.location, build_named, on_interrupt=store.interrupt).values()
