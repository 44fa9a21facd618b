"""`mf store load`."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from modelfile.cli.locations import Use, open_named_folder
from modelfile.cli.options import agree, load_project
from modelfile.cli.parameters import Argument, AsJson, NamedFolder, Replace
from modelfile.filesystem import open_regular
from modelfile.library.archives import LoadedModel, load_models
from modelfile.report.json_output import print_json
from modelfile.report.models import print_backup, print_received
from modelfile.report.progress import progress
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelfile.errors import WouldReplace
    from modelfile.stores.disk.tar import Readable


def load(
    file: Annotated[str, Argument(metavar="FILE", help="File of `mf store save`, or - for standard input.")],
    store: NamedFolder = None,
    *,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Load the models of a file that `mf store save`, or another program for OCI images, has written.

    A file is looked through before anything is written; each blob is compared with its digest, and a model appears when
    all its blobs are there. If anything is wrong, everything is as before. If a name has another model, asks before it
    is replaced, and backs it up.

    With --json: a list of {"name", "digest", "previous", "backup"}; previous is the digest of the manifest before, or
    null, and backup the alias of the model that was replaced, or null.
    """
    terminal, config = current.get(), load_project().config
    with _open(file) as archive, open_named_folder(store, Use.CREATE) as opened, ExitStack() as shown:
        events = shown.enter_context(progress("loading", terminal))

        def approve(errors: Sequence[WouldReplace]) -> bool:
            if replace or file == "-":  # standard input has the archive, not the answer
                return replace
            shown.close()  # a bar would be drawn over the question
            return agree(errors, as_json=as_json)

        done = load_models(
            archive,
            "standard input" if file == "-" else file,
            opened,
            events,
            immutable=config.immutable,
            approve=approve,
            keep=config.keep,
        )
    if as_json:
        print_json([_as_json(model) for model in done], terminal)
        return
    for model in done:
        print_received(model.name, model.digest, model.previous, terminal)
        print_backup(model.name, model.backup, config.immutable, terminal)


def _open(file: str) -> AbstractContextManager[Readable]:
    """Open a file; a pipe, as that of `<(zstd -dc FILE)`, is a stream, as standard input is."""
    if file == "-":
        return nullcontext(current.get().stdin.buffer)
    return Path(file).open("rb") if Path(file).is_fifo() else open_regular(file)


def _as_json(model: LoadedModel) -> dict[str, str | None]:
    backup = str(model.backup) if model.backup else None
    return {"name": str(model.name), "digest": model.digest, "previous": model.previous, "backup": backup}
