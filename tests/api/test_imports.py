"""Imports of a plain lint: start-up is most of its time."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"httpx", "pydantic", "gguf", "numpy", "rich", "watchfiles", "importlib.metadata"}


@pytest.mark.parametrize("arguments", [["--version"], ["lint", "Modelfile"], ["lint", "--format", "json", "Modelfile"]])
def test_no_heavy_import(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "Modelfile").write_text("FROM llama3.2\nSYSTEM 10\u00a0000\nTEMP 1\n", encoding="utf-8")
    code = (
        "import sys\nfrom modelfile.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = {name for name in ran.stderr.splitlines() if name in HEAVY}
    assert imported <= ({"importlib.metadata"} if arguments == ["--version"] else set())
