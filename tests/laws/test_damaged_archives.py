"""Archives with random damage: each gives the models that were saved, or one error and a folder as before."""

from __future__ import annotations

import io
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st
from tests.support.folder import add_model, contents, empty_store

from modelfile.errors import InputError
from modelfile.library.archives import load_models, save_models
from modelfile.stores.disk.store import FolderStore


def saved() -> tuple[bytes, dict[str, bytes | str]]:
    """Return an archive of two models, and the files of their folder."""
    with TemporaryDirectory() as folder:
        layout = empty_store(Path(folder, "store"))
        add_model(layout, "base:v1", model=b"GGUF weights")
        add_model(layout, "bot:v1", model=b"GGUF weights", system=b"Be brief.")
        pieces = save_models(["base:v1", "bot:v1"], FolderStore(layout)).pieces
        return b"".join(pieces), contents(layout.root)


ARCHIVE, FILES = saved()
AT = st.integers(0, len(ARCHIVE) - 1)
DAMAGES = st.lists(
    st.one_of(
        st.tuples(st.just("change"), AT, st.binary(min_size=1, max_size=4)),
        st.tuples(st.just("cut"), AT, st.just(b"")),
        st.tuples(st.just("insert"), AT, st.binary(min_size=1, max_size=600)),
        st.tuples(st.just("repeat"), AT, st.just(b"")),
        st.tuples(st.just("swap"), st.integers(0, len(ARCHIVE) // 512 - 1), st.just(b"")),
    ),
    min_size=1,
    max_size=3,
)


def damaged(archive: bytes, damages: list[tuple[str, int, bytes]]) -> bytes:
    for kind, at, text in damages:
        match kind:
            case "change":
                archive = archive[:at] + text + archive[at + len(text) :]
            case "cut":
                archive = archive[:at]
            case "insert":
                archive = archive[:at] + text + archive[at:]
            case "repeat":
                archive += archive[at:]
            case _:  # two blocks
                start, middle, end = 512 * at, 512 * (at + 1), 512 * (at + 2)
                archive = archive[:start] + archive[middle:end] + archive[start:middle] + archive[end:]
    return archive


@given(damages=DAMAGES, as_file=st.sampled_from(["file", "stream"]))
def test_damaged_archive_gives_its_models_or_nothing(damages: list[tuple[str, int, bytes]], as_file: str) -> None:
    text = damaged(ARCHIVE, damages)
    with TemporaryDirectory() as folder:
        layout, path, message = empty_store(Path(folder, "store")), Path(folder, "x.tar"), ""
        path.write_bytes(text)
        try:
            with path.open("rb", buffering=0) as file:
                source = file if as_file == "file" else io.BytesIO(text)
                load_models(source, "x.tar", FolderStore(layout))
        except InputError as error:
            message = error.message
        found = contents(layout.root)
        if message:
            assert message.startswith("cannot load `x.tar`: ")
            assert found == {}
        else:  # only a name in the index is proven by nothing
            assert {*found.values()} <= {*FILES.values()}
