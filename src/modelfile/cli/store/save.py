"""`mf store save`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, open_named_folder
from modelfile.cli.parameters import Argument, AsJson, NamedFolder, Option
from modelfile.errors import ExitCode, UsageError
from modelfile.filesystem import format_size, write_atomic
from modelfile.library.archives import save_models
from modelfile.names import name_on_server
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current
from modelfile.stores.disk.files import create_temporary

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def save(
    names: Annotated[list[str], Argument(metavar="NAME...", help="Models: names, 'bot:v*', or starts of digests.")],
    store: NamedFolder = None,
    *,
    output: Annotated[str, Option("--output", "-o", metavar="FILE", help="File to write, or - for a stream.")],
    as_json: AsJson = False,
) -> None:
    """Save models in one file, for a machine without a network: `mf store load` reads it there.

    It is an OCI image layout in a tar, which skopeo and crane read, too. The same models give the same bytes on each
    machine; blobs that several models share are in it once. Each blob is compared with its digest. A file appears when
    it is whole; a stream that ends early has no end mark, so that no program takes it for whole. Over a network: `mf
    store save NAME -o - | ssh HOST mf store load -`.

    With --json: {"file", "size", "models": [{"name", "digest"}, ...]}, with the digests of the manifests.
    """
    terminal = current.get()
    if output == "-" and as_json:
        raise UsageError("--json cannot be used with `-o -`: both print on standard output", hint="pass a file")
    if output == "-" and terminal.is_tty():
        raise UsageError("cannot write an archive to a terminal", hint="pass `-o FILE`, or redirect standard output")
    with open_named_folder(store, Use.READ) as opened, progress("saving", terminal) as events:
        saved = save_models([name_on_server(name, in_folder=True) for name in names], opened, events)
        count = _Count()
        if output == "-":
            _write_stream(count.of(saved.pieces))
        else:
            write_atomic(Path(output), count.of(saved.pieces), create=create_temporary)
    if as_json:
        models = [{"name": str(model.name), "digest": model.manifest.digest} for model in saved.models]
        print_json({"file": output, "size": count.size, "models": models}, terminal)
    elif output != "-":
        names_saved = ", ".join(str(model.name) for model in saved.models)
        terminal.print(f"saved {names_saved} to {output} ({format_size(count.size)})")


def _write_stream(pieces: Iterable[bytes]) -> None:
    stream = current.get().stdout
    for piece in pieces:
        stream.write_bytes(piece)
        if stream.failure:  # which is reported at the end
            raise SystemExit(ExitCode.FAILED)


class _Count:
    """The size of what was written."""

    def __init__(self) -> None:
        self.size = 0

    def of(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield pieces, and add up their sizes."""
        for piece in pieces:
            self.size += len(piece)
            yield piece
