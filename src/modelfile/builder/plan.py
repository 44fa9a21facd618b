"""What a build will do, as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, TypeAlias

from modelfile.builder.forecast import is_opaque, predict
from modelfile.catalog.versions import release
from modelfile.differ import Change, compare_models
from modelfile.errors import InputError, VerificationError
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of, expired
from modelfile.stores.protocol import ListedModel, StoredModel
from modelfile.stores.protocol import held as held_under

SHORT: Final = 16
"""So much of a fingerprint tells it from others to a human eye."""


@dataclass(frozen=True, slots=True)
class PruneStaging:
    """Take away what a build that was killed left: last, lest it take weights along that need not be sent again."""

    name: ModelName


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch the base from its registry."""

    base: ModelName


@dataclass(frozen=True, slots=True)
class Upload:
    """Send a local file."""

    path: Path
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Quantize:
    """Make the weights of another type; a part of the create that follows."""

    kind: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the model, under a scratch name, and look whether it is what was asked."""

    request: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Backup:
    """Keep what the name holds, for `mf rollback`."""

    name: ModelName
    alias: ModelName
    evicted: tuple[ModelName, ...] = ()
    """What was kept longest, and is beyond what is to be kept."""


@dataclass(frozen=True, slots=True)
class Publish:
    """Give the name what was made."""

    destination: ModelName
    discarded: str = ""
    """The digest of what it holds, if that is kept nowhere."""


Step: TypeAlias = PruneStaging | Pull | Upload | Quantize | Create | Backup | Publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """What a lock says of a build. None: nothing."""

    base: str | None = None
    """The fingerprint that the base must have."""
    maker: str = ""
    """The Modelfile of the project that makes the base."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """The digests that local files must have."""
    model: str | None = None
    """The fingerprint that the model must have."""
    version: str | None = None
    """Of the only Ollama for which `model` is said; None: for any."""

    def promised(self, version: str) -> str | None:
        """The fingerprint that a build on this version of Ollama must give."""
        return self.model if self.version in (None, version) else None


NOTHING_PINNED: Final = Pinned()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What a store has, and what is known of it, as far as a plan depends on it."""

    place: str
    version: str
    existing: StoredModel | None = None
    """The model of the name that is built."""
    base: StoredModel | None = None
    base_pending: bool = False
    """Whether another build of the same project makes the base before; `base` is what it will be, as far as known."""
    listed: tuple[ListedModel, ...] = ()
    """All its models."""
    stale_staging: tuple[ModelName, ...] = ()
    """What builds of the same name that were killed have left."""
    blobs: frozenset[str] = frozenset()
    """The digests of local files that are there already."""
    sizes: Mapping[Path, int] = field(default_factory=dict)
    """Of local files, in bytes."""
    record: Model | None = None
    """What this server was seen to make of the same files before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a build will do, and why."""

    name: ModelName
    place: str
    version: str
    """The server's."""
    held: str | None
    """The digest of what is listed under the name; it may be a model whose weights have gone."""
    existing: StoredModel | None
    base: StoredModel | None
    steps: tuple[Step, ...]
    gives: str | None
    """The fingerprint that must come of it; None where it cannot be known ahead."""
    expected: Model | None
    """What must come of it, as far as known ahead."""
    changes: tuple[Change, ...] | None
    """In what the name holds, by meaning; None where they cannot be known ahead."""
    unknown: str = ""
    """What has to be done before more can be known."""

    @property
    def nothing_to_do(self) -> bool:
        """Whether the name already holds what is asked."""
        return self.existing is not None and fingerprint(self.existing.model) == self.gives

    @property
    def pull(self) -> Pull | None:
        """The pull that it begins with; what comes after it is to be planned again."""
        return next((step for step in self.steps if isinstance(step, Pull)), None)


def plan(
    name: ModelName,
    recipe: Recipe,
    digests: Mapping[Path, str],
    world: StoreState,
    *,
    pinned: Pinned = NOTHING_PINNED,
    keep: int = 0,
) -> Plan:
    """What a build of a recipe does to a store.

    Args:
        name: The model to make.
        recipe: What to make.
        digests: `sha256:…` of every local file.
        world: What the store has.
        pinned: What the lock says.
        keep: How many of the models that the name held are kept.

    Raises:
        InputError: The recipe has nothing to build from.
        VerificationError: A local file, the base, or what a build gives, is not what was pinned.
    """
    if not recipe.base and not recipe.files:
        raise InputError("FROM names nothing to build from")
    for path, digest in pinned.files.items():
        check_pin(f"`{path}`", digest, digests[path], name)
    if pinned.base and world.base and not world.base_pending:
        what = f"the base {world.base.name} on {world.place}"
        way = f"build it of `{pinned.maker}` first, or " if pinned.maker else ""
        check_pin(what, pinned.base, fingerprint(world.base.model), name, way)
    promised = pinned.promised(world.version)
    expected = predict(recipe, digests, world.base.model if world.base else None, world.record)
    gives = fingerprint(expected) if expected else None
    if promised and gives and not is_opaque(recipe):
        check_pin(f"what a build of {name} gives", promised, gives, name)
    if promised and promised != gives:
        expected, gives = None, promised
    held = fingerprint(world.existing.model) if world.existing else None
    done = held is not None and held == gives
    return Plan(
        name=name,
        place=world.place,
        version=world.version,
        held=listed.digest if (listed := held_under(name, world.listed)) else None,
        existing=world.existing,
        base=world.base,
        steps=(
            *(() if done else _steps(name, recipe, digests, world, keep=keep)),
            *map(PruneStaging, world.stale_staging),
        ),
        gives=gives,
        expected=expected,
        changes=() if done or not world.existing else _changes(world.existing.model, expected),
        unknown="" if expected or done else _unknown(recipe, world),
    )


def _changes(held: Model, expected: Model | None) -> tuple[Change, ...] | None:
    return compare_models(held, expected) if expected else None


def _unknown(recipe: Recipe, world: StoreState) -> str:
    if recipe.base and world.base is None:
        return f"{recipe.base} is {'built' if world.base_pending else 'pulled'}"
    return "the server has looked at the weights"


def _steps(
    name: ModelName, recipe: Recipe, digests: Mapping[Path, str], world: StoreState, *, keep: int
) -> tuple[Step, ...]:
    if world.base:  # create compares names with case, unlike all else (0.9.3)
        recipe = replace(recipe, base=str(world.base.name))
    steps: list[Step] = []
    if recipe.base and world.base is None and not world.base_pending:
        steps.append(Pull(ModelName.parse(recipe.base)))
    missing = {digest: path for path, digest in digests.items() if digest not in world.blobs}
    steps += (Upload(path, digest, world.sizes.get(path, 0)) for digest, path in missing.items())
    if recipe.quantize:
        steps.append(Quantize(recipe.quantize))
    steps.append(Create(recipe.request(digests, release(world.version))))
    steps += _take(name, world, keep=keep)
    return tuple(steps)


def _take(name: ModelName, world: StoreState, *, keep: int) -> Iterator[Step]:
    if world.existing is None:
        yield Publish(name)
        return
    existing = world.existing
    alias = alias_of(existing.name, existing.digest)
    if keep:
        yield Backup(existing.name, alias, expired(keep, existing.name, alias, world.listed))
    yield Publish(name, discarded="" if keep or held_under(alias, world.listed) else existing.digest)


def check_pin(what: str, pinned: str, now: str, untouched: ModelName | None = None, way: str = "") -> None:
    """Hold a fingerprint or a digest against the one that was pinned.

    Args:
        what: Whose it is.
        pinned: The one that was pinned.
        now: The one of now.
        untouched: The model that was to be built, if nothing was made of it.
        way: What may be done instead of a pin.

    Raises:
        VerificationError: It is another.
    """
    if now != pinned:
        raise VerificationError(
            f"{what} is not what was pinned: {_short(pinned)} then, {_short(now)} now",
            hint=(f"{untouched} is as it was; " if untouched else "")
            + f"{way}run `mf pin` if it is meant, and look at what that changes in mf.lock",
        )


def _short(digest: str) -> str:
    kind, _, digits = digest.partition(":")
    return f"{kind}:{digits[:12]}…"
