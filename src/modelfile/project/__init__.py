"""A folder of Modelfiles: configuration, targets and their files."""

from typing import Final

DEFAULT_KEEP: Final = 3
"""Number of backups to keep of a tag."""
