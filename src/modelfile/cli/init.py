"""`mf init`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Final

from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import Argument, AsJson, Host, Option, StoreFolder
from modelfile.cli.show.sources import open_model
from modelfile.errors import InputError, ModelfileError, NotFound, ServerError, ServerUnreachable, UsageError
from modelfile.filesystem import write_new
from modelfile.importer.first import is_first, is_known_base, modelfile_of_weights, modelfile_on, similar_bases
from modelfile.importer.stored import blobs_of, export
from modelfile.names import ModelName, Prefix, is_path, join_alternatives, split_prefix
from modelfile.project.discovery import is_modelfile
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current
from modelfile.weights.reading import is_weights

if TYPE_CHECKING:
    from modelfile.cli.show.sources import Options
    from modelfile.lockfile.lock import Base
    from modelfile.stores.protocol import Store, StoredModel

_STDOUT: Final = "-"
_MODELFILE: Final = "Modelfile"
_MF_TOML: Final = "mf.toml"


def init(
    name: Annotated[
        str | None,
        Argument(metavar="NAME|FILE", help="Model, base, GGUF file or folder of weights; none: write mf.toml."),
    ] = None,
    host: Host = None,
    store: StoreFolder = None,
    *,
    output: Annotated[
        str | None, Option("--output", "-o", metavar="FILE", help="File to write, or -; default: ./Modelfile.")
    ] = None,
    weights: Annotated[
        str | None, Option("--weights", metavar="DIR", help="Copy the weights of the model to DIR, for FROM.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a Modelfile: of a model, so that it builds the same model again, or a first one on a base.

    Of a model on a server or in a folder, what its base does not have is written. FROM names the model that it was
    created from, or else a locked base or a model of the library with the same weights, or else the weights. Before it
    is written, it is proved to give the same fingerprint; what no Modelfile can express is an error. registry:NAME,
    lock:NAME and store:NAME are models as `mf show` has them.

    Of a base, such as llama3.2, a Hugging Face name or a GGUF file, a first Modelfile is written, with its license, its
    stops and what it can do. The server is asked whether it has the model; a base that it does not have is not pulled.

    Without NAME, an mf.toml is written that lists the Modelfiles in the folder.

    A file that exists is not overwritten.

    With --json: {"file", "name", "fingerprint"}; name and fingerprint are those of the model that the Modelfile builds
    again, and null for a first Modelfile and mf.toml.
    """
    if output == _STDOUT and as_json:
        raise UsageError("--json cannot be used with `-o -`: both print on standard output", hint="pass a file")
    if output == "":
        raise UsageError("--output needs the path of a file", hint="pass `-o FILE`, or `-o -` to print it")
    path = Path(output or (_MODELFILE if name is not None else _MF_TOML))
    if output != _STDOUT:
        _reject_target(path)
    stored = None
    if name is not None:
        text, stored = _text(name, (host, store), path.parent, weights)
    elif weights is not None:
        raise UsageError("--weights needs the name of a model", hint="write `mf init NAME --weights DIR`")
    else:
        text = _listing(path.parent)
    if output == _STDOUT:
        current.get().write_content(text)
        return
    write_new(path, text.encode())
    if as_json:
        built = {"name": str(stored.name), "fingerprint": stored.fingerprint} if stored else {}
        print_json({"file": str(path), "name": None, "fingerprint": None} | built, current.get())
        return
    file = "" if path == Path(_MODELFILE) else f" -f {quote(str(path))}"
    command = f"mf build {stored.name if stored else 'NAME:TAG'}{file}" if name is not None else "mf build"
    current.get().print(f"wrote {path}; build with `{command}`")


def _reject_target(path: Path) -> None:
    """Reject a path that cannot be written, before a server is asked."""
    if path.is_dir():
        raise InputError(f"cannot write `{path}`: it is a folder", hint=f"pass `-o {quote(str(path / _MODELFILE))}`")
    if os.path.lexists(path):
        raise InputError(f"`{path}` exists already", hint="pass `-o FILE`, or `-o -` to print it")
    if not path.parent.is_dir():
        raise InputError(
            f"cannot write `{path}`: no folder `{path.parent}`", hint=f"make it: `mkdir {quote(str(path.parent))}`"
        )


def _listing(folder: Path) -> str:
    from modelfile.importer.listing import list_models_of

    project = load_project()
    if project.config_name:
        raise InputError(f"the configuration here is `{project.config_name}`", hint="add `[models.NAME]` to it")
    return list_models_of([target.path for target in project.modelfiles(["."])], folder)


def _text(name: str, options: Options, folder: Path, weights: str | None) -> tuple[str, StoredModel | None]:
    """Return the Modelfile of a model, a base or weights, and the model if it builds that again."""
    prefix, rest = split_prefix(name)
    if rest and prefix in (None, Prefix.FILE) and _is_file(Path(rest), only=prefix is Prefix.FILE or is_path(rest)):
        if weights is not None:
            raise UsageError(f"--weights needs a model: `{rest}` is a file", hint="leave out --weights")
        return modelfile_of_weights(Path(rest), folder), None
    try:
        with open_model(name, options) as (stored, store):
            text = modelfile_of(stored, store, folder, weights)
            return text, None if is_first(text) else stored
    except (NotFound, ServerUnreachable) as error:
        if prefix is not None or weights is not None:
            raise
        return _on_base(rest, error), None


def _is_file(path: Path, *, only: bool) -> bool:
    """Return whether an argument means a file or a folder of weights; a Modelfile is rejected.

    Args:
        path: The path that it would be.
        only: Whether it can only be a path; otherwise a folder without weights may have the name of a model.
    """
    only = only or path.name.endswith(".gguf")
    if only and not path.exists():
        raise InputError(f"file not found: `{path}`")
    found = path / _MODELFILE if path.is_dir() else path
    if is_modelfile(found.name) and found.is_file() and (only or found is path):
        raise InputError(f"`{found}` is a Modelfile already", hint="name a model, a base, or a GGUF file")
    if only or path.is_file():
        return True
    return is_weights(path)


def _on_base(text: str, error: ModelfileError) -> str:
    """Return a first Modelfile on a base that the server does not have; the error if Ollama could not pull it."""
    name = ModelName.parse(text)
    if is_known_base(name):
        return modelfile_on(name)
    if isinstance(error, NotFound) and (similar := similar_bases(name)):
        raise NotFound(error.message, hint=f"did you mean {join_alternatives([f'`{base}`' for base in similar])}?")
    raise error


def modelfile_of(stored: StoredModel, store: Store | None, folder: Path, weights: str | None = None) -> str:
    """Return a Modelfile that builds a model; with its weights in a folder, if that is given.

    Raises:
        InputError: No Modelfile builds it, or a copy of the weights cannot be made.
        UsageError: The weights are not on this machine.
        ServerError: The store cannot answer.
    """
    if weights is not None:
        return _with_weights(stored, store, folder, Path(weights))
    if store is None:  # as a registry or mf.lock has it, a model is a base
        return modelfile_on(stored.name, stored)
    project = load_project()
    bases: list[Base] = []
    with suppress(InputError):  # a damaged lock decides nothing
        if lock := project.find_lock(folder):
            bases = [pin.base for pin in lock.lock.modelfiles.values() if pin.base]
    locked = {ModelName.parse(base.name).full.lower(): base for base in bases}
    with open_registry(project.config) as registry:

        def find(name: ModelName) -> StoredModel | None:
            with suppress(InputError):  # a damaged base is no base
                if found := store.find(name):
                    return found
            with suppress(InputError, ServerError, UsageError):  # what cannot be had is no base
                if base := locked.get(name.full.lower()):
                    from modelfile.prediction import restore_base

                    return restore_base(name, base, store, registry)
                if is_known_base(name):
                    from modelfile.library.published import show_published

                    return show_published(str(name), registry)
            return None

        names = [ModelName.parse(base.name) for base in bases]
        return export(stored, store, find=find, locked=names, folder=folder)


def _with_weights(stored: StoredModel, store: Store | None, folder: Path, target: Path) -> str:
    """Return a Modelfile on copies of the weights."""
    blobs = blobs_of(stored)
    if store is None or not blobs.keys() >= {*stored.model.files}:
        where = store.location if store else "a registry"
        hint = f"on the machine of the server, name its folder: `mf init {stored.name} --store DIR --weights DIR`"
        raise UsageError(f"cannot copy the weights of {stored.name}: {where} does not give out weights", hint=hint)
    export(stored, store, files=blobs, folder=folder)  # proved before anything is copied
    from modelfile.importer.weights import copy_files, path_from
    from modelfile.report.progress import progress

    with progress("copying", current.get()) as events:
        copied = copy_files(stored, blobs, target, events)
    files = {digest: path_from(folder, path) for digest, path in copied.items()}
    return export(stored, store, files=files, folder=folder)
