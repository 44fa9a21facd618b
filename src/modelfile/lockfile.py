"""The lock file, `mf.lock`: the pinned bases, files and fingerprints of a project's Modelfiles.

JSON with sorted keys and one newline at the end, so that equal contents are equal bytes. A lint reads it with the
standard library alone; pin, check and build validate all of it with pydantic, by the same dataclasses, from which the
published schema is generated. A newer major version of the format is an error, a newer minor version a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from modelfile.errors import InputError, UsageError
from modelfile.filesystem import MAX_JSON, read_file, write_atomic
from modelfile.names import ModelName, short_digest
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

VERSION: Final = (1, 0)
_RESTORE: Final = "restore it from version control, or delete it and run `mf pin`"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """A pydantic string pattern that does not import pydantic before validation."""

    regex: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.str_schema(pattern=self.regex)


@dataclass(frozen=True, slots=True)
class _ValidName:
    """A pydantic validator of model names."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(_check_name, core_schema.str_schema())


def _check_name(text: str) -> str:
    try:
        ModelName.parse(text)
    except UsageError as error:
        raise ValueError(error.message) from error
    return text


Digest = Annotated[str, _Pattern(r"^sha256:[0-9a-f]{64}$")]
Fingerprint = Annotated[str, _Pattern(r"^mf1:[0-9a-f]{64}$")]
Name = Annotated[str, _ValidName()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The model in FROM at the time of `mf pin`."""

    written: str
    """The name as written in the Modelfile."""
    name: Name
    """The full name: registry, namespace, model and tag."""
    fingerprint: Fingerprint
    """Fingerprint of the base."""
    digest: Digest | None = None
    """Ollama's digest on the server that was asked; differs between machines for the same model."""
    modelfile: str | None = None
    """Key of the Modelfile that the base is built from, if the project builds it; it has no digest then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The lock's entry of a Modelfile."""

    text: Digest
    """Digest of the Modelfile's text, computed by `text_digest`."""
    base: Base | None = None
    """None if the model is built from local files."""
    files: Mapping[str, Digest] = field(default_factory=dict)
    """Digests of local weights and adapters by their path relative to the Modelfile's folder."""
    fingerprint: Fingerprint
    """Fingerprint that a build must have."""
    ollama: str | None = None
    """Ollama version that `built` and `fingerprint` apply to, as versions rewrite local weights differently."""
    built: tuple[Digest, ...] | None = None
    """Digests of the weights that Ollama rewrote those in `files` to, if it did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The contents of a lock file."""

    version: str = ".".join(map(str, VERSION))
    modelfiles: Mapping[str, Pin] = field(default_factory=dict)
    """Pins by the Modelfile's path relative to the lock's folder, with `/`."""

    def dumps(self) -> str:
        r"""Return the text of the file; equal contents give equal text.

        >>> print(Lock().dumps(), end="")
        {
          "modelfiles": {},
          "version": "1.0"
        }
        """
        import json

        content = _without_none(asdict(self))
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


@dataclass(frozen=True, slots=True)
class PinSummary:
    """The part of a pin that a lint needs; None where it is missing or not text."""

    text: str | None
    """Digest of the Modelfile's text."""
    base: str | None
    """The base as written in the Modelfile."""


class LockFile:
    """A lock file, read and parsed once."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def _data(self) -> bytes | None:
        try:
            return read_file(self.path, limit=MAX_JSON)
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return None
            raise

    @cached_property
    def _content(self) -> dict[str, Any]:
        if self._data is None:
            return {"version": Lock().version, "modelfiles": {}}
        return parse_lock(self._data, str(self.path))

    def write(self, lock: Lock) -> None:
        """Write a lock atomically, unless the file is the same to the byte.

        Raises:
            InputError: It cannot be written.
        """
        data = lock.dumps().encode()
        if data != self._data:
            if self.newer:
                message = f"`{self.path}` has a newer format than this mf writes, which would drop parts of it"
                raise InputError(message, hint="update mf, then run the command again")
            write_atomic(self.path, data)
        self.__dict__ = {"path": self.path, "_data": data, "lock": lock}

    @cached_property
    def lock(self) -> Lock:
        """The validated lock; empty if there is no file.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        from pydantic import ValidationError

        try:
            return adapter().validate_python(self._content)
        except ValidationError as error:
            first = error.errors()[0]
            location = ".".join(map(str, first["loc"]))
            raise InputError(f"`{self.path}` is not a lock file: {location}: {first['msg']}", hint=_RESTORE) from error

    @property
    def newer(self) -> bool:
        """True if the format is a newer minor version, so that parts of the lock may be ignored.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        return int(self._content["version"].partition(".")[2]) > VERSION[1]

    @cached_property
    def summaries(self) -> Mapping[str, PinSummary]:
        """The parts of the pins that a lint needs, even if the rest is not valid.

        Raises:
            InputError: It is damaged, or its format is not supported.
        """
        match self._content:
            case {"modelfiles": dict() as pins}:
                return {key: _summary(pin) for key, pin in pins.items()}
            case _:
                return {}

    def key(self, modelfile: Path) -> str:
        """Return a Modelfile's key; empty if the Modelfile, with symlinks resolved, is outside the lock's folder."""
        path = modelfile.resolve()
        return path.relative_to(self.path.parent).as_posix() if path.is_relative_to(self.path.parent) else ""


def parse_lock(data: bytes, path: str) -> dict[str, Any]:
    """Return the JSON of a lock file with a supported version.

    Raises:
        InputError: It is damaged, or its format is not supported.
    """
    import json  # 2 ms that a project without a lock saves

    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"`{path}` is not a lock file: it is not JSON ({error})", hint=_RESTORE) from error
    version = content.get("version") if isinstance(content, dict) else None
    major, _, minor = version.partition(".") if isinstance(version, str) else ("", "", "")
    if not (isinstance(content, dict) and major.isdecimal() and minor.isdecimal()):
        raise InputError(f"`{path}` is not a lock file: it has no version", hint=_RESTORE)
    if int(major) != VERSION[0]:
        known = ".".join(map(str, VERSION))
        raise InputError(f"`{path}` has format {version}, but this mf reads {known}", hint="update modelfile")
    return content


def _summary(pin: object) -> PinSummary:
    text = pin.get("text") if isinstance(pin, dict) else None
    base = pin.get("base") if isinstance(pin, dict) else None
    written = base.get("written") if isinstance(base, dict) else None
    return PinSummary(*(value if isinstance(value, str) else None for value in (text, written)))


def text_digest(modelfile: Modelfile) -> str:
    """Return the digest of a Modelfile's text, with the line endings outside of values normalized.

    A checkout with CRLF gives another digest only if the line endings change the model.
    """
    import hashlib  # 2 ms that a project without a lock saves

    pieces, end = [], 0
    for node in modelfile.nodes:
        if isinstance(node, Instruction):
            content = node.value.content
            pieces += [_normalized(modelfile.text[end : content.start]), modelfile.text[content.start : content.end]]
            end = content.end
    pieces.append(_normalized(modelfile.text[end:]))
    return f"sha256:{hashlib.sha256(''.join(pieces).encode('utf-8', 'surrogatepass')).hexdigest()}"


def _normalized(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """A difference between the lock and the files or the store."""

    key: str
    """Key of the Modelfile."""
    message: str


def file_drift(key: str, pin: Pin | None, text: str, files: Mapping[str, str]) -> Iterator[Drift]:
    """Compare a Modelfile and its local files with their pin.

    Args:
        key: The Modelfile's key in the lock.
        pin: Its entry in the lock, if any.
        text: The digest of its text.
        files: The digests of its local files by their paths in the lock.
    """
    if pin is None:
        yield Drift(key=key, message="is not in the lock")
        return
    if pin.text != text:
        yield Drift(key=key, message="has changed since `mf pin`")
    for name in sorted(pin.files.keys() | files.keys()):
        match pin.files.get(name), files.get(name):
            case None, _:
                yield Drift(key=key, message=f"uses `{name}`, which is not in the lock")
            case _, None:
                yield Drift(key=key, message=f"no longer uses `{name}`")
            case pinned, current if pinned != current:
                yield Drift(key=key, message=f"`{name}` has changed since `mf pin`")


def base_drift(key: str, lock: Lock) -> Iterator[Drift]:
    """Compare a base that the project builds with the pin of its Modelfile."""
    pin = lock.modelfiles.get(key)
    if pin is None or pin.base is None or pin.base.modelfile is None:
        return
    base, base_pin = pin.base, lock.modelfiles.get(pin.base.modelfile)
    what = f"its base {base.written}, built from `{base.modelfile}`,"
    if base_pin is None:
        yield Drift(key=key, message=f"{what} is not in the lock")
    elif base_pin.fingerprint != base.fingerprint:
        yield Drift(key=key, message=describe_change(what, base.fingerprint, base_pin.fingerprint))


def describe_change(what: str, pinned: str, current: str) -> str:
    """Return the message for a fingerprint or digest that differs from the pinned one."""
    return f"{what} has changed since `mf pin` ({_short(pinned)} -> {_short(current)})"


def _short(digest: str) -> str:
    return f"{digest.partition(':')[0]}:{short_digest(digest)}…"
