"""`mf pin`."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelfile.cli.checked import load_for_build
from modelfile.cli.files import STDIN, find_modelfiles, read_source
from modelfile.cli.locks import load_lock, lock_to_write
from modelfile.cli.server import Host, open_store
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.filesystem import write_atomic
from modelfile.lockfile import NAME, find_lock, key_in
from modelfile.names import ModelName
from modelfile.project.config import find_config, load_config
from modelfile.recipe.recipe import resolve
from modelfile.report.terminal import print_error
from modelfile.syntax.modelfile import Modelfile

if TYPE_CHECKING:
    from modelfile.lock.resolve import Entry
    from modelfile.lock.schema import Lock
    from modelfile.lock.verify import Drift


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

    Without PATHS, looks in this folder. A base that mf.toml lists among the project's models is what its own Modelfile
    gives, built or not. `--check` is for CI.
    """
    if frozen and not check_only:
        raise UsageError("--frozen goes with --check", hint="to pin, a server has to be asked")
    projects = _projects(paths or ["."], check_only=check_only)
    if check_only:
        _check(projects, host, frozen=frozen, whole=paths is None)
    else:
        _write(projects, host, pull=pull)


def _projects(paths: list[str], *, check_only: bool) -> dict[Path, list[Entry]]:
    """The Modelfiles by the lock they belong to."""
    from modelfile.lock.resolve import Entry

    projects: dict[Path, list[Entry]] = {}
    for path in find_modelfiles(paths):
        if path == STDIN:
            raise UsageError("standard input has no place in a lock", hint="name a file")
        folder = Path(path).resolve().parent
        lock = find_lock(folder) if check_only else lock_to_write(folder)
        if lock is None:
            raise InputError(f"no mf.lock for `{path}`", hint="run `mf pin` and commit the file it writes")
        checked = load_for_build(path)
        projects.setdefault(lock, []).append(Entry(root=lock.parent, path=Path(path), modelfile=checked.modelfile))
    return projects


def _check(projects: dict[Path, list[Entry]], host: str | None, *, frozen: bool, whole: bool) -> None:
    from modelfile.lock.verify import Drift, base_drift, drift_of_base, drift_of_files

    drifts: list[Drift] = []
    unknown: list[NotFound] = []
    for path, entries in projects.items():
        lock = load_lock(path)
        for entry in _with_bases(entries, lock):
            drifts += (*drift_of_files(entry, lock), *base_drift(entry, lock))
        if whole:
            gone = sorted(key for key in lock.modelfiles if not (path.parent / key).is_file())
            drifts += (Drift(modelfile=key, what="is in the lock, and is gone") for key in gone)
        pins = [(entry, pin) for entry in entries if (pin := lock.modelfiles.get(entry.key)) and pin.ground]
        if pins and not frozen:
            with open_store(host) as store:
                for entry, pin in pins:
                    try:
                        drifts += drift_of_base(entry, pin, store)
                    except NotFound as error:
                        unknown.append(error)
    _tell(drifts, unknown)
    if frozen:
        typer.echo("no server was asked: a base that has moved goes unnoticed", err=True)


def _with_bases(entries: list[Entry], lock: Lock) -> list[Entry]:
    """Modelfiles with those that make what they are FROM, which have to be as pinned too."""
    from modelfile.lock.resolve import Entry

    known = {entry.key: entry for entry in entries}
    for entry in (every := [*entries]):
        pin = lock.modelfiles.get(entry.key)
        maker = entry.root / pin.project_base.modelfile if pin and pin.project_base else None
        if maker and maker.is_file() and (key := key_in(entry.root / NAME, maker)) not in known:
            known[key] = Entry(root=entry.root, path=maker, modelfile=Modelfile.parse(read_source(str(maker))))
            every.append(known[key])
    return every


def _tell(drifts: list[Drift], unknown: list[NotFound]) -> None:
    for drift in drifts:
        typer.echo(f"{drift.modelfile}: {drift.what}")
    for missing in unknown:
        print_error(missing.message, missing.hint)
    if drifts:
        print_error("mf.lock is no longer true", "run `mf pin`, look at what it changes, and commit it")
    if drifts or unknown:
        raise typer.Exit(1 if drifts else 3)


def _makers(lock: Path, entries: list[Entry]) -> dict[str, Entry]:
    """By the keys of Modelfiles, the Modelfile of the project that makes what one is FROM."""
    from modelfile.lock.resolve import Entry

    known = {entry.key: entry for entry in entries}
    makers: dict[str, Entry] = {}
    for file in {file for entry in entries if (file := find_config(entry.folder))}:
        made: dict[str, Entry] = {}
        for model in load_config(file).models:
            key = key_in(lock, model.modelfile)
            if key and not model.quantize:  # else it is not what its Modelfile alone gives
                with contextlib.suppress(InputError):
                    made[model.name.full.lower()] = known.get(key) or Entry(
                        root=lock.parent,
                        path=model.modelfile,
                        modelfile=Modelfile.parse(read_source(str(model.modelfile))),
                    )
        of_project = [entry for entry in entries if find_config(entry.folder) == file]
        for entry in (*of_project, *made.values()):
            if maker := made.get(_base(entry)):
                makers[entry.key] = maker
    return makers


def _base(entry: Entry) -> str:
    """What a Modelfile is FROM, as names are compared."""
    with contextlib.suppress(InputError, UsageError):
        written = resolve(entry.modelfile, entry.folder).base
        return ModelName.parse(written).full.lower() if written else ""
    return ""


def _write(projects: dict[Path, list[Entry]], host: str | None, *, pull: bool) -> None:
    from modelfile.lock.schema import Lock
    from modelfile.lock.together import pin_all
    from modelfile.report.progress import progress

    for path, entries in projects.items():
        before = load_lock(path).modelfiles
        kept = {key: pinned for key, pinned in before.items() if (path.parent / key).is_file()}
        with open_store(host) as store, progress("pinning") as events:
            pins = pin_all(entries, before, _makers(path, entries), store, events, pull=pull)
        lock = Lock(modelfiles={**kept, **pins})
        if not path.exists() or path.read_bytes() != lock.dumps().encode():
            write_atomic(path, lock.dumps().encode())
        for key in sorted(before.keys() - lock.modelfiles.keys()):
            typer.echo(f"{key}: gone, no longer in the lock")
        for key, pinned in sorted(pins.items()):
            base = pinned.ground.written if pinned.ground else ", ".join(pinned.files)
            news = "" if before.get(key) == pinned else "  (new)" if key not in before else "  (changed)"
            typer.echo(f"{key}: {base} -> {pinned.fingerprint}{news}")
