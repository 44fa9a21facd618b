"""Amounts of memory, and the memory of this machine and its GPUs; the only module that asks the drivers' programs."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Final

from modelfile.errors import UsageError
from modelfile.immutable import record

_UNITS: Final = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_AMOUNT: Final = r"([0-9]{1,15}(?:\.[0-9]{1,6})?)\s?([KMGT]?)(?:i?B)?"
_TIMEOUT: Final = 3.0
"""Time that a driver's program may take, in seconds."""
_MEBI: Final = 1 << 20
_NVIDIA: Final = ("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader,nounits")
_AMD: Final = ("rocm-smi", "--showproductname", "--showmeminfo", "vram", "--json")
_MAX_ANSWER: Final = 1 << 20


@record(kw_only=True)
class Gpu:
    """A GPU of this machine."""

    name: str
    memory: int
    """Its memory, in bytes."""


@record(kw_only=True)
class Machine:
    """The memory of this machine."""

    memory: int | None
    """Its RAM, in bytes; None if the system does not tell."""
    gpus: tuple[Gpu, ...] = ()
    is_unified: bool = False
    """True if the GPU uses the RAM, as in Macs with Apple silicon."""

    @property
    def gpu_memory(self) -> int:
        """The memory of all GPUs, in bytes."""
        return sum(gpu.memory for gpu in self.gpus)


def parse_memory(text: str) -> int:
    """Return an amount of memory in bytes; units are powers of 1,024, with or without `B` or `iB`.

    >>> parse_memory("24G") == parse_memory("24 GiB") == parse_memory("24576MB") == 24 << 30
    True

    Raises:
        UsageError: It is not an amount of memory.
    """
    matched = re.fullmatch(_AMOUNT, text.strip(), re.IGNORECASE | re.ASCII)
    unit = matched[2].upper() if matched else ""
    if matched is None or not (found := int(float(matched[1]) * (1 << _UNITS[unit]))):
        raise UsageError(f"invalid amount of memory: `{text[:40]}`", hint="write a number with a unit, as in `24G`")
    return found


def format_memory(count: int) -> str:
    """Return an amount of memory in the largest binary unit.

    >>> format_memory(1023), format_memory(100 << 20), format_memory(24 << 30)
    ('1,023 B', '100.0 MiB', '24.0 GiB')
    """
    for unit, power in reversed(_UNITS.items()):
        if power and count >= 1 << power:
            return f"{count / (1 << power):,.1f} {unit}iB"
    return f"{count:,} B"


def find_machine(environ: Mapping[str, str]) -> Machine:
    """Return the memory of this machine; GPUs of which no program tells are left out.

    Args:
        environ: The environment of the programs.
    """
    memory = _system_memory()
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return Machine(memory=memory, is_unified=True)
    return Machine(memory=memory, gpus=(*_nvidia(environ), *_amd(environ)))


def _system_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return None


def _nvidia(environ: Mapping[str, str]) -> Iterator[Gpu]:
    for line in _ask(_NVIDIA, environ).splitlines():
        name, _, size = line.rpartition(",")
        if name and size.strip().isdecimal():
            yield Gpu(name=name.strip(), memory=int(size) * _MEBI)


def _amd(environ: Mapping[str, str]) -> Iterator[Gpu]:
    try:
        cards = json.loads(_ask(_AMD, environ) or "{}")
    except (ValueError, RecursionError):
        return
    for card in cards.values() if isinstance(cards, dict) else ():
        size = card.get("VRAM Total Memory (B)") if isinstance(card, dict) else None
        if isinstance(size, str) and size.isdecimal():
            name = card.get("Card series") or card.get("Card Series") or "AMD GPU"
            yield Gpu(name=str(name), memory=int(size))


def _ask(argv: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """Return the answer of a program; empty if it is not installed, fails or takes too long."""
    import shutil  # 20 ms with subprocess, which only this needs
    import subprocess

    program = shutil.which(argv[0], path=environ.get("PATH", ""))
    if program is None or not program.startswith(os.sep):  # not from the working folder
        return ""
    try:
        answer = subprocess.run(  # noqa: S603  # a driver's program, without arguments of others
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**environ, "LC_ALL": "C"},
            timeout=_TIMEOUT,
            check=True,
        ).stdout
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return answer[:_MAX_ANSWER].decode(errors="replace")
