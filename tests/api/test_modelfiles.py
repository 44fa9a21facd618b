"""The examples in modelfiles/: nothing is found in them, and their weights are what the script beside them writes."""

import runpy
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf
from tests.support.paths import ROOT

from modelfile.weights.gguf import read_header

FOLDER = ROOT / "modelfiles"


@pytest.mark.parametrize("folder", ["modelfiles", "examples"])
def test_nothing_is_found_in_them(folder: str) -> None:
    assert mf("lint", folder, cwd=ROOT) == Ran(0, "", "")


def test_the_weights_of_the_project_are_those_of_an_example() -> None:
    copy = ROOT / "examples" / "support" / "support-base" / "tiny.gguf"
    assert copy.read_bytes() == (FOLDER / "local-gguf" / "tiny.gguf").read_bytes()


def test_the_weights_are_those_of_the_script(tmp_path: Path) -> None:
    runpy.run_path(str(FOLDER / "write_weights.py"))["write_all"](tmp_path)
    written = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.gguf"))
    assert written == sorted(path.relative_to(FOLDER) for path in FOLDER.rglob("*.gguf"))
    for path in written:
        ours, made = (read_header(folder / path) for folder in (FOLDER, tmp_path))
        assert ours.metadata == made.metadata
        tensors = min(ours.size, made.size) // 2  # another version of gguf may write the header differently
        assert (FOLDER / path).read_bytes()[-tensors:] == (tmp_path / path).read_bytes()[-tensors:]
