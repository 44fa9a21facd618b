"""The contents of a lock, as data.

JSON with sorted keys and one newline at the end, so that equal contents are equal bytes. It is validated by these
classes, from which pydantic generates the published schema.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any, Final

from modelfile.errors import InputError, UsageError
from modelfile.immutable import asdict, field, record
from modelfile.names import ModelName

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

VERSION: Final = (1, 1)
SCHEMA: Final = "https://raw.githubusercontent.com/modelfile/modelfile/main/docs/schema/mf.lock.json"
"""The published JSON schema, docs/schema/mf.lock.json, which a lock names so that editors check it."""
SERVER: Final = "server"
"""The source of a base that an Ollama server has and no registry."""


@record()
class _Pattern:
    """A pydantic string pattern that does not import pydantic before validation."""

    regex: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.str_schema(pattern=self.regex)

    def accepts(self, text: str) -> bool:
        """Return whether a text matches, without pydantic."""
        return re.fullmatch(self.regex.removesuffix("$"), text) is not None


@record()
class _Checked:
    """A pydantic validator of strings."""

    check: Callable[[str], str]
    """Returns the string, or raises a ValueError."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.check, core_schema.str_schema())

    def accepts(self, text: str) -> bool:
        """Return whether a text is valid, without pydantic."""
        try:
            self.check(text)
        except ValueError:
            return False
        return True


def _check_name(text: str) -> str:
    try:
        ModelName.parse(text)
    except UsageError as error:
        raise ValueError(error.message) from error
    return text


def _check_key(text: str) -> str:
    parts = text.split("/")
    if "\0" in text or PureWindowsPath(text).drive or not {"", ".", ".."}.isdisjoint(parts):
        raise ValueError("not a path below the folder of the lock")
    return text


Digest = Annotated[str, _Pattern(r"^sha256:[0-9a-f]{64}$")]
Fingerprint = Annotated[str, _Pattern(r"^mf1:[0-9a-f]{64}$")]
Name = Annotated[str, _Checked(_check_name)]
Key = Annotated[str, _Checked(_check_key)]
Origin = Annotated[str, _Pattern(rf"^(?:{SERVER}|https?://[A-Za-z0-9._~:/\[\]-]+)$")]
Time = Annotated[str, _Pattern(r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]Z$")]


@record(kw_only=True)
class Base:
    """The model in FROM at the time of `mf pin`."""

    written: str
    """The name as written in the Modelfile."""
    name: Name
    """The full name: registry, namespace, model and tag."""
    fingerprint: Fingerprint | None = None
    """Fingerprint of the base; None if only a server can tell it, as the base is quantized in the same project."""
    digest: Digest | None = None
    """Digest of the manifest as the registry has it; of a base from a server, Ollama's digest there, which differs
    between machines for the same model."""
    modelfile: Key | None = None
    """Key of the Modelfile that the base is built from, if the project builds it; it has no digest then."""
    source: Origin | None = None
    """URL of the registry that served the manifest, or `server` for a base that only the Ollama server has."""
    resolved: Time | None = None
    """When the source was asked, in UTC to the second."""
    manifest: str | None = None
    """The manifest as the registry served it, to the byte, so that the digest proves it."""
    config: str | None = None
    """The config that the manifest names."""
    params: str | None = None
    """The layer of parameters that the manifest names, if it has one."""
    messages: str | None = None
    """The layer of messages that the manifest names, if it has one."""

    @property
    def is_complete(self) -> bool:
        """True if it is known where it comes from, which format 1.0 did not record."""
        return self.modelfile is not None or self.source is not None


@record(kw_only=True)
class Pin:
    """The lock's entry of a Modelfile."""

    text: Digest
    """Digest of the Modelfile's text, computed by `text_digest`."""
    base: Base | None = None
    """None if the model is built from local files."""
    files: Mapping[str, Digest] = field(default_factory=dict)
    """Digests of local weights and adapters by their path relative to the Modelfile's folder."""
    fingerprint: Fingerprint | None = None
    """Fingerprint that a build without quantization must have; None if every build is quantized, or its base is."""
    ollama: str | None = None
    """Ollama version that `built` and `fingerprint` apply to, as versions rewrite local weights differently."""
    quantize: tuple[str, ...] | None = None
    """Types that the configuration quantizes its weights to, if it does; a server decides what comes of it."""
    built: tuple[Digest, ...] | None = None
    """Digests of the weights that Ollama rewrote those in `files` to, if it did."""
    quantized: Mapping[str, Digest] | None = None
    """Digests of the weights in `files` quantized by `mf build --with`, by their type, as in `Q4_K_M`."""
    template: str | None = None
    """Text of the template that Ollama recognized in the weights in `files`; empty if it recognized none, None if the
    weights themselves tell. With it, they are built in a folder, too."""


@record(kw_only=True)
class Lock:
    """The contents of a lock file."""

    version: str = ".".join(map(str, VERSION))
    modelfiles: Mapping[Key, Pin] = field(default_factory=dict)
    """Pins by the Modelfile's path relative to the lock's folder, with `/`."""

    def dumps(self, path: str = "mf.lock") -> str:
        r"""Return the text of the file at a path; equal contents give equal text.

        >>> print(Lock().dumps(), end="")
        {
          "$schema": "https://raw.githubusercontent.com/modelfile/modelfile/main/docs/schema/mf.lock.json",
          "modelfiles": {},
          "version": "1.1"
        }

        Raises:
            InputError: A path in it is not UTF-8.
        """
        text = dump_json({"$schema": SCHEMA, **_without_none(asdict(self))})
        if not text.isascii() and (wrong := re.search('"([^"]*[\ud800-\udfff][^"]*)"', text)):
            hint = "rename the file, so that the lock means the same everywhere"
            raise InputError(f"cannot write `{path}`: `{wrong[1]}` is not UTF-8", hint=hint)
        return text


def newest_base(pins: Iterable[Pin], name: ModelName) -> Base | None:
    """Return the base of a name that was resolved last among entries; None if none has it from outside the project."""
    bases = [pin.base for pin in pins if pin.base and pin.base.modelfile is None and pin.base.is_complete]
    same = [base for base in bases if ModelName.parse(base.name).same_as(name)]
    return max(same, key=lambda base: base.resolved or "") if same else None


def dump_json(content: Mapping[str, Any]) -> str:
    """Return the text of a lock's JSON."""
    import json

    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(item) for key, item in value.items() if item is not None}
    return value


@cache
def adapter() -> TypeAdapter[Lock]:
    """Return the validator of locks, which also generates their JSON schema."""
    from pydantic import TypeAdapter  # 110 ms that a lint avoids

    return TypeAdapter(Lock)
