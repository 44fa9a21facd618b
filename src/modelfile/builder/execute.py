"""Build a model: look, plan, do, and look at what was made."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Final, assert_never

from modelfile.builder.forecast import held_key, is_opaque, recall_model, remember_model, seen, seen_key
from modelfile.builder.plan import (
    NOTHING_PINNED,
    Backup,
    Create,
    Pinned,
    Plan,
    PruneStaging,
    Publish,
    Pull,
    Quantize,
    StoreState,
    Upload,
    check_pin,
    plan,
)
from modelfile.builder.verification import verify
from modelfile.catalog.versions import release
from modelfile.errors import ModelfileError, NotFound, VerificationError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import name_lock
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import keep as keep_held
from modelfile.stores.backups import replace_tag
from modelfile.stores.protocol import ListedModel, Store, StoredModel
from modelfile.stores.protocol import held as held_under
from modelfile.stores.staging import WAITED_FOR, ahead, staging_name, stale_staging
from modelfile.stores.uploads import fetch, send_all
from modelfile.weights.checks import check_weights
from modelfile.weights.digests import are_known, digests_of, size_of

_LOG: Final = "look at the server's log"
_PATIENCE: Final = 5.0
"""In seconds, with a server that is to clean up."""
PATIENCE_ELSEWHERE: Final = 10.0
"""In seconds: between making a model and giving it its name there are some requests; who takes longer was killed."""
_MOMENT: Final = 0.1
"""In seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be built."""

    name: ModelName
    recipe: Recipe
    pinned: Pinned = NOTHING_PINNED
    keep: int = 0
    """How many of the models that the name held are kept."""
    base: Plan | None = None
    """Of the base, where another build of the same project makes it before: this one is only to be planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What a build did."""

    plan: Plan
    made: StoredModel
    kept: ModelName | None = None
    """Where what the name held before is now."""
    meanwhile: ModelName | None = None
    """Where that is now what another build gave the name while this one was under way."""
    sent: tuple[str, ...] = ()
    """The digests of the weights that were sent, in their order."""

    @property
    def unchanged(self) -> bool:
        """Whether the name holds what it held, also where it had to be made to be known."""
        return _same(self.made, self.plan.existing)

    @property
    def rewritten(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of weights that the server has made others of: what was sent, and what the model has in its place."""
        return rewritten(self.sent, self.made.model.weights)


def rewritten(sent: tuple[str, ...], made: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What was sent and is not in the model, and what is in it and was not sent."""
    return tuple(digest for digest in sent if digest not in made), tuple(
        digest for digest in made if sent and digest not in sent
    )


def prepare(job: Job, store: Store, events: Events = ignore) -> Plan:
    """The plan of a build, by what the store has now; nothing is done.

    Raises:
        InputError: The recipe has nothing to build from, or a local file cannot be read.
        ServerError: The store cannot say.
        VerificationError: The base, or what a build gives, is not what was pinned.
    """
    _, planned = _look(job, store, events)
    return planned


def _look(job: Job, store: Store, events: Events) -> tuple[Mapping[Path, str], Plan]:
    """The digests of all local files, and the plan; bad weights are refused before much is read of them."""
    known = are_known(job.recipe.local_files)
    if not known:
        check_weights(job.recipe.model_files, job.recipe.adapters, job.recipe.drafts, release(store.version()))
    digests = digests_of(job.recipe.local_files, events)
    planned = _prepare(job, digests, store)
    if known and digests and not planned.nothing_to_do:
        check_weights(job.recipe.model_files, job.recipe.adapters, job.recipe.drafts, release(planned.version))
    return digests, planned


def _prepare(job: Job, digests: Mapping[Path, str], store: Store) -> Plan:
    recipe = job.recipe
    listed = store.list()
    version = store.version()
    if job.base:
        base = _pending_base(job.base)
    else:
        base = _held(ModelName.parse(recipe.base), listed, store, version) if recipe.base else None
    world = StoreState(
        place=store.place,
        version=version,
        existing=_held(job.name, listed, store, version),
        base=base,
        base_pending=job.base is not None,
        listed=listed,
        stale_staging=stale_staging(job.name, listed),
        blobs=frozenset(digests.values()),
        sizes={path: size_of(path) for path in digests},
        record=recall_model(_seen_key(recipe, digests, base, store.place, version)) if is_opaque(recipe) else None,
    )
    planned = plan(job.name, recipe, digests, world, pinned=job.pinned, keep=job.keep)
    if planned.nothing_to_do or not digests:
        return planned
    there = frozenset(digest for digest in {*digests.values()} if store.has_blob(digest))
    return plan(job.name, recipe, digests, replace(world, blobs=there), pinned=job.pinned, keep=job.keep)


def _pending_base(base: Plan) -> StoredModel | None:
    """The base as it will be."""
    return StoredModel(name=base.name, digest="", model=base.expected) if base.expected else None


def _held(name: ModelName, listed: tuple[ListedModel, ...], store: Store, version: str) -> StoredModel | None:
    """What a name holds; not asked again of a manifest that is known. One without its weights is as good as none."""
    found = held_under(name, listed)
    if found is None:
        return None
    model = recall_model(held_key(store.place, version, found.digest))
    if model:
        whole = all(store.has_blob(digest) for digest in (*model.weights, *model.adapters, *model.drafts))
        return StoredModel(name=found.name, digest=found.digest, model=model) if whole else None
    stored = store.find(found.name)
    if stored:
        remember_model(held_key(store.place, version, stored.digest), stored.model)
    return stored


def _seen_key(recipe: Recipe, digests: Mapping[Path, str], base: StoredModel | None, place: str, version: str) -> str:
    request = recipe.request(digests, release(version))
    return seen_key(place, version, request, fingerprint(base.model) if base else None)


def build(job: Job, store: Store, events: Events = ignore, approve: Callable[[Plan], None] | None = None) -> Built:
    """Make a model, and return what was done and what the store then has.

    It is made under another name and looked at before it takes its own, so that a build that fails changes nothing.

    Args:
        job: What is asked.
        store: Where to make it.
        events: Is told how it goes.
        approve: Is shown the plan before anything is done, and may refuse it by an exception.

    Raises:
        InputError: The recipe has nothing to build from, or a local file cannot be read or changes meanwhile.
        ServerError: The store did not do it.
        VerificationError: The base or the model is not the one that was pinned, or not what was asked.
    """
    digests, planned = _look(job, store, events)
    if approve and not planned.steps:
        approve(planned)
    if not planned.steps and planned.existing:
        return Built(plan=planned, made=planned.existing, sent=_sent(job.recipe, digests))
    with name_lock(staging_name(job.name).full, store.place, events, f"build of {job.name}"):
        planned = _prepare(job, digests, store)  # another build may have ended since
        if approve:
            approve(planned)
        if planned.pull:
            fetch(planned.pull.base, store, events)
            planned = _prepare(job, digests, store)
            if planned.pull:
                what = f"{store.place} says it pulled {planned.pull.base}, and does not have it"
                raise VerificationError(what, hint=_LOG)
        with _staging(planned, store) as staging:
            return _execute(job, planned, staging, digests, store, events)


def _sent(recipe: Recipe, digests: Mapping[Path, str]) -> tuple[str, ...]:
    return () if recipe.base else tuple(dict.fromkeys(digests[path] for path in recipe.files))


@contextlib.contextmanager
def _staging(planned: Plan, store: Store) -> Iterator[ModelName]:
    """The name to build under, which is gone at the end; what a killed build left, the next one sweeps."""
    staging = staging_name(planned.name)
    used = any(isinstance(step, Create) for step in planned.steps)

    def remove() -> None:
        with contextlib.suppress(ModelfileError, RuntimeError):  # the failure that led here says more; or all is closed
            if used:
                store.remove(staging)

    try:
        yield staging
    except BaseException:
        removing = Thread(target=remove, daemon=True)  # a server that hangs does not hold up Ctrl-C
        removing.start()
        removing.join(_PATIENCE)
        raise
    remove()


def _execute(
    job: Job, planned: Plan, staging: ModelName, digests: Mapping[Path, str], store: Store, events: Events
) -> Built:
    made, kept, meanwhile = planned.existing, None, None
    killed: tuple[ModelName, ...] = ()
    if uploads := {step.path: step.digest for step in planned.steps if isinstance(step, Upload)}:
        send_all(uploads, store, events)
    for step in planned.steps:
        match step:
            case Pull() | Upload() | Quantize() | PruneStaging():
                pass  # done before | all at once | a part of create | at the end
            case Create(request):
                for progress in store.create(staging, request):
                    events(progress)
                made = _verify_created(job, planned, digests, store.find(staging), store)
                killed = _wait(job.name, store, events)
            case Backup(held):
                kept = None if _same(made, planned.existing) else keep_held(held, store, job.keep)
            case Publish(name):
                holds, meanwhile = replace_tag(staging, name, store, known=planned.held)
                made = _check_published(made, holds)
            case _:
                assert_never(step)
    for leftover in (*killed, *(step.name for step in planned.steps if isinstance(step, PruneStaging))):
        with contextlib.suppress(NotFound):
            store.remove(leftover)
    if made is None:
        raise VerificationError(f"nothing was made of {job.name} on {store.place}", hint=_LOG)
    return Built(plan=planned, made=made, kept=kept, meanwhile=meanwhile, sent=_sent(job.recipe, digests))


def _wait(name: ModelName, store: Store, events: Events) -> tuple[ModelName, ...]:
    """Let other machines that were quicker give the name what they have made, so that it can be kept.

    Returns what those have left that never did.
    """
    deadline = monotonic() + PATIENCE_ELSEWHERE
    while ahead(name, listed := store.list()):
        if monotonic() > deadline:
            return stale_staging(name, listed, WAITED_FOR)
        events(Progress(status=f"waiting for another machine that builds {name}"))
        sleep(_MOMENT)
    return ()


def _same(made: StoredModel | None, existing: StoredModel | None) -> bool:
    """Whether the same has been made again: what is made of local weights cannot always be known ahead."""
    return made is not None and existing is not None and made.digest == existing.digest


def _verify_created(
    job: Job, planned: Plan, digests: Mapping[Path, str], made: StoredModel | None, store: Store
) -> StoredModel:
    if made is None:
        raise VerificationError(f"{store.place} says it made {job.name}, and does not have it", hint=_LOG)
    verify(job.name, job.recipe, digests, planned, made.model)
    if promised := job.pinned.promised(planned.version):
        check_pin(f"what a build of {job.name} gives", promised, fingerprint(made.model))
    remember_model(held_key(store.place, planned.version, made.digest), made.model)
    if is_opaque(job.recipe):
        key = _seen_key(job.recipe, digests, planned.base, store.place, planned.version)
        remember_model(key, seen(made.model, job.recipe))
    return made


def _check_published(made: StoredModel | None, holds: ListedModel) -> StoredModel:
    """What the name holds now, which has to be what was made: somebody elsewhere may build the same name."""
    if made is None or holds.digest != made.digest:
        raise VerificationError(
            f"{holds.name} is not what was made of it a moment ago",
            hint="does another machine build the same model? run the command again",
        )
    return replace(made, name=holds.name)
