"""The import contracts reject forbidden imports."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.paths import ROOT

APART = "Stores know each other only by their protocol BROKEN"


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("project/config.py", "import httpx", "Only the sessions of servers and registries speak HTTP BROKEN"),
        ("project/config.py", "import rich", "Only report and cli use the terminal libraries BROKEN"),
        ("stores/staging.py", "import typer", "Only report and cli use the terminal libraries BROKEN"),
        ("syntax/nodes.py", "import modelfile.project.config", "Imports run downward only BROKEN"),
        ("cli/lint.py", "import watchfiles", "Only --watch watches files BROKEN"),
        ("stores/memory.py", "import modelfile.stores.ollama.wire", APART),
        ("stores/staging.py", "import modelfile.stores.memory", APART),
        ("project/discovery.py", "import subprocess", "Only git, machine and the quantizer start programs BROKEN"),
        ("newcomer.py", "import json", "newcomer"),
    ],
)
def test_a_forbidden_import_is_rejected(module: str, line: str, contract: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "src" / "modelfile" / module).open("a") as file:
        file.write(f"\n{line}\n")
    program = "import sys; sys.path.insert(0, 'src'); from importlinter.cli import lint_imports_command as run; run()"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    output = ran.stdout + ran.stderr
    assert contract in output, output
    assert ran.returncode == 1
