"""Certificates of servers of the tests."""

import shutil
import subprocess
from pathlib import Path

import pytest


def make_certificate(folder: Path) -> Path:
    """Return a file with a certificate of 127.0.0.1 and its key; `cert.pem` beside it is for who is to trust it."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl to make a certificate")
    both = folder / "certificate.pem"
    parts = ["-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=x", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *parts]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both
