"""Quantization of a GGUF file by an installed `llama-quantize`, of llama.cpp, instead of Ollama's server.

The server of Ollama 0.34.1 no longer quantizes, and a folder never does. Only the command line names the program: a
project of somebody else must not choose what runs here.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

from modelfile.cache import cache_folder
from modelfile.catalog.quantizations import PROGRAM_ALIASES
from modelfile.errors import InputError, UsageError, VerificationError, cannot_read, cannot_write
from modelfile.events import Events, Progress, ignore
from modelfile.locks import name_lock
from modelfile.weights.gguf import read_header
from modelfile.weights.types import FILE_TYPES

if TYPE_CHECKING:
    from subprocess import Popen

_FOLDER: Final = "quantized"
"""The folder in the cache for the results."""
_UNUSED: Final = 7 * 86_400
"""Seconds after which a result that no build has used is removed by the next quantization."""
_POLL: Final = 0.2
"""Seconds between two looks at the size of the result."""
_SHOWN: Final = 3
"""Lines of the program's output that an error has."""
_TAIL: Final = 1 << 12
"""Bytes of the output in which they are looked for."""
_NAME: Final = 64
"""Characters of the name of the weights in that of a result."""


def quantize(path: Path, digest: str, kind: str, program: str, events: Events = ignore) -> Path:
    """Return a file with the weights of another in a type, from the cache if the program has made it before.

    Args:
        path: A GGUF file with a whole model.
        digest: Its digest.
        kind: The type, as llama-quantize names it, in any case.
        program: The program: a name that is found on PATH, or a path.
        events: Receives progress: the size of the result so far.

    Raises:
        UsageError: There is no such program.
        InputError: It fails, or the disk is full.
        VerificationError: The result is not the same model in that type.
    """
    found = shutil.which(program)
    if found is None:
        hint = "install llama.cpp, or pass the path of its llama-quantize to --with"
        raise UsageError(f"program not found: `{program}`", hint=hint)
    with _folder() as folder:
        result = folder / f"{path.stem[:_NAME]}-{kind.upper()}-{_key(digest, Path(found))}.gguf"
        with name_lock(str(result), "", events, f"quantization of {path.name}"):
            if result.exists():
                os.utime(result)
                return result
            _remove_unused(folder)
            part = result.with_suffix(".part")
            try:
                _run([found, str(path), str(part), kind.upper()], path, part, events)
                _check(path, part, kind, program)
                part.replace(result)
            finally:
                if part.is_dir() and not part.is_symlink():
                    shutil.rmtree(part)
                part.unlink(missing_ok=True)
        return result


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    cache = cache_folder()
    if cache is None:
        raise InputError("there is no folder for the quantized weights", hint="set MF_CACHE_DIR to one of yours")
    folder = cache / _FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        yield folder
    except OSError as error:
        raise cannot_write(folder, error) from error


def _key(digest: str, program: Path) -> str:
    """Return a name for what a program makes of weights; another build of the program may make something else."""
    try:
        state = program.stat()
    except OSError as error:
        raise cannot_read(program, error) from error
    text = f"{digest} {program.resolve()} {state.st_size} {state.st_mtime_ns}"
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _remove_unused(folder: Path) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):  # another process may have removed it
            if time.time() - path.stat().st_mtime > _UNUSED:
                path.unlink()


def _run(argv: list[str], path: Path, part: Path, events: Events) -> None:
    import subprocess

    with TemporaryDirectory(prefix="mf-") as folder, (Path(folder) / "output").open("w+b") as output:
        try:
            process = subprocess.Popen(  # noqa: S603  # the program that the user names
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        except OSError as error:
            raise InputError(f"cannot run `{argv[0]}`: {error.strerror}") from error
        try:
            _wait(process, path, part, events)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            output.seek(max(output.seek(0, os.SEEK_END) - _TAIL, 0))
            lines = output.read(_TAIL).decode(errors="replace").strip().splitlines()[-_SHOWN:]
            code = process.returncode
            end = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
            raise InputError(f"`{argv[0]}` cannot quantize `{path}` to {argv[-1]} ({end})", details=lines)


def _wait(process: Popen[bytes], path: Path, part: Path, events: Events) -> None:
    import subprocess

    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_POLL)
            return
        completed = part.stat().st_size if part.exists() else 0
        events(Progress(status=f"quantizing {path.name}", completed=completed))


def _check(path: Path, part: Path, kind: str, program: str) -> None:
    """Raise an error unless a file is the same model as another, in a type."""
    if part.is_symlink() or not part.is_file():  # what a symlink leads to may change, and the cache keeps the result
        raise VerificationError(
            f"`{program}` wrote no file of quantized weights", hint="pass a llama-quantize to --with"
        )
    wanted = PROGRAM_ALIASES.get(kind.upper(), kind.upper())
    source = read_header(path)
    try:
        made = read_header(part)
    except InputError as error:  # its message names a file that is removed
        raise VerificationError(
            f"`{program}` wrote no whole GGUF file", hint="pass a llama-quantize to --with"
        ) from error
    facts = [
        ("type", wanted, FILE_TYPES.get(made.number("general.file_type"))),
        ("architecture", source.architecture, made.architecture),
        ("number of weights", source.parameters, made.parameters),
        ("size in bytes", max(made.needed, made.size), made.size),
    ]
    for what, expected, found in facts:
        if expected != found:
            raise VerificationError(
                f"`{program}` made other weights of `{path}` than asked for: {what} {found} instead of {expected}",
                hint="update llama.cpp",
            )
