"""The lock file, `mf.lock`."""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from modelfile.errors import InputError, UsageError
from modelfile.lockfile import RESTORE, VERSION, is_newer, read_content
from modelfile.names import ModelName


def _model_name(text: str) -> str:
    try:
        ModelName.parse(text)
    except UsageError as error:
        raise ValueError(error.message) from error
    return text


Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^mf1:[0-9a-f]{64}$")]
Name = Annotated[str, AfterValidator(_model_name)]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class _Named(_Entry):
    """What FROM named when it was pinned."""

    written: str
    """As it stands in the Modelfile."""
    name: Name
    """With every part: registry, namespace, model and tag."""
    fingerprint: Fingerprint
    """Of what the base holds: this is what must not move."""


class Base(_Named):
    """A model that the server had."""

    digest: Digest
    """Ollama's, on the server that was asked; another machine may have another for the same model."""


class ProjectBase(_Named):
    """A model that the project itself makes: what its Modelfile gives, whatever the server had."""

    modelfile: str
    """That Modelfile's path in the lock."""


class Pin(_Entry):
    """A Modelfile on record."""

    text: Digest
    """Of the Modelfile, with every line end outside of values a `\\n`."""
    base: Base | None = None
    """None where the Modelfile is built from local files, or upon a model of the project."""
    project_base: ProjectBase | None = None
    """What it is built upon, if the project makes it (since 1.2)."""
    files: dict[str, Digest] = {}
    """Local weights and adapters, by their path from the Modelfile's folder."""
    fingerprint: Fingerprint
    """Of what a build gives."""
    ollama: str | None = None
    """The version that was asked what it makes of local weights: another may make something else of them."""
    built: tuple[Digest, ...] | None = None
    """The weights that it made of those in `files`, where they are others (since 1.1)."""

    @property
    def ground(self) -> Base | ProjectBase | None:
        """What FROM named; None for local files."""
        return self.base or self.project_base


class Lock(_Entry):
    """The whole file."""

    version: str = ".".join(map(str, VERSION))
    modelfiles: dict[str, Pin] = {}
    """By the Modelfile's path from the lock's folder, with `/`."""

    @property
    def newer(self) -> bool:
        """Whether it may have something that this program does not know."""
        return is_newer({"version": self.version})

    def _least_version(self) -> str:
        """The first version that knows all that is in it: who has nothing of the newer need not be newer."""
        if any(pin.project_base for pin in self.modelfiles.values()):
            return "1.2"
        return "1.1" if any(pin.built for pin in self.modelfiles.values()) else "1.0"

    def dumps(self) -> str:
        """The text of the file: sorted keys, so that the same content is the same bytes."""
        content = self.model_dump(mode="json", exclude_none=True) | {"version": self._least_version()}
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def loads(data: bytes, path: str) -> Lock:
    """Read a lock file.

    Raises:
        InputError: It is damaged, or of a later version than this program knows.
    """
    try:
        return Lock.model_validate(read_content(data, path))
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"]))
        raise InputError(f"`{path}` is not a lock file: {where}: {fault['msg']}", hint=RESTORE) from error
