"""Read a lock: its JSON with the standard library alone, as a lint does, and all of it as data, validated.

A newer major version of the format is an error, a newer minor version a warning. Whatever else is not a lock is an
error that names the location: a damaged lock never counts as an empty one.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from modelfile.errors import InputError, UsageError
from modelfile.immutable import field_names, record, required_field_names
from modelfile.lockfile.lock import SERVER, VERSION, Lock, adapter
from modelfile.names import ModelName, shorten_digest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_RESTORE: Final = "restore it from version control, or delete it and run `mf pin`"
_CONFLICT: Final = re.compile(rb"^(?:<{7}|>{7}|\|{7})(?: .*)?\r?$", re.MULTILINE)
"""The lines that git and others put around both sides of a conflict; `=======` alone proves none."""
_PROVEN: Final = ("config", "params", "messages")
"""The layers of a base whose texts a lock has."""
_VERSION: Final = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")


@record()
class PinSummary:
    """The part of a pin that a lint needs; None where it is missing."""

    text: str | None
    """Digest of the Modelfile's text."""
    base: str | None
    """The base as written in the Modelfile."""


def parse_lock(data: bytes, path: str) -> dict[str, Any]:
    """Return the JSON of a lock file with a supported version, in which every pin is an object.

    Raises:
        InputError: It is damaged, has merge conflicts, or its format is not supported.
    """
    content = _load_json(data, path)
    if not isinstance(content, dict):
        raise _damaged(path, "it is not a JSON object")
    major, _ = version_of(content, path)
    if major != VERSION[0]:
        known = ".".join(map(str, VERSION))
        hint = "upgrade mf" if major > VERSION[0] else _RESTORE
        raise InputError(f"`{path}` has format {content['version']}, but this mf reads {known}", hint=hint)
    pins = content.get("modelfiles", {})
    if not isinstance(pins, dict):
        raise _damaged(path, "`modelfiles` is not an object")
    for key, pin in pins.items():
        if not isinstance(pin, dict):
            raise _damaged(path, f"`modelfiles.{key}` is not an object")
    return content


def has_conflicts(data: bytes) -> bool:
    """Return whether a file has the markers of a merge conflict."""
    return _CONFLICT.search(data) is not None


def _load_json(data: bytes, path: str) -> Any:
    import json  # 2 ms that a project without a lock saves

    if conflict := _CONFLICT.search(data):
        line = data.count(b"\n", 0, conflict.start()) + 1
        hint = "run `mf pin`, which merges both sides, then `git add mf.lock`"
        raise InputError(f"`{path}` has merge conflicts: line {line} is a conflict marker", hint=hint)
    try:
        content = json.loads(data, object_pairs_hook=_without_duplicates)
        if b"\\ud" in data.lower():
            json.dumps(content, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise _damaged(path, f"it is not JSON at line {error.lineno}, column {error.colno}") from error
    except UnicodeDecodeError as error:
        raise _damaged(path, "it is not UTF-8") from error
    except UnicodeEncodeError as error:
        raise _damaged(path, "it has half of a surrogate pair") from error
    except RecursionError as error:
        raise _damaged(path, "it is nested too deeply") from error
    except _DuplicateKeyError as error:
        raise _damaged(path, f"it has the key `{error}` twice in one object") from error
    except ValueError as error:  # Python reads no number of more than 4,300 digits
        raise _damaged(path, "it has a number with too many digits") from error
    return content


class _DuplicateKeyError(ValueError):
    """A key that an object has twice, as after a merge that took both sides."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        seen = set[str]()
        for key, _ in pairs:
            if key in seen:
                raise _DuplicateKeyError(key)
            seen.add(key)
    return content


def version_of(content: Mapping[str, Any], path: str) -> tuple[int, int]:
    """Return the version of a lock's format.

    Raises:
        InputError: It has none.
    """
    if "version" not in content:
        raise _damaged(path, "`version` is missing")
    written = content["version"]
    if isinstance(written, str) and (match := _VERSION.fullmatch(written)):
        return int(match[1]), int(match[2])
    raise _damaged(path, '`version` is not a text such as "1.0"')


def summarize(content: Mapping[str, Any], path: str) -> dict[str, PinSummary]:
    """Return the parts of the pins that a lint needs.

    Raises:
        InputError: The lock is damaged anywhere.
    """
    validate(content, path)
    return {key: _summary(pin) for key, pin in content.get("modelfiles", {}).items()}


def _summary(pin: Mapping[str, Any]) -> PinSummary:
    base = pin.get("base")
    written = base.get("written") if isinstance(base, dict) else None
    return PinSummary(*(value if isinstance(value, str) else None for value in (pin.get("text"), written)))


class _DoubtfulError(Exception):
    """Something that only pydantic can judge."""


def _read(value: Any, hint: Any) -> Any:
    """Return JSON as a value of a type of the lock, in 1 ms instead of the 110 of importing pydantic.

    Raises:
        _DoubtfulError: It is not surely valid.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        read = _read(value, arguments[0])
        if all(mark.accepts(read) for mark in arguments[1:]):
            return read
    elif origin in (UnionType, Union):
        for argument in arguments:
            with contextlib.suppress(_DoubtfulError):
                return _read(value, argument)
    elif origin is Mapping and isinstance(value, dict):
        key, item = arguments
        return {_read(name, key): _read(value[name], item) for name in value}
    elif origin is tuple and isinstance(value, list):
        return tuple(_read(item, arguments[0]) for item in value)
    elif origin is None and field_names(hint) and isinstance(value, dict):
        required, hints = _hints(hint)
        if required <= value.keys():
            return hint(**{name: _read(value[name], kind) for name, kind in hints.items() if name in value})
    elif origin is None and isinstance(value, hint):
        return value
    raise _DoubtfulError


@cache
def _hints(kind: type) -> tuple[frozenset[str], dict[str, Any]]:
    """Return the names of a record's required fields, and the types of all."""
    return required_field_names(kind), get_type_hints(kind, include_extras=True)


def validate(content: Mapping[str, Any], path: str) -> Lock:
    """Return the JSON of a lock file as data.

    Raises:
        InputError: It is damaged.
    """
    try:
        lock: Lock = _read(content, Lock)
    except _DoubtfulError:
        return validate_with_pydantic(content, path)
    _reject_contradictions(content, path)
    return lock


def validate_with_pydantic(content: Mapping[str, Any], path: str) -> Lock:
    """Return the JSON of a lock file as data, as `validate` does, which calls this in case of doubt."""
    from pydantic import ValidationError

    try:
        lock = adapter().validate_python(content)
    except ValidationError as error:
        raise _damaged(path, _describe(error.errors(include_url=False)[0])) from error
    _reject_contradictions(content, path)
    return lock


def _reject_contradictions(content: Mapping[str, Any], path: str) -> None:
    """Reject pins without the facts that a build needs, and facts that do not prove one another."""
    for key, pin in content.get("modelfiles", {}).items():
        _reject_missing_fingerprints(key, pin, path)
        for problem in _contradictions(pin.get("base") or {}, f"modelfiles.{key}.base"):
            raise _damaged(path, problem)


def _contradictions(base: Mapping[str, Any], where: str) -> Iterator[str]:
    """Yield how a base contradicts itself: its name is that in FROM, and all its layers follow from the manifest."""
    name, written = base.get("name"), base.get("written")
    if base and name != _full_name(written):
        yield f"`{where}.name` is not the full name of `{written}`"
    text, is_on_server = base.get("manifest"), base.get("source") == SERVER
    if text is None:
        unproven = [name for name in _PROVEN if base.get(name) is not None]
        yield from (f"`{where}.{name}` stands without a manifest that has it" for name in unproven)
        if base.get("source") is not None and not is_on_server:
            yield f"`{where}.manifest` is missing"
        return
    missing = [name for name in ("digest", "config", "source", "resolved") if base.get(name) is None]
    yield from (f"`{where}.{name}` is missing" for name in missing)
    if is_on_server or base.get("modelfile") is not None:
        yield f"`{where}.{'source' if is_on_server else 'modelfile'}` contradicts that it has a manifest"
    yield from _contradicts_manifest(base, text, where)


def _full_name(written: object) -> str | None:
    try:
        return ModelName.parse(str(written)).full
    except UsageError:
        return None


def _contradicts_manifest(base: Mapping[str, Any], text: str, where: str) -> Iterator[str]:
    from modelfile.manifest import Manifest  # 1 ms that a lock without a manifest saves

    try:
        manifest = Manifest.parse(text, f"`{where}.manifest`")
    except InputError as error:
        yield error.message
        return
    if manifest.digest != base["digest"]:
        yield f"`{where}.manifest` does not have the digest {shorten_digest(base['digest'])}"
    for name in _PROVEN:
        layers = [manifest.config] if name == "config" else [item for item in manifest.layers if item.kind == name]
        content = base.get(name)
        if layers and content is None:
            yield f"`{where}.{name}` is missing"
        if content is not None and _digest(content) not in [layer.digest for layer in layers]:
            yield f"`{where}.{name}` does not have a digest that the manifest names"


def _digest(text: str) -> str:
    import hashlib  # 2 ms that a lock without a manifest saves

    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _reject_missing_fingerprints(key: str, pin: Mapping[str, Any], path: str) -> None:
    """Reject a pin that any base or any build would satisfy.

    Only a server can tell what it makes of quantized weights: so the fingerprint of a base may be missing if the
    project builds the base, and that of a Modelfile upon such a base or if each build of it is quantized.
    """
    base = pin.get("base") or {}
    unknown_base = bool(base) and base.get("fingerprint") is None
    if unknown_base and base.get("modelfile") is None:
        raise _damaged(path, f"`modelfiles.{key}.base.fingerprint` is missing")
    if pin.get("fingerprint") is None and not unknown_base and not pin.get("quantize"):
        raise _damaged(path, f"`modelfiles.{key}.fingerprint` is missing")


_PROBLEMS: Final = {
    "missing": "is missing",
    "string_type": "is not a text",
    "tuple_type": "is not a list",
    "dict_type": "is not an object",
    "mapping_type": "is not an object",
    "dataclass_type": "is not an object",
}
"""Problems by the types that pydantic gives them; it words them for programmers."""


def _describe(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    where = ".".join(str(part) for part in error["loc"] if part != "[key]")
    match kind:
        case "string_pattern_mismatch" if "mf1" in context["pattern"]:
            problem = "is not a fingerprint: `mf1:` and 64 hexadecimal digits"
        case "string_pattern_mismatch" if SERVER in context["pattern"]:
            problem = f"is not the URL of a registry, or `{SERVER}`"
        case "string_pattern_mismatch" if "T[" in context["pattern"]:
            problem = "is not a time such as 2026-11-26T12:30:00Z"
        case "string_pattern_mismatch":
            problem = "is not a digest: `sha256:` and 64 hexadecimal digits"
        case "value_error":
            problem = f"is not valid: {context['error']}"
        case _:
            problem = _PROBLEMS.get(kind, "is not valid")
    return f"`{where}` {problem}"


def _damaged(path: str, problem: str) -> InputError:
    return InputError(f"`{path}` is damaged: {problem}", hint=_RESTORE)
