"""A folder of Modelfiles: configuration, targets and their files."""

from typing import Final

DEFAULT_KEEP: Final = 3
"""Number of backups to keep of a tag."""
DEFAULT_IMMUTABLE: Final = ("v[0-9]*", "[0-9]*.[0-9]*")
"""Patterns of immutable tags: `v1`, `v1.2` and `1.2.3`, but not `vision` or `8b`."""
