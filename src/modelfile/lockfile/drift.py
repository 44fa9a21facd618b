"""Differences between a lock and the files that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelfile.lockfile.lock import Lock, Pin
from modelfile.names import shorten_digest
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction


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
    return f"{what} has changed since `mf pin` ({shorten_digest(pinned)} -> {shorten_digest(current)})"
