"""Temporary files of a store."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from modelfile.stores.disk.files import abandoned, remove_abandoned, temporary_file


def test_files_of_killed_writers_are_removed(tmp_path: Path) -> None:
    folder = tmp_path
    program = (
        "import os, sys; from pathlib import Path; from modelfile.stores.disk.files import temporary_file\n"
        "with temporary_file(Path(sys.argv[1])) as (file, path):\n"
        "    file.write(b'x' * 100); print(path.name, flush=True); sys.stdin.read(); os._exit(1)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout
        name = running.stdout.readline().strip()
        assert re.fullmatch(rf"mf-{running.pid}-[0-9a-f]{{16}}", name)
        remove_abandoned(folder)
        assert [*abandoned(folder)] == []
        assert (folder / name).exists()
        running.communicate("")
    assert [*abandoned(folder)] == [(folder / name, 100)]
    with temporary_file(folder) as (_, path):
        remove_abandoned(folder)
        assert [*folder.iterdir()] == [path]
    assert [*folder.iterdir()] == []


def test_a_file_taken_for_abandoned_before_it_was_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")
    folder, lock = tmp_path, fcntl.flock
    taken: list[Path] = []

    def remove_first(descriptor: int, how: int) -> None:
        if not taken:
            taken.append(next(folder.glob("mf-*")))
            taken[0].unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with temporary_file(folder) as (_, path):
        assert path.exists()
        assert [path] != taken
