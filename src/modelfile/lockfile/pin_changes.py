"""Changes of a lock by meaning: pins that were added or removed, and what they pin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelfile.differ.comparison import Aspect, Change
from modelfile.lockfile.lock import Base, Lock, Pin


def compare_locks(old: Lock, new: Lock) -> tuple[Change, ...]:
    """Return the changes of a lock, Modelfile by Modelfile, those that are no part of any model at the end.

    >>> old, new = (Lock(modelfiles={"Modelfile": Pin(text="", fingerprint=f"mf1:{each}")}) for each in "12")
    >>> [(change.title, change.old, change.new) for change in compare_locks(old, new)]
    [('pinned-fingerprint Modelfile', 'mf1:1', 'mf1:2')]
    """
    changes = (
        change
        for key in sorted(old.modelfiles.keys() | new.modelfiles.keys())
        for change in _compare_pins(key, old.modelfiles.get(key), new.modelfiles.get(key))
    )
    return tuple(sorted(changes, key=lambda change: change.aspect is Aspect.PIN_RECORD))


def _compare_pins(key: str, old: Pin | None, new: Pin | None) -> Iterator[Change]:
    if old is None or new is None:
        before, after = (None if pin is None else pin.fingerprint or "without a fingerprint" for pin in (old, new))
        yield Change(aspect=Aspect.PIN, name=key, old=before, new=after)
        return
    parts = [
        *_compare(Aspect.PINNED_BASE, key, _base(old.base), _base(new.base)),
        *_compare_files(key, old.files, new.files),
        *_compare(Aspect.PINNED_WEIGHTS, key, old.built or (), new.built or ()),
        *_compare(Aspect.PINNED_QUANTIZATION, key, old.quantize or (), new.quantize or ()),
        *_compare(Aspect.PINNED_FINGERPRINT, key, old.fingerprint, new.fingerprint),
    ]
    yield from parts
    if not parts and old != new:
        yield Change(aspect=Aspect.PIN_RECORD, name=key, old=_record(old), new=_record(new))


def _compare_files(key: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        yield from _compare(Aspect.PINNED_FILE, f"{key}: {name}", old.get(name), new.get(name))


def _compare(
    aspect: Aspect, name: str, old: str | tuple[str, ...] | None, new: str | tuple[str, ...] | None
) -> Iterator[Change]:
    if old != new:
        yield Change(aspect=aspect, name=name, old=old or None, new=new or None)


def _base(base: Base | None) -> str | None:
    """Return what decides on a model of a base: its name, and its contents by their fingerprint."""
    if base is None:
        return None
    maker = f"built from {base.modelfile}" if base.modelfile else None
    return " ".join(filter(None, (base.written, maker, base.fingerprint or base.digest)))


def _record(pin: Pin) -> str:
    """Return what else is recorded of a Modelfile: when, from where and of which text."""
    base = pin.base
    of_base = (base.digest, base.source, base.resolved) if base else ()
    facts = (pin.text, *of_base, pin.ollama)
    return ", ".join(filter(None, facts))
