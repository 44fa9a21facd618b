"""Differences between a lock and the files that it is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from modelfile.immutable import record
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


class Reason(StrEnum):
    """Why a lock is stale."""

    NO_LOCK = "no-lock"
    NOT_IN_LOCK = "not-in-lock"
    TEXT = "text"
    FILE = "file"
    QUANTIZE = "quantize"
    BASE = "base"
    FINGERPRINT = "fingerprint"
    GONE = "gone"
    INCOMPLETE = "incomplete"


@record(kw_only=True)
class Drift:
    """A difference between the lock and the files or the store."""

    key: str
    """Key of the Modelfile."""
    reason: Reason
    message: str
    pinned: str | None = None
    """The digest, fingerprint or types in the lock, if the difference is one of them."""
    current: str | None = None
    """The same at present."""

    def __str__(self) -> str:
        return f"{self.key}: {self.message}"

    def as_json(self) -> dict[str, str | None]:
        """Return it for programs."""
        return {
            "modelfile": self.key,
            "reason": str(self.reason),
            "message": self.message,
            "pinned": self.pinned,
            "current": self.current,
        }


def file_drift(
    key: str, pin: Pin, text: str, files: Mapping[str, str], quantizations: frozenset[str] = frozenset({""})
) -> Iterator[Drift]:
    """Compare a Modelfile and its local files with their pin.

    Args:
        key: The Modelfile's key in the lock.
        pin: Its entry in the lock.
        text: The digest of its text.
        files: The digests of its local files by their paths in the lock.
        quantizations: The types that its models are quantized to; empty for those that are not.
    """
    if pin.text != text:
        message = "has changed since `mf pin`"
        yield Drift(key=key, reason=Reason.TEXT, message=message, pinned=pin.text, current=text)
    for name in sorted(pin.files.keys() | files.keys()):
        match pin.files.get(name), files.get(name):
            case None, _:
                message = f"uses `{name}`, which is not in the lock"
            case _, None:
                message = f"no longer uses `{name}`"
            case pinned, current if pinned != current:
                message = f"`{name}` has changed since `mf pin`"
            case _:
                continue
        yield Drift(key=key, reason=Reason.FILE, message=message, pinned=pin.files.get(name), current=files.get(name))
    upon_unknown = pin.base is not None and pin.base.fingerprint is None
    plain = "" in quantizations if upon_unknown else pin.fingerprint is not None
    was, now = _types({*(pin.quantize or ()), *([""] if plain else ())}), _types(quantizations)
    if was != now:
        message = f"its quantization has changed since `mf pin` ({was} -> {now})"
        yield Drift(key=key, reason=Reason.QUANTIZE, message=message, pinned=was, current=now)
    if upon_unknown and pin.fingerprint:
        message = "its fingerprint is in the lock, but that of its base is not known"
        yield Drift(key=key, reason=Reason.FINGERPRINT, message=message, pinned=pin.fingerprint)


def _types(quantizations: Iterable[str]) -> str:
    return ", ".join(kind or "none" for kind in sorted(quantizations))


def quantized(quantizations: Iterable[str]) -> tuple[str, ...]:
    """Return the types of models that are quantized, as the lock has them."""
    return tuple(sorted({*quantizations} - {""}))


def base_drift(key: str, lock: Lock, maker: str | None, *, quantized: bool = False) -> Iterator[Drift]:
    """Compare a base that the project builds with the pin of its Modelfile.

    Args:
        key: The key of the Modelfile that is FROM the base.
        lock: The lock.
        maker: The key of the Modelfile that the project builds the base from, if it does.
        quantized: Whether the project quantizes the base.
    """
    pin = lock.modelfiles.get(key)
    if pin is None or pin.base is None:
        return
    base, base_pin = pin.base, lock.modelfiles.get(maker) if maker else None
    what = f"its base {base.written}, built from `{maker or base.modelfile}`,"
    expected = base_pin.fingerprint if base_pin and not quantized else None
    if base.modelfile != maker:
        message = f"{what} {'was pinned from a server' if maker else 'is no longer built in this project'}"
    elif maker is None:
        return
    elif base_pin is None:
        message = f"{what} is not in the lock"
    elif base.fingerprint and expected and base.fingerprint != expected:
        message = describe_change(what, base.fingerprint, expected)
    elif base.fingerprint != expected:
        message = f"{what} {'is quantized now' if base.fingerprint else 'is no longer quantized'}"
    else:
        return
    yield Drift(key=key, reason=Reason.BASE, message=message, pinned=base.fingerprint, current=expected)


def describe_change(what: str, pinned: str, current: str) -> str:
    """Return the message for a fingerprint or digest that differs from the pinned one."""
    return f"{what} has changed since `mf pin` ({shorten_digest(pinned)} -> {shorten_digest(current)})"
