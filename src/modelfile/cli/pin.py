"""`mf pin`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.checked import check
from modelfile.cli.files import find_modelfiles, write_atomic
from modelfile.cli.locks import find_lock, key_of, load_lock, lock_to_write
from modelfile.cli.server import Host, open_store
from modelfile.diagnostics import Severity
from modelfile.errors import InputError, UsageError
from modelfile.report.text import print_error, print_findings

if TYPE_CHECKING:
    from modelfile.lock.resolve import Entry


def pin(
    paths: Annotated[list[str] | None, typer.Argument(help="Modelfiles, or folders to look for them in.")] = None,
    host: Host = None,
    *,
    check_only: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 if the lock is no longer true, and say why.")
    ] = False,
    frozen: Annotated[
        bool, typer.Option("--frozen", help="With --check: ask no server, so that moved bases are not noticed.")
    ] = False,
    pull: Annotated[bool, typer.Option("--pull/--no-pull", help="Pull a base that the server does not have.")] = True,
) -> None:
    """Record in mf.lock what each Modelfile's base is now, and the fingerprint of what a build gives.

    Without PATHS, looks in this folder. `--check` is for CI.
    """
    if frozen and not check_only:
        raise UsageError("--frozen goes with --check", hint="to pin, a server has to be asked")
    lock_path = find_lock(Path()) if check_only else lock_to_write(Path())
    if lock_path is None:
        raise InputError("no mf.lock here or above", hint="run `mf pin` and commit the file it writes")
    entries = _entries(paths or ["."], lock_path)
    if check_only:
        _check(entries, lock_path, host, frozen=frozen, whole=paths is None)
    else:
        _write(entries, lock_path, host, pull=pull)


def _entries(paths: list[str], lock: Path) -> list[Entry]:
    from modelfile.lock.resolve import Entry

    entries = []
    refused = []
    for path in find_modelfiles(paths):
        if path == "-":
            raise UsageError("standard input has no place in a lock", hint="name a file")
        checked = check(path)
        if checked.refused:
            errors = tuple(found for found in checked.diagnostics if found.severity is Severity.ERROR)
            refused.append((checked.modelfile.source, errors))
        else:
            entries.append(Entry(key=key_of(Path(path), lock), folder=Path(path).parent, modelfile=checked.modelfile))
    if refused:
        print_findings(refused, to_stderr=True)
        raise typer.Exit(1)
    return entries


def _check(entries: list[Entry], lock_path: Path, host: str | None, *, frozen: bool, whole: bool) -> None:
    from modelfile.lock.verify import Drift, drift_of_base, drift_of_files

    lock = load_lock(lock_path)
    drifts = [drift for entry in entries for drift in drift_of_files(entry, lock)]
    pins = [(entry.key, lock.modelfiles[entry.key]) for entry in entries if entry.key in lock.modelfiles]
    if not frozen and any(pin.base for _, pin in pins):
        with open_store(host) as store:
            drifts += [drift for key, pin in pins for drift in drift_of_base(key, pin, store)]
    if whole:
        gone = sorted(key for key in lock.modelfiles if not (lock_path.parent / key).is_file())
        drifts += [Drift(modelfile=key, what="is in the lock, and is gone") for key in gone]
    for drift in drifts:
        typer.echo(f"{drift.modelfile}: {drift.what}")
    if drifts:
        print_error(f"{lock_path.name} is no longer true", "run `mf pin`, look at what it changes, and commit it")
        raise typer.Exit(1)
    if frozen:
        typer.echo("no server was asked: a base that has moved goes unnoticed", err=True)


def _write(entries: list[Entry], lock_path: Path, host: str | None, *, pull: bool) -> None:
    from modelfile.lock.resolve import pin as pin_entry
    from modelfile.lock.schema import Lock
    from modelfile.report.progress import progress

    before = load_lock(lock_path)
    kept = {key: pin for key, pin in before.modelfiles.items() if (lock_path.parent / key).is_file()}
    with open_store(host) as store, progress("pinning") as listen:
        pins = {entry.key: pin_entry(entry, store, listen, pull=pull) for entry in entries}
    lock = Lock(modelfiles={**kept, **pins})
    if not lock_path.exists() or lock_path.read_bytes() != lock.dumps().encode():
        write_atomic(lock_path, lock.dumps().encode())
    for key in sorted(before.modelfiles.keys() - lock.modelfiles.keys()):
        typer.echo(f"{key}: gone, no longer in the lock")
    for key, pinned in sorted(pins.items()):
        base = pinned.base.written if pinned.base else ", ".join(pinned.files)
        news = (
            "" if before.modelfiles.get(key) == pinned else "  (new)" if key not in before.modelfiles else "  (changed)"
        )
        typer.echo(f"{key}: {base} -> {pinned.fingerprint}{news}")
