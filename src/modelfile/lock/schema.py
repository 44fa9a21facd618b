"""The lock file, `mf.lock`."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from modelfile.errors import InputError
from modelfile.source import Source

NAME: Final = "mf.lock"
VERSION: Final = "1.0"
_MAJOR: Final = 1
_RESTORE: Final = "restore it from version control, or delete it and run `mf pin`"

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Fingerprint = Annotated[str, Field(pattern=r"^mf1:[0-9a-f]{64}$")]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True)


class Base(_Entry):
    """What FROM named when it was pinned."""

    written: str
    """As it stands in the Modelfile."""
    name: str
    """With every part: registry, namespace, model and tag."""
    digest: Digest
    """Ollama's, on the server that was asked; another machine may have another for the same model."""
    fingerprint: Fingerprint
    """Of what the base holds: this is what must not move."""


class Pin(_Entry):
    """A Modelfile on record."""

    text: Digest
    """Of the Modelfile, with every line end a `\\n`."""
    base: Base | None = None
    """None where the Modelfile is built from local files."""
    files: dict[str, Digest] = {}
    """Local weights and adapters, by their path from the Modelfile's folder."""
    fingerprint: Fingerprint
    """Of what a build gives."""


class Lock(_Entry):
    """The whole file."""

    version: str = VERSION
    modelfiles: dict[str, Pin] = {}
    """By the Modelfile's path from the lock's folder, with `/`."""

    def dumps(self) -> str:
        """The text of the file: sorted keys, so that the same content is the same bytes."""
        content = self.model_dump(mode="json", exclude_none=True)
        return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def loads(data: bytes, path: str) -> Lock:
    """Read a lock file.

    Raises:
        InputError: It is damaged, or of a later version than this program knows.
    """
    try:
        content = json.loads(data)
        version = str(content["version"]) if isinstance(content, dict) else ""
        major, _, minor = version.partition(".")
        if not (major.isdigit() and minor.isdigit()):
            raise InputError(f"`{path}` is not a lock file: it has no version", hint=_RESTORE)
        if int(major) > _MAJOR:
            raise InputError(
                f"`{path}` is of version {version}; this program knows version {VERSION}", hint="update modelfile"
            )
        return Lock.model_validate({**content, "version": VERSION})
    except (ValueError, KeyError, RecursionError) as error:
        raise InputError(f"`{path}` is not a lock file: {_first_fault(error)}", hint=_RESTORE) from error


def _first_fault(error: Exception) -> str:
    match error:
        case ValidationError():
            fault = error.errors()[0]
            return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        case KeyError():
            return "it has no version"
        case _:
            return f"it is not JSON ({error})"


def text_digest(source: Source) -> str:
    r"""The digest of a Modelfile's text with every line end a `\n`, so that a checkout with CRLF is not a change."""
    text = re.sub(r"\r\n?", "\n", source.text)
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
