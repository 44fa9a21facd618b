"""Read a Modelfile and lint it, with what the lock knows of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from modelfile.cli.files import folder_of, read_source
from modelfile.cli.locks import find_lock, key_of
from modelfile.diagnostics import Diagnostic, Severity
from modelfile.errors import InputError
from modelfile.lint.engine import lint
from modelfile.lint.rule import Context
from modelfile.semantics.resolve import expand
from modelfile.syntax.modelfile import Modelfile, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A Modelfile and what was found in it."""

    modelfile: Modelfile
    diagnostics: tuple[Diagnostic, ...]

    @property
    def refused(self) -> bool:
        """Whether there is an error in it."""
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def check(path: str) -> Checked:
    """Read and lint one Modelfile.

    Raises:
        InputError: It cannot be read.
    """
    modelfile = parse(read_source(path))
    folder = folder_of(path)

    def exists(written: str) -> bool:
        try:
            return expand(written, folder or Path()).exists()
        except (InputError, OSError, ValueError):
            return False

    context = Context(
        modelfile=modelfile,
        exists=exists if folder is not None else None,
        pinned=_pinned_base(Path(path)) if folder is not None else None,
    )
    return Checked(modelfile=modelfile, diagnostics=lint(context))


def _pinned_base(path: Path) -> str | None:
    lock = find_lock(path.parent)
    if lock is None or not path.resolve().is_relative_to(lock.parent):
        return None
    return _pinned_bases(lock).get(key_of(path, lock))


@cache
def _pinned_bases(lock: Path) -> dict[str, str]:
    """What FROM said when it was pinned, by Modelfile; read without pydantic, which a lint does not import."""
    try:
        pins = json.loads(lock.read_bytes())["modelfiles"]
        return {key: pin["base"]["written"] for key, pin in pins.items() if "base" in pin}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        hint = "restore it from version control, or delete it and run `mf pin`"
        raise InputError(f"`{lock}` is not a lock file that can be read", hint=hint) from error
