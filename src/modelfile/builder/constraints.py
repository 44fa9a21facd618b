"""Requirements of the lock on a build."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.errors import InputError, StaleLock, VerificationError
from modelfile.events import Events, ignore
from modelfile.immutable import field, record, replace
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.recipe import Recipe


@record(kw_only=True)
class PinConstraints:
    """The requirements of the lock on a build; None where it requires nothing."""

    base: Base | None = None
    """The base that the lock has."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Digests that local files must have."""
    model: str | None = None
    """Fingerprint that the model must have."""
    version: str | None = None
    """Ollama version that `model` was pinned with; None if all versions build the same."""
    strict: bool = False
    """True if every version of Ollama has to build `model`."""
    stale: tuple[Drift, ...] = ()
    """Reasons for which the lock is stale for the Modelfile, which is built nevertheless."""

    @property
    def base_fingerprint(self) -> str | None:
        """Fingerprint that the base must have."""
        return self.base.fingerprint if self.base else None

    @property
    def maker(self) -> str:
        """Modelfile of the project that the base is built from."""
        return (self.base.modelfile or "") if self.base else ""

    def locked_fingerprint(self, version: str) -> str | None:
        """Return the fingerprint that a build on this version of Ollama must have."""
        return self.model if self.strict or self.version in (None, version) else None


if TYPE_CHECKING:
    from modelfile.lockfile.drift import Drift
    from modelfile.lockfile.lock import Base
    from modelfile.project.graph import Graph
    from modelfile.stores.protocol import Store

RENEW: Final = "run `mf pin` if that is intended"
UPDATE: Final = "to build on what the tag has now, run `mf update`"
"""The way on for a base that is not the pinned one."""
NO_CONSTRAINTS: Final = PinConstraints()


def constraints(target: Target, recipe: Recipe, events: Events = ignore, *, locked: bool = False) -> PinConstraints:
    """Return the requirements of the lock on a build, as far as they apply to the current Modelfile.

    Args:
        target: The Modelfile.
        recipe: Its recipe for the server's version.
        events: Receives progress.
        locked: Whether every version of Ollama has to build the pinned model.

    Raises:
        InputError: The lock is damaged, or a file cannot be read.
    """
    lock, entry, base = target.lock, target.pin, locked_base(target, recipe)
    if lock is None or entry is None:
        return PinConstraints(base=base) if base else NO_CONSTRAINTS
    files = {path: entry.files[name] for path in recipe.local_files if (name := target.portable(path)) in entry.files}
    from modelfile.lockfile.drift import Reason  # 5 ms that a project without a lock saves
    from modelfile.pinning.check import stale_reasons

    stale = tuple(stale_reasons(target, lock, events))
    own = all(drift.reason is Reason.BASE for drift in stale)  # a base that changed is refused by its fingerprint
    required = PinConstraints(
        files=files,
        model=entry.fingerprint if own and not target.quantize else None,
        version=entry.ollama,
        strict=locked,
        stale=(*stale, *_unlisted_quantization(target)),
    )
    if base or entry.base is None:
        return replace(required, base=base)
    return replace(required, model=None)


def check_registry(target: Target, recipe: Recipe, store: Store, *, pending: bool) -> None:
    """Reject a base from a host that the configuration does not allow, which a build would have the server pull.

    A base that the project builds may have any name, unless it would be pulled.

    Args:
        target: The Modelfile.
        recipe: Its recipe.
        store: The store to build on.
        pending: Whether the base is built in the same run.

    Raises:
        InputError: It is not allowed.
        ServerError: The store cannot answer.
    """
    name = ModelName.parse(recipe.base) if recipe.base and not pending else None
    if name and not target.config.allows(name) and not (target.project.base_of(target) and store.find(name)):
        target.check_registry(name)


def locked_base(target: Target, recipe: Recipe) -> Base | None:
    """Return the base that the lock has for a Modelfile: in its entry or, if it has none yet, in the others.

    Raises:
        InputError: The lock is damaged.
    """
    if not recipe.base or target.lock is None:
        return None
    name, entry = ModelName.parse(recipe.base), target.pin
    if entry is None:
        from modelfile.builder.additions import inherited_base  # 1 ms that a project without a lock saves

        return inherited_base(target, name)
    return entry.base if entry.base and ModelName.parse(entry.base.name).same_as(name) else None


def needed_fingerprint(name: ModelName, targets: Mapping[ModelName, Target], graph: Graph) -> str | None:
    """Return the fingerprint that the lock requires of a model as the base of other models to build."""
    for child in (child for child, base in graph.base.items() if base == name):
        with contextlib.suppress(InputError):  # reported of the model that it belongs to
            pin = targets[child].pin
            if pin and pin.base and ModelName.parse(pin.base.name).same_as(name):
                return pin.base.fingerprint
    return None


def check_locked(targets: Iterable[Target], events: Events = ignore) -> None:
    """Check that the lock records all that builds depend on, so that it is the same on every machine.

    Raises:
        InputError: The lock is damaged.
        StaleLock: It does not; the message has all reasons.
    """
    reasons: dict[str, None] = {}
    for target in targets:
        with contextlib.suppress(InputError):  # reported for the server's version, which may read it
            reasons |= dict.fromkeys(str(drift) for drift in _unrecorded(target, events))
    if reasons:
        hint = "run `mf pin`, review the changes in mf.lock, and commit it"
        raise StaleLock("mf.lock does not record what is to be built", hint=hint, details=tuple(reasons))


def _unrecorded(target: Target, events: Events) -> Iterator[Drift]:
    from modelfile.pinning.check import stale_reasons

    yield from stale_reasons(target, target.project.lock_to_write(target.folder), events)
    yield from _unlisted_quantization(target)


def check_frozen(targets: Iterable[Target]) -> None:
    """Check that the lock has the base of each Modelfile that is FROM one.

    Raises:
        InputError: The lock is damaged.
        StaleLock: It does not; the message names all of them.
    """
    missing: list[str] = []
    for target in targets:
        with contextlib.suppress(InputError):  # reported for the server's version, which may read it
            written, pin = target.recipe().base, target.pin
            if not written or (pin and pin.base and ModelName.parse(pin.base.name).same_as(ModelName.parse(written))):
                continue
            missing.append(f"{target.key or target.path}: its base {written} is not in the lock")
    if missing:
        hint = "run `mf pin`, or leave out --frozen"
        raise StaleLock("mf.lock does not have the bases of what is to be built", hint=hint, details=missing)


def _unlisted_quantization(target: Target) -> Iterator[Drift]:
    """Yield that the lock records other quantizations of a Modelfile than that of the model to build."""
    from modelfile.lockfile.drift import Drift, Reason

    if (entry := target.pin) is None or target.quantize in (entry.quantize or ("",)):
        return
    if target.quantize or entry.fingerprint is None:
        what = f"quantized to {target.quantize}" if target.quantize else "built without quantization"
        message = f"is to be {what}, which is not in the lock"
        if target.quantize not in target.project.quantizations(target):  # `mf pin` goes by mf.toml alone
            setting = f'`quantize = "{target.quantize}"`' if target.quantize else "a model without `quantize`"
            message += f"; first write {setting} in mf.toml"
        yield Drift(key=target.key, reason=Reason.QUANTIZE, message=message, current=target.quantize)


def check_pin(what: str, pinned: str, current: str, hint: str = RENEW) -> None:
    """Compare a fingerprint or a digest with the pinned one.

    Args:
        what: The file or model it belongs to.
        pinned: The pinned one.
        current: The current one.
        hint: The way on.

    Raises:
        VerificationError: They differ.
    """
    if current != pinned:
        from modelfile.lockfile.drift import describe_change

        raise VerificationError(describe_change(what, pinned, current), hint=hint)
