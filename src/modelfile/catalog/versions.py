"""Versions of Ollama, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final

_VERSION: Final = r"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?(?:-?rc\.?([0-9]+))?(?:[-+].*)?"


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A release of Ollama or a candidate for one; a candidate comes before its release."""

    major: int
    minor: int
    patch: int
    candidate: int | None = None

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read what a server, a tag or a person calls a version: `0.9.3`, `v0.33.0-rc2`, `0.33.0-rc2-head`, `0.9`.

        What a build of one's own puts behind the number (`-head`, `-12-gabcdef0`) says nothing of what it can do.

        Raises:
            ValueError: It is no version.
        """
        matched = re.fullmatch(_VERSION, text, re.ASCII)  # compiled when first used: few commands read a version
        if matched is None:
            raise ValueError(f"`{text}` is not a version of Ollama, such as 0.14.0")
        major, minor, patch, candidate = matched.groups()
        return cls(int(major), int(minor or 0), int(patch or 0), None if candidate is None else int(candidate))

    def __lt__(self, other: Version) -> bool:
        return self._place < other._place

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + ("" if self.candidate is None else f"-rc{self.candidate}")

    @property
    def _place(self) -> tuple[int, int, int, bool, int]:
        return self.major, self.minor, self.patch, self.candidate is None, self.candidate or 0


def release(version: str) -> Version | None:
    """The release that a server says it is; None for one that was built without a version."""
    try:
        found = Version.parse(version)
    except ValueError:
        return None
    return found if found > _DEVELOPMENT else None


_DEVELOPMENT: Final = Version(0, 0, 0)
"""The version of an Ollama that was built without one."""
