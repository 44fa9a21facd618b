"""Versions of Ollama and their order."""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Final

from modelfile.immutable import record

_NUMBER: Final = r"([0-9]{1,18})"
"""A part of a version; one with more digits is no release, and takes long to read."""
_VERSION: Final = rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?(?:-?rc\.?{_NUMBER})?(?:[-+].*)?"


@total_ordering
@record()
class Version:
    """A release of Ollama, or a release candidate, which is older than its release."""

    major: int
    minor: int
    patch: int
    candidate: int | None = None

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse a version as servers, tags and people write it: `0.9.3`, `v0.33.0-rc2`, `0.33.0-rc2-head`, `0.9`.

        The suffix of a custom build (`-head`, `-12-gabcdef0`) is ignored.

        Raises:
            ValueError: It is not a version.
        """
        matched = re.fullmatch(_VERSION, text, re.ASCII)  # compiled on first use: few commands parse a version
        if matched is None:
            raise ValueError(f"`{text}` is not a version of Ollama, such as 0.14.0")
        major, minor, patch, candidate = matched.groups()
        return cls(int(major), int(minor or 0), int(patch or 0), None if candidate is None else int(candidate))

    def __lt__(self, other: Version) -> bool:
        return self._sort_key < other._sort_key

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}" + ("" if self.candidate is None else f"-rc{self.candidate}")

    @property
    def _sort_key(self) -> tuple[int, int, int, bool, int]:
        return self.major, self.minor, self.patch, self.candidate is None, self.candidate or 0


NEWEST: Final = Version(0, 32, 15)
"""The newest release whose source the catalog was made from; nothing in it changed in 0.33.0-rc2."""
DEVELOPMENT: Final = Version(0, 0, 0)
"""The version that an Ollama built without one reports."""


def release(version: str) -> Version | None:
    """Parse the version that a server reports; None if it was built without one."""
    try:
        parsed = Version.parse(version)
    except ValueError:
        return None
    return parsed if parsed > DEVELOPMENT else None
