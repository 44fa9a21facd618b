"""Build one model: plan, create under a staging tag, verify, back up, publish."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final, assert_never, cast

from modelfile.builder.constraints import NO_CONSTRAINTS, RENEW, UPDATE, PinConstraints, check_pin
from modelfile.builder.forecast import is_opaque, observe
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
    StoreState,
    Upload,
    plan,
)
from modelfile.builder.scheduler import GRACE
from modelfile.builder.snapshot import Snapshot, manifest_key, observation_key, recall_observation, remember_model
from modelfile.catalog.versions import release
from modelfile.errors import ModelfileError, NotFound, VerificationError
from modelfile.events import Events, Progress, ignore
from modelfile.immutable import field, record, replace
from modelfile.library.replacement import is_immutable, would_replace
from modelfile.locks import name_lock
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import back_up, guarded, replace_tag
from modelfile.stores.protocol import ListedModel, Store, StoredModel, find_listed, missing_after
from modelfile.stores.staging import STALE_AGE_AFTER_WAIT, earlier_builds, staging_name, stale_staging
from modelfile.stores.uploads import pull_base, upload_all
from modelfile.weights.checks import check_weights
from modelfile.weights.digests import size_of

if TYPE_CHECKING:
    from modelfile.builder.bases import RegistryTags

_REMOVAL_TIMEOUT: Final = 5.0
"""Seconds to wait for the removal of a staging tag when a build fails."""
PUBLISH_TIMEOUT: Final = 10.0
"""Seconds after which a build elsewhere that has created its model and not published it counts as killed."""
_REPIN: Final = "remove its entry from mf.lock, then run `mf pin` with this Ollama"
_POLL: Final = 0.1
"""Interval, in seconds, of looks at the other builds."""


@record(kw_only=True)
class BuildRequest:
    """One model to build."""

    name: ModelName
    recipe: Recipe
    digests: Mapping[Path, str] = field(default_factory=dict)
    """`sha256:…` of every local file."""
    constraints: PinConstraints = NO_CONSTRAINTS
    """The requirements of the lock."""
    keep: int = 0
    """The number of previous models of the name to keep."""
    base: Plan | None = None
    """The plan of the base, if it is still to be built from the same project; this request can then only be planned."""
    needed: str | None = None
    """The fingerprint that the lock requires of it as the base of models that are built after it."""
    immutable: tuple[str, ...] = ()
    """The patterns of immutable tags."""
    replace: bool = False
    """True if a different model under an immutable tag is to be replaced."""
    tags: RegistryTags | None = None
    """The registries to ask for the tag of a locked base that the store does not have; None: none is asked."""
    checked: bool = False
    """True if the headers of the local files were checked."""

    @property
    def sent(self) -> tuple[str, ...]:
        """The digests of the weights, in their order."""
        return tuple(dict.fromkeys(self.digests[path] for path in self.recipe.model_files))


@record(kw_only=True)
class Built:
    """A build that succeeded."""

    plan: Plan
    created: StoredModel
    """The model that the name has now."""
    backup: ModelName | None = None
    """The alias of the model that the name had before."""
    concurrent_build: ModelName | None = None
    """The alias of the model that another build published at the same time."""
    sent: tuple[str, ...] = ()
    """The digests of the local weights, in their order."""
    warning: str = ""
    """A difference from the lock that is no failure."""

    @property
    def unchanged(self) -> bool:
        """True if the name has the same manifest as before."""
        return _same(self.created, self.plan.existing)

    @property
    def replaced(self) -> str | None:
        """The fingerprint of the different model that an immutable tag had before."""
        existing = self.plan.existing if self.plan.replaces is not False else None
        return existing.fingerprint if existing and existing.fingerprint != self.created.fingerprint else None

    @property
    def rewritten(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The digests of weights that the server rewrote: those sent, and those that the model has instead."""
        made = self.created.model.weights
        gone = tuple(digest for digest in self.sent if digest not in made)
        return gone, tuple(digest for digest in made if self.sent and digest not in self.sent)


def prepare(request: BuildRequest, store: Store, snapshot: Snapshot) -> Plan:
    """Return the plan of a build; nothing is done.

    Args:
        request: The model to build.
        store: The store to build it on.
        snapshot: The models of the store.

    Raises:
        InputError: The recipe has neither a base nor files, or a local file cannot be read.
        UsageError: The store cannot create the model.
        ServerError: The store cannot answer.
        VerificationError: The base or the expected model is not the pinned one.
    """
    recipe, digests, version = request.recipe, request.digests, store.ollama
    existing = snapshot.find(request.name)
    base, located = _pending_base(request.base) if request.base else None, None
    if recipe.base and not request.base:
        if request.constraints.base:
            from modelfile.builder.bases import find_base  # 1 ms that a project without a lock saves

            name = ModelName.parse(recipe.base)
            base, located = find_base(name, request.constraints, existing, snapshot, store, request.tags)
        else:
            base = snapshot.find(ModelName.parse(recipe.base))
    observed = recall_observation(recipe, digests, base, store) if is_opaque(recipe) else None
    state = StoreState(
        location=store.location,
        version=version,
        existing=existing,
        base=base,
        located=located,
        base_pending=request.base is not None,
        base_undecided=request.base is not None and request.base.expected_fingerprint is None,
        listed=snapshot.listed,
        stale_staging=stale_staging(request.name, snapshot.listed, in_folder=store.location.is_folder),
        blobs=frozenset(digests.values()),
        observed=observed,
    )
    make = partial(
        plan,
        request.name,
        recipe,
        digests,
        constraints=request.constraints,
        keep=request.keep,
        immutable=request.immutable,
    )
    planned = make(state)
    if planned.nothing_to_do:
        return planned
    if digests and not request.checked:
        check_weights(recipe.model_files, recipe.adapters, recipe.drafts, release(version))
    store.check_create(recipe)
    if not digests:
        return planned
    sizes = {path: size_of(path) for path in digests}
    blobs = frozenset(digest for path, digest in digests.items() if store.has_blob(digest, sizes[path]))
    missing = {digest: sizes[path] for path, digest in digests.items() if digest not in blobs}
    return make(replace(state, blobs=blobs, sizes=sizes, places=store.places(sum(missing.values()))))


def _pending_base(base: Plan) -> StoredModel | None:
    return StoredModel(name=base.name, digest="", model=base.expected) if base.expected else None


def build(
    request: BuildRequest,
    store: Store,
    events: Events = ignore,
    approve: Callable[[Plan], None] = lambda _: None,
    planned: Plan | None = None,
) -> Built:
    """Build a model, and return what the store has then.

    It is created under a staging tag and verified before it is published, so that a build that fails changes nothing.

    Args:
        request: The model to build.
        store: The store to build it on.
        events: Receives progress.
        approve: Is shown the plan before anything is done, and may refuse it by an exception.
        planned: The plan, if it was made just now.

    Raises:
        InputError: The recipe has neither a base nor files, or a local file cannot be read or changes while it is read.
        ServerError: The store could not do it.
        VerificationError: The base or the created model is not the pinned one, or not the expected one.
        WouldReplace: The tag is immutable and has a different model.
    """
    planned = planned or prepare(request, store, Snapshot(store))
    if not planned.steps and planned.existing:
        approve(planned)
        return Built(plan=planned, created=planned.existing, sent=request.sent)
    staging = staging_name(request.name, in_folder=store.location.is_folder)
    with name_lock(staging.full, str(store.location), events, f"build of {request.name}"):
        planned = prepare(request, store, Snapshot(store))  # another build may have ended since
        approve(planned)
        _check_replacement(request, planned)
        if step := planned.fetch:
            from modelfile.builder.bases import fetch  # as in `prepare`

            planned = fetch(step, request.tags, store, events, lambda: prepare(request, store, Snapshot(store)))
        elif planned.pull:
            planned = _pull(request, planned, planned.pull.base, store, events)
            _check_replacement(request, planned)
        with _staging(staging, planned, store):
            return _execute(request, planned, staging, store, events)


def _pull(request: BuildRequest, planned: Plan, base: ModelName, store: Store, events: Events) -> Plan:
    """Pull the base, and plan again.

    The tag's previous model is backed up first; the tag gets it back if the pull is not the locked base.
    """
    with name_lock(base.full, str(store.location), events, f"pull of {base}"):
        if planned.pulled_over:
            planned = prepare(request, store, Snapshot(store))  # another build may have pulled it since
            if not planned.pull:
                return planned
        replaced = find_listed(base, store.list()) if planned.pulled_over else None
        with guarded(replaced, store, max(request.keep, 1)) if replaced else contextlib.nullcontext() as guard:
            pull_base(base, store, events)
            snapshot = Snapshot(store)
            if (found := snapshot.find(base)) is None:
                raise missing_after("pulled", base, store.location)
            if locked := request.constraints.base_fingerprint:
                check_pin(str(base), locked, found.fingerprint, UPDATE)
            if guard:
                guard.replaced = True
        return prepare(request, store, snapshot)


def _check_replacement(request: BuildRequest, planned: Plan, created: str | None = None) -> None:
    if not request.replace and (error := planned.replacement(created)):
        raise error


@contextlib.contextmanager
def _staging(staging: ModelName, planned: Plan, store: Store) -> Iterator[None]:
    """Remove the staging tag at the end; the next build removes what a killed build left."""
    used = any(isinstance(step, Create) for step in planned.steps)

    def remove() -> None:
        # the failure that led here says more, or the session is closed already
        with contextlib.suppress(ModelfileError, RuntimeError):
            if used:
                store.delete(staging)

    try:
        yield
    except BaseException as error:
        removing = Thread(target=remove, daemon=True)  # a server that hangs does not hold up Ctrl-C
        removing.start()
        removing.join(GRACE if isinstance(error, KeyboardInterrupt) else _REMOVAL_TIMEOUT)
        raise
    remove()


def _execute(request: BuildRequest, planned: Plan, staging: ModelName, store: Store, events: Events) -> Built:
    created, backup, concurrent_build = planned.existing, None, None
    killed: tuple[ModelName, ...] = ()
    if uploads := {step.path: step.digest for step in planned.steps if isinstance(step, Upload)}:
        upload_all(uploads, store, events)
    for step in planned.steps:
        match step:
            case Pull() | Fetch() | Upload() | Quantize() | PruneStaging():
                pass  # done before | all at once | a part of create | at the end
            case PinBase(alias=alias):
                from modelfile.builder.bases import make_alias  # as in `prepare`

                make_alias(cast("StoredModel", planned.base), alias, store)
            case Create(recipe, digests):
                store.create(staging, recipe, digests, events)
                created = _verify_created(request, planned, store.find(staging), store)
                _check_replacement(request, planned, created.fingerprint)
                killed = _wait(request.name, store, events)
            case Backup(current):
                backup = None if _same(created, planned.existing) else back_up(current, store, request.keep)
            case Publish(name):
                check = partial(_check_concurrent, request, planned, created, store)
                previous = planned.previous_digest
                published, concurrent_build = replace_tag(staging, name, store, previous_digest=previous, approve=check)
                created = _verify_published(created, published)
            case _:
                assert_never(step)
    for stale in (*killed, *(step.name for step in planned.steps if isinstance(step, PruneStaging))):
        with contextlib.suppress(NotFound):
            store.delete(stale)
    if created is None:
        raise missing_after("published", request.name, store.location)
    return Built(
        plan=planned,
        created=created,
        backup=backup,
        concurrent_build=concurrent_build,
        sent=request.sent,
        warning=_warning(request, planned, created),
    )


def _warning(request: BuildRequest, planned: Plan, created: StoredModel) -> str:
    locked, version = request.constraints, planned.version
    if locked.version in (None, version) or locked.model in (None, created.fingerprint):
        return ""
    what = f"Ollama {version} creates another model from these weights than the {locked.version} of mf.lock"
    return f"{what}; {_REPIN} to pin that one"


def _pin_hint(request: BuildRequest, planned: Plan) -> str:
    """Return what to do about a model that is not the pinned one: another version of Ollama may build that."""
    pinned = request.constraints.version
    return f"use Ollama {pinned}, or {_REPIN}" if pinned not in (None, planned.version) else RENEW


def _wait(name: ModelName, store: Store, events: Events) -> tuple[ModelName, ...]:
    """Wait until builds elsewhere that created their model before this one have published it, so that it is backed up.

    Returns:
        The staging tags of those that never did.
    """
    deadline = monotonic() + PUBLISH_TIMEOUT
    in_folder = store.location.is_folder
    while earlier_builds(name, listed := store.list(), in_folder=in_folder):
        if monotonic() > deadline:
            return stale_staging(name, listed, STALE_AGE_AFTER_WAIT, in_folder=in_folder)
        events(Progress(status=f"waiting for another build of {name}"))
        sleep(_POLL)
    return ()


def _check_concurrent(
    request: BuildRequest, planned: Plan, created: StoredModel | None, store: Store, current: ListedModel
) -> None:
    """Check that no other build has published a different model under an immutable tag since the plan was made."""
    is_same = current.digest == planned.previous_digest
    if request.replace or is_same or not is_immutable(request.name, request.immutable):
        return
    found = store.find(current.name)
    if created and found and found.fingerprint != created.fingerprint:
        raise would_replace(request.name, store.location, found.fingerprint, created.fingerprint)


def _same(created: StoredModel | None, existing: StoredModel | None) -> bool:
    """Return whether a build gave the existing model; for local weights, this is not always known before."""
    return created is not None and existing is not None and created.digest == existing.digest


def _verify_created(request: BuildRequest, planned: Plan, created: StoredModel | None, store: Store) -> StoredModel:
    if created is None:
        raise missing_after("created", request.name, store.location)
    from modelfile.builder.verification import verify  # 2 ms that a build with nothing to do saves

    recipe, digests = request.recipe, request.digests
    verify(request.name, recipe, digests, planned, created.model)
    if locked := request.constraints.locked_fingerprint(planned.version):
        check_pin(f"the fingerprint of {request.name}", locked, created.fingerprint, _pin_hint(request, planned))
    if request.needed:  # or else it would be replaced, and the models based on it not
        check_pin(str(request.name), request.needed, created.fingerprint)
    remember_model(manifest_key(store.location, planned.version, created.digest), created.model, created.fingerprint)
    if is_opaque(recipe):
        base = planned.base.fingerprint if planned.base else None
        key = observation_key(store.location, planned.version, recipe, digests, base)
        observed = observe(created.model, recipe)
        remember_model(key, observed, fingerprint(observed))
    return created


def _verify_published(created: StoredModel | None, published: ListedModel) -> StoredModel:
    """Return the published model; another one means that a build elsewhere published its own."""
    if created is None or published.digest != created.digest:
        raise VerificationError(
            f"{published.name} is not the model that was just published",
            hint="another machine may build the same model; run the command again",
        )
    return replace(created, name=published.name)
