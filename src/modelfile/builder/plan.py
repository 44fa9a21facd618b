"""The plan of a build, as data; a pure function of the recipe and of the state of the store."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from modelfile.builder.constraints import NO_CONSTRAINTS, RENEW, UPDATE, PinConstraints, check_pin
from modelfile.builder.forecast import expected_model, is_opaque, predict
from modelfile.errors import InputError, WouldReplace
from modelfile.immutable import field, record, replace
from modelfile.library.replacement import describe_changes, is_immutable, would_replace
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of, expired
from modelfile.stores.protocol import ListedModel, StoredModel, StoreLocation, find_listed

if TYPE_CHECKING:
    from modelfile.builder.bases import LocatedBase
    from modelfile.differ.comparison import Change
    from modelfile.lockfile.drift import Drift
    from modelfile.manifest import Manifest


@record()
class PruneStaging:
    """Remove what a killed build left; the last step, because weights that are in it need not be uploaded again."""

    name: ModelName


@record()
class Pull:
    """Pull the base."""

    base: ModelName
    replaced: str = ""
    """The digest of the model that the tag has, which changes for all users of the server; it is backed up before."""


@record()
class Fetch:
    """Download the locked base by its digests, as its tag has another model now, and give it its pin alias."""

    base: ModelName
    alias: ModelName
    manifest: Manifest
    """The manifest that the tag had."""
    replaced: str = ""
    """The digest of another model that has the alias, and that is backed up."""


@record()
class PinBase:
    """Copy the locked base to its pin alias, which the model is created from."""

    base: ModelName
    alias: ModelName
    replaced: str = ""
    """The digest of another model that has the alias, and that is backed up."""


@record()
class Upload:
    """Upload a local file."""

    path: Path
    digest: str
    size: int
    """In bytes."""
    is_placed: bool = field(default=False, compare=False)
    """True if it is put into the folder of the store, without being sent."""


@record()
class Quantize:
    """Quantize the weights; a part of the create that follows."""

    kind: str


@record()
class Create:
    """Create the model under a staging tag, and verify it."""

    recipe: Recipe
    digests: Mapping[Path, str]


@record()
class Backup:
    """Back up the model of the name, for `mf rollback`."""

    name: ModelName
    alias: ModelName
    evicted: tuple[ModelName, ...] = ()
    """The oldest backups, which exceed the number to keep."""


@record()
class Publish:
    """Publish the created model: copy the staging tag to the name."""

    destination: ModelName
    discarded: str = ""
    """The digest of the model that the name has, if there is no backup of it."""


Step: TypeAlias = PruneStaging | Pull | Fetch | PinBase | Upload | Quantize | Create | Backup | Publish


@record(kw_only=True)
class StoreState:
    """The state of a store, as far as a plan depends on it."""

    location: StoreLocation
    version: str
    existing: StoredModel | None = None
    """The model of the name to build."""
    base: StoredModel | None = None
    located: LocatedBase | None = None
    """The base, and its pin alias, if the lock records it."""
    base_pending: bool = False
    """True if the base is still to be built from the same project; `base` is then what is expected, if known."""
    base_undecided: bool = False
    """True if the base is still to be built, and its fingerprint is not known before."""
    listed: tuple[ListedModel, ...] = ()
    """All models of the store."""
    stale_staging: tuple[ModelName, ...] = ()
    """Staging tags that killed builds of the same name left."""
    blobs: frozenset[str] = frozenset()
    """The digests of the local files that the store has."""
    sizes: Mapping[Path, int] = field(default_factory=dict)
    """Of local files, in bytes."""
    places: bool = False
    """True if the store puts local files into its folder, without their being sent."""
    observed: Model | None = None
    """The result of `forecast.observe` for an earlier build of the same files on this server."""


@record(kw_only=True)
class Plan:
    """The steps of a build, and why."""

    name: ModelName
    location: StoreLocation
    version: str
    """The version of the server."""
    previous_digest: str | None
    """The digest that is listed under the name, also if the server can no longer read the model."""
    existing: StoredModel | None
    base: StoredModel | None
    steps: tuple[Step, ...]
    expected_fingerprint: str | None
    """The fingerprint that the build must give; None if it cannot be known before."""
    expected: Model | None
    """The model that the build must give; None if it cannot be known before."""
    changes: tuple[Change, ...] | None
    """Changes to the model of the name, by meaning; None if they cannot be known before."""
    nothing_to_do: bool = False
    """True if the model of the name is up to date."""
    pending: str = ""
    """The event after which more is known, as a clause."""
    stale: tuple[Drift, ...] = ()
    """Reasons for which the lock is stale for the Modelfile; it is built nevertheless."""
    replaces: bool | None = False
    """True if it replaces a different model under an immutable tag; None if that is known only once it is created."""

    immutable_base: tuple[ModelName, str, str] | None = None
    """An immutable tag that a pull gives the locked base, the fingerprint of its model, and that of the base."""

    @property
    def pull(self) -> Pull | None:
        """The pull that it begins with; after it, the build is planned again."""
        return next((step for step in self.steps if isinstance(step, Pull)), None)

    @property
    def fetch(self) -> Fetch | None:
        """The download by digests that it begins with; after it, the build is planned again."""
        return next((step for step in self.steps if isinstance(step, Fetch)), None)

    @property
    def pulled_over(self) -> Backup | None:
        """The backup of the tag's model that the pull replaces."""
        return self.steps[0] if self.pull and isinstance(self.steps[0], Backup) else None

    @property
    def dropped_capabilities(self) -> tuple[tuple[str, str], ...]:
        """The capabilities that the base's template gives and that of the new model does not, each with its variable.

        Empty if one of them is not known, or a PARSER may give them.
        """
        if self.nothing_to_do or not self.base or not self.expected:
            return ()
        from modelfile.differ.models import dropped_capabilities  # 1 ms that a build with nothing to do saves

        return dropped_capabilities(self.base.model, self.expected)

    def replacement(self, created: str | None = None) -> WouldReplace | None:
        """Return the error if the build replaces a different model under an immutable tag, and that is known.

        Args:
            created: The fingerprint of the created model; None before it is created.
        """
        if self.immutable_base and created is None:
            tag, current, locked = self.immutable_base
            return would_replace(tag, self.location, current, locked, details=["mf.lock records it as the base"])
        new = created or self.expected_fingerprint
        old = self.existing.fingerprint if self.existing else self.previous_digest
        if self.replaces is False or not old or not new or old == new:
            return None
        details = describe_changes(self._known_changes() if self.changes is None else self.changes)
        details += (f"mf.lock is out of date for {self.name}: {drift}" for drift in self.stale)
        return would_replace(self.name, self.location, old, new, details=details)

    def _known_changes(self) -> tuple[Change, ...]:
        """Return the changes to the model of the name but for the parts that only the server can tell."""
        create = next((step for step in self.steps if isinstance(step, Create)), None)
        if not create or not self.existing or (create.recipe.base and not self.base):
            return ()
        base, existing = self.base.model if self.base else None, self.existing.model
        expected = expected_model(create.recipe, create.digests, base=base, created=existing, version=self.version)
        return _changes(existing, expected, self.version) or ()


def plan(  # noqa: PLR0913  # each is a choice of its own
    name: ModelName,
    recipe: Recipe,
    digests: Mapping[Path, str],
    state: StoreState,
    *,
    constraints: PinConstraints = NO_CONSTRAINTS,
    keep: int = 0,
    immutable: Collection[str] = (),
) -> Plan:
    """Return the plan of a build.

    Args:
        name: The model to build.
        recipe: The recipe to build it from.
        digests: `sha256:…` of every local file.
        state: The state of the store.
        constraints: What the lock requires.
        keep: The number of previous models of the name to keep.
        immutable: The patterns of immutable tags.

    Raises:
        InputError: The recipe has neither a base nor files.
        VerificationError: A local file, the base or the expected model is not the pinned one.
    """
    if not recipe.base and not recipe.files:
        raise InputError("FROM is empty")
    for path, digest in constraints.files.items():
        check_pin(f"`{path}`", digest, digests[path])
    if constraints.base_fingerprint and state.base and not state.base_pending:
        hint = f"build it from `{constraints.maker}` first, or {RENEW}" if constraints.maker else UPDATE
        check_pin(str(state.base.name), constraints.base_fingerprint, state.base.fingerprint, hint)
    locked = None if state.base_undecided else constraints.locked_fingerprint(state.version)
    expected = predict(recipe, digests, state.base.model if state.base else None, state.observed, state.version)
    expected_fingerprint = fingerprint(expected) if expected else None
    if locked and expected_fingerprint and not is_opaque(recipe):
        check_pin(f"the expected fingerprint of {name}", locked, expected_fingerprint)
    if locked and locked != expected_fingerprint:
        expected, expected_fingerprint = None, locked
    nothing_to_do = state.existing is not None and state.existing.fingerprint == expected_fingerprint
    listed = find_listed(name, state.listed)
    replaces = None if listed and not nothing_to_do and is_immutable(name, immutable) else False
    return Plan(
        name=name,
        location=state.location,
        version=state.version,
        previous_digest=listed.digest if listed else None,
        existing=state.existing,
        base=state.base,
        steps=(
            *(() if nothing_to_do else _steps(name, recipe, digests, state, keep=keep)),
            *map(PruneStaging, state.stale_staging),
        ),
        expected_fingerprint=expected_fingerprint,
        expected=expected,
        changes=() if nothing_to_do or not state.existing else _changes(state.existing.model, expected, state.version),
        nothing_to_do=nothing_to_do,
        pending="" if expected or nothing_to_do else _pending(recipe, state),
        stale=constraints.stale,
        immutable_base=_immutable_base(constraints, state, immutable),
        replaces=True if replaces is None and expected_fingerprint else replaces,
    )


def _changes(existing: Model, expected: Model | None, version: str) -> tuple[Change, ...] | None:
    from modelfile.catalog.versions import release
    from modelfile.differ.models import compare_models  # 1 ms that a build with nothing to do saves

    return compare_models(existing, expected, ollama=release(version)) if expected else None


def _immutable_base(
    constraints: PinConstraints, state: StoreState, immutable: Collection[str]
) -> tuple[ModelName, str, str] | None:
    located, locked = state.located, constraints.base_fingerprint
    if not located or not located.replaced or not locked or not is_immutable(located.replaced.name, immutable):
        return None
    return located.replaced.name, located.replaced_fingerprint, locked


def _pending(recipe: Recipe, state: StoreState) -> str:
    if recipe.base and state.base is None:
        return f"{recipe.base} is {'built' if state.base_pending else 'pulled'}"
    return f"the {state.location.noun} has read the weights"


def _steps(
    name: ModelName, recipe: Recipe, digests: Mapping[Path, str], state: StoreState, *, keep: int
) -> tuple[Step, ...]:
    steps = [*_bring_base(recipe, state, keep=keep)]
    if state.located:
        recipe = replace(recipe, base=str(state.located.alias))
    elif state.base:  # create compares names with case, unlike every other request (0.9.3)
        recipe = replace(recipe, base=str(state.base.name))
    missing = {digest: path for path, digest in digests.items() if digest not in state.blobs}
    steps += (Upload(path, digest, state.sizes.get(path, 0), state.places) for digest, path in missing.items())
    if recipe.quantize:
        steps.append(Quantize(recipe.quantize))
    steps.append(Create(recipe, digests))
    steps += _publish(name, state, keep=keep)
    return tuple(steps)


def _bring_base(recipe: Recipe, state: StoreState, *, keep: int) -> Iterator[Step]:
    """Yield the steps after which the base has the name that the model is created from."""
    located, name = state.located, ModelName.parse(recipe.base) if recipe.base else None
    if name and state.base is None and not state.base_pending:
        if located and located.manifest:
            yield Fetch(name, located.alias, located.manifest, located.discarded)
            return
        if located and (replaced := located.replaced):
            alias = alias_of(replaced.name, replaced.digest)
            yield Backup(replaced.name, alias, expired(max(keep, 1), replaced.name, alias, state.listed))
            yield Pull(replaced.name, replaced.digest)
        else:
            yield Pull(name)
    if name and located and not located.is_pinned:
        yield PinBase(located.stored.name if located.stored else name, located.alias, located.discarded)


def _publish(name: ModelName, state: StoreState, *, keep: int) -> Iterator[Step]:
    if state.existing is None:
        yield Publish(name)
        return
    existing = state.existing
    alias = alias_of(existing.name, existing.digest)
    if keep:
        yield Backup(existing.name, alias, expired(keep, existing.name, alias, state.listed))
    yield Publish(name, discarded="" if keep or find_listed(alias, state.listed) else existing.digest)
