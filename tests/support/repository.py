"""A git repository with a lock."""

import os
import subprocess
from pathlib import Path


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, and return what it prints."""
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    ran = subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    return ran.stdout.strip()


def commit(folder: Path, day: int) -> str:
    """Commit mf.lock at noon of a day, and return the start of the commit's id."""
    git(folder, "add", "-A", "mf.lock")
    date = f"2026-11-{day:02}T12:00:00Z"
    subprocess.run(
        ["git", "-C", folder, "-c", "user.name=x", "-c", "user.email=x", "commit", "-q", "-m", "x", "--date", date],
        check=True,
        env={"GIT_COMMITTER_DATE": date, "PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null"},
    )
    return git(folder, "rev-parse", "HEAD")
