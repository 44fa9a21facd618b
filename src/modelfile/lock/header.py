"""What every reader of a lock file asks first: is it one, and of which version. Imports nothing that costs time."""

from __future__ import annotations

import json
from typing import Any, Final

from modelfile.errors import InputError

NAME: Final = "mf.lock"
VERSION: Final = (1, 0)
RESTORE: Final = "restore it from version control, or delete it and run `mf pin`"


def read_content(data: bytes, path: str) -> dict[str, Any]:
    """The JSON of a lock file, as far as its version goes.

    Raises:
        InputError: It is damaged, or of a later version than this program knows.
    """
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


def pinned_bases(content: dict[str, Any]) -> dict[str, str]:
    """What FROM said when it was pinned, by Modelfile."""
    match content:
        case {"modelfiles": dict() as pins}:
            return {key: pin["base"]["written"] for key, pin in pins.items() if _has_base(pin)}
        case _:
            return {}


def _has_base(pin: object) -> bool:
    match pin:
        case {"base": {"written": str()}}:
            return True
        case _:
            return False
