"""What every reader of a lock file asks first: is it one, and of which version. Imports nothing that costs time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modelfile.errors import InputError
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction

NAME: Final = "mf.lock"
VERSION: Final = (1, 2)
RESTORE: Final = "restore it from version control, or delete it and run `mf pin`"


def read_content(data: bytes, path: str) -> dict[str, Any]:
    """The JSON of a lock file, as far as its version goes.

    Raises:
        InputError: It is damaged, or of a later version than this program knows.
    """
    import json  # 2 ms that a project without a lock does not pay

    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"`{path}` is not a lock file: it is not JSON ({error})", hint=RESTORE) from error
    version = content.get("version") if isinstance(content, dict) else None
    major, _, minor = version.partition(".") if isinstance(version, str) else ("", "", "")
    if not (isinstance(content, dict) and major.isdecimal() and minor.isdecimal()):
        raise InputError(f"`{path}` is not a lock file: it has no version", hint=RESTORE)
    if int(major) != VERSION[0]:
        known = ".".join(map(str, VERSION))
        raise InputError(f"`{path}` is of version {version}; this program knows {known}", hint="update modelfile")
    return content


def is_newer(content: dict[str, Any]) -> bool:
    """Whether a lock of our major version may have something that this program does not know."""
    return int(content["version"].partition(".")[2]) > VERSION[1]


@dataclass(frozen=True, slots=True)
class Header:
    """What a lint asks of a pin; None where it does not say."""

    text: str | None
    """The digest of the Modelfile's text."""
    base: str | None
    """As written in the Modelfile."""


def headers(content: dict[str, Any]) -> dict[str, Header]:
    """What a lock file has for each Modelfile, whether or not the rest of it is in order."""
    match content:
        case {"modelfiles": dict() as pins}:
            return {key: _header(pin) for key, pin in pins.items()}
        case _:
            return {}


def _header(pin: object) -> Header:
    match pin:
        case {"base": {"written": str() as base}} | {"project_base": {"written": str() as base}}:
            return Header(_text(pin), base)
        case _:
            return Header(_text(pin), None)


def _text(pin: object) -> str | None:
    match pin:
        case {"text": str() as text}:
            return text
        case _:
            return None


def text_digest(modelfile: Modelfile) -> str:
    """The digest of a Modelfile's text, with the line ends outside of values normalised.

    So a checkout with CRLF is a change where it changes what is built, and none where it does not.
    """
    import hashlib  # 2 ms that a project without a lock does not pay

    pieces, end = [], 0
    for node in modelfile.nodes:
        if isinstance(node, Instruction):
            content = node.value.content
            pieces += [_normalised(modelfile.text[end : content.start]), modelfile.text[content.start : content.end]]
            end = content.end
    pieces.append(_normalised(modelfile.text[end:]))
    return f"sha256:{hashlib.sha256(''.join(pieces).encode('utf-8', 'surrogatepass')).hexdigest()}"


def _normalised(text: str) -> str:
    return re.sub(r"\r\n?", "\n", text)


def find_lock(folder: Path) -> Path | None:
    """The nearest `mf.lock`, from a folder upward to the root of its repository."""
    for above in (folder.resolve(), *folder.resolve().parents):
        if (above / NAME).is_file():
            return above / NAME
        if (above / ".git").exists():
            break
    return None


def find_repository(folder: Path) -> Path | None:
    """The root of the repository that a folder is in."""
    return next((above for above in (folder.resolve(), *folder.resolve().parents) if (above / ".git").exists()), None)


def key_in(lock: Path, modelfile: Path) -> str:
    """A Modelfile's name in a lock; one behind a link to elsewhere has none."""
    path = modelfile.resolve()
    return path.relative_to(lock.parent).as_posix() if path.is_relative_to(lock.parent) else ""
