"""Requirements of the lock on a build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from modelfile.errors import VerificationError
from modelfile.events import Events, ignore
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.recipe import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class PinConstraints:
    """The requirements of the lock on a build; None where it requires nothing."""

    base: str | None = None
    """Fingerprint that the base must have."""
    maker: str = ""
    """Modelfile of the project that the base is built from."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Digests that local files must have."""
    model: str | None = None
    """Fingerprint that the model must have."""
    version: str | None = None
    """Ollama version that `model` applies to; None for any."""

    def locked_fingerprint(self, version: str) -> str | None:
        """Return the fingerprint that a build on this version of Ollama must have."""
        return self.model if self.version in (None, version) else None


NO_CONSTRAINTS: Final = PinConstraints()


def constraints(target: Target, recipe: Recipe, events: Events = ignore) -> PinConstraints:
    """Return the requirements of the lock on a build, as far as they apply to the current Modelfile.

    Raises:
        InputError: The lock is damaged, or a file cannot be read.
    """
    entry = target.pin
    if entry is None:
        return NO_CONSTRAINTS
    files = {path: entry.files[name] for path in recipe.local_files if (name := target.portable(path)) in entry.files}
    from modelfile.pinning.check import changed_files  # 3 ms that a project without a lock saves

    as_pinned = not target.quantize and not any(changed_files(target, entry, events))
    model = entry.fingerprint if as_pinned else None
    if (base := entry.base) is None:
        return PinConstraints(files=files, model=model, version=entry.ollama)
    if recipe.base and ModelName.parse(base.name).same_as(ModelName.parse(recipe.base)):
        return PinConstraints(base=base.fingerprint, maker=base.modelfile or "", files=files, model=model)
    return PinConstraints(files=files)


def check_pin(what: str, pinned: str, current: str, alternative: str = "") -> None:
    """Compare a fingerprint or a digest with the pinned one.

    Args:
        what: The file or model it belongs to.
        pinned: The pinned one.
        current: The current one.
        alternative: Something else to do than to pin again, for the hint.

    Raises:
        VerificationError: They differ.
    """
    if current != pinned:
        from modelfile.lockfile.drift import describe_change

        hint = f"{alternative}run `mf pin` if that is intended"
        raise VerificationError(describe_change(what, pinned, current), hint=hint)
