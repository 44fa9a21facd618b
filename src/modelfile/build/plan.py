"""What a build will do, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from modelfile.names import ModelName
from modelfile.semantics.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Pull:
    """Fetch the base from its registry."""

    base: ModelName


@dataclass(frozen=True, slots=True)
class Upload:
    """Send a local file."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Create:
    """Make the model."""

    name: ModelName
    request: Mapping[str, Any]


Step: TypeAlias = Pull | Upload | Create


def plan(name: ModelName, recipe: Recipe, digests: Mapping[Path, str], *, blobs: frozenset[str]) -> tuple[Step, ...]:
    """The steps that make `name` of a recipe whose base is there.

    Args:
        name: The model to make.
        recipe: What to make.
        digests: `sha256:…` of every local file.
        blobs: The digests of local files that the store has already.
    """
    missing = {digest: path for path, digest in digests.items() if digest not in blobs}
    uploads = (Upload(path, digest) for digest, path in missing.items())
    return (*uploads, Create(name, recipe.request(digests)))
