"""Small disks of tests: mounted where that is possible, else the test is skipped by name."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[Path]:
    """Mount a file system on a folder while the context lasts."""
    if not hasattr(os, "geteuid") or os.geteuid() or not shutil.which("mount"):
        pytest.skip("only root can mount a disk")
    folder.mkdir(parents=True)
    ran = subprocess.run(["mount", *arguments, str(folder)], capture_output=True, text=True, check=False)
    if ran.returncode:
        pytest.skip(f"cannot mount a disk: {ran.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount an empty disk of a size in bytes."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "none"):
        yield folder


@contextmanager
def disk_with_reflinks(folder: Path, size: int) -> Iterator[Path]:
    """Mount an empty XFS, whose files can share blocks, of a size in bytes."""
    if not shutil.which("mkfs.xfs"):
        pytest.skip("mkfs.xfs is missing (Debian's xfsprogs)")
    image = folder.with_name(f"{folder.name}.img")
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", str(image)], check=True)
    try:
        with mounted(folder, "-o", "loop", str(image)):
            yield folder
    finally:
        image.unlink()


def used(disk: Path) -> int:
    """Return the space that is in use on a disk, in bytes, once all is written."""
    os.sync()
    state = os.statvfs(disk)
    return (state.f_blocks - state.f_bfree) * state.f_frsize
