"""Build hook: writes the tables of the grammars into the package, for wheels and for editable installs."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TablesHook(BuildHookInterface):
    """Writes the tables, and adds them to the wheel although git ignores them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # as hatchling calls it
        """Write the tables."""
        inherited = os.environ.get("PYTHONPATH")  # pip's isolated environment, with Lark
        path = os.pathsep.join(filter(None, (str(Path(self.root, "src")), inherited)))
        environ = {**os.environ, "PYTHONPATH": path}
        subprocess.run([sys.executable, "-m", "modelfile.grammar"], env=environ, check=True)  # our own program
        build_data["artifacts"].append("src/modelfile/**/*.tables.json")
