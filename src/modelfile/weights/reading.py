"""The weights of a file or a folder with their facts: GGUF files, split ones as one, and safetensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from modelfile.catalog.versions import NEWEST
from modelfile.errors import InputError
from modelfile.events import Events, Progress, ignore
from modelfile.filesystem import open_regular
from modelfile.immutable import field, record, replace
from modelfile.weights.content_type import LFS_POINTER, MAGICS, read_head, reject_content
from modelfile.weights.facts import WeightsFacts, facts_of
from modelfile.weights.folder import find_weights
from modelfile.weights.gguf import read_tensors, recall_header
from modelfile.weights.header import GGUFHeader, Tensor, TypeTotal
from modelfile.weights.safetensors import list_names, list_shards, read_folder, read_safetensors
from modelfile.weights.tensor_values import TensorValues, count_values

_PART: Final = re.compile(r"(.*)-([0-9]{5})-of-([0-9]{5})(\.gguf|\.safetensors)")

_SUFFIXES: Final = (".gguf", ".safetensors")


class ListedTensor(Protocol):
    """A tensor of a GGUF or safetensors file."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its dimensions."""

    @property
    def type(self) -> str:
        """The name of its type, such as `Q4_K` or `BF16`."""

    @property
    def size(self) -> int:
        """In bytes."""


@record(kw_only=True)
class Weights:
    """Weights, wherever they are."""

    name: str
    """The path of the file, or of the first one; or the name of the model."""
    facts: WeightsFacts
    header: GGUFHeader | None = None
    """The header of all their GGUF files together; None for safetensors."""
    files: Mapping[Path, GGUFHeader | None] = field(default_factory=dict)
    """The local files with their headers; empty if the weights are elsewhere."""
    digests: tuple[str, ...] = ()
    """The digests of the files, if they are known without hashing."""
    missing: str = ""
    """The names of the parts that are missing, for people."""
    list_tensors: Callable[[], Iterable[ListedTensor]] | None = None
    """Returns the tensors of weights that are elsewhere."""

    def tensors(self) -> Iterator[ListedTensor]:
        """Read the tensors.

        Raises:
            InputError: A file cannot be read, or has changed.
            ServerError: The weights are elsewhere and cannot be read.
        """
        if self.list_tensors:
            yield from self.list_tensors()
        for file, header in self.files.items():
            yield from read_tensors(file, header) if header else read_safetensors(file)

    def values(self, events: Events = ignore) -> Iterator[tuple[Tensor, TensorValues]]:
        """Read the values of all tensors of GGUF files, and count not-a-numbers, infinities and blocks of zeros.

        Args:
            events: Receives progress.

        Raises:
            InputError: A file cannot be read, or has changed.
        """
        total, done = sum(each.bytes for each in self.facts.types.values()), 0
        for path, header in self.files.items():
            tensors = read_tensors(path, header) if header else ()
            with open_regular(path) as file:
                left = header.size if header else 0
                for tensor in tensors:
                    if tensor.size > left:  # it is not whole, or overlaps others, each of which may be a whole file
                        yield tensor, TensorValues(name=tensor.name, type=tensor.type, skipped=True)
                        continue
                    left -= tensor.size

                    def record_read(size: int, tensor: Tensor = tensor) -> None:
                        nonlocal done
                        done += size
                        events(Progress(status=tensor.name, total=total, completed=min(done, total)))

                    is_big_endian = header is not None and header.big_endian
                    yield tensor, count_values(path, file, tensor, record_read, is_big_endian=is_big_endian)


def is_weights(path: Path) -> bool:
    """Return whether a path is that of weights: a GGUF or safetensors file, or a folder with such files.

    A folder with a Modelfile is not, and a file that cannot be read is if its name says so.
    """
    if path.is_dir():
        return not (path / "Modelfile").is_file() and any(is_weights(child) for child in _children(path))
    if not path.is_file():
        return False
    return path.suffix in _SUFFIXES or _head(path).startswith((*MAGICS, LFS_POINTER))


def read_weights(path: Path) -> tuple[Weights, ...]:
    """Return the weights at a path: one for a file, and for a folder one for each model, projector or adapter in it.

    The parts of a split file that are beside it are read with it.

    Raises:
        InputError: A file cannot be read, is not GGUF or safetensors, or is truncated or corrupt; a folder has none.
    """
    if not path.is_dir():
        return read_files([path])
    files = _of_folder(path)
    if files[0].suffix == ".gguf":
        return read_files(files)
    for file in files:
        reject_content(file, read_head(file))
    return (_safetensors(path, files),)


def read_files(files: Sequence[Path]) -> tuple[Weights, ...]:
    """Return the weights among files: one for each model, projector or adapter.

    The parts of a split model that are beside a file are read with it; of other files beside safetensors, none is.

    Raises:
        InputError: As `read_weights`.
    """
    folders = {file.parent for file in files if file.suffix == ".safetensors"}
    found = list[Weights]()
    for file in files:
        if any(file in each.files for each in found) or (file.parent in folders and file.suffix not in _SUFFIXES):
            continue
        reject_content(file, read_head(file))
        found.append(_safetensors(file, [file]) if file.suffix == ".safetensors" else _gguf(file))
    return tuple(found)


def list_facts(files: Iterable[Path]) -> Iterator[WeightsFacts]:
    """Yield the facts of GGUF files; those that cannot be read, and safetensors, are left out."""
    for file in files:
        with suppress(InputError):
            yield facts_of(recall_header(file))


def model_facts(files: Iterable[Path]) -> WeightsFacts | None:
    """Return the facts of the first GGUF file that is a model; None if there is none that can be read."""
    return next((facts for facts in list_facts(files) if facts.kind == "model"), None)


def join_headers(parts: Sequence[GGUFHeader]) -> GGUFHeader:
    """Return the header that the parts of a split file have together: metadata of the first, tensors of all."""
    if len(parts) == 1:
        return parts[0]
    first = min(parts, key=lambda part: part.number("split.no"))
    kinds = {kind for part in parts for kind in part.types}
    return replace(
        first,
        size=sum(part.size for part in parts),
        needed=sum(part.needed for part in parts),
        parameters=sum(part.parameters for part in parts),
        tensors=sum(part.tensors for part in parts),
        types={kind: _sum(part.types[kind] for part in parts if kind in part.types) for kind in kinds},
    )


def _sum(totals: Iterable[TypeTotal]) -> TypeTotal:
    every = [*totals]
    return TypeTotal(
        tensors=sum(total.tensors for total in every),
        elements=sum(total.elements for total in every),
        bytes=sum(total.bytes for total in every),
    )


def _gguf(file: Path) -> Weights:
    """Return the weights of a file and of the other parts of the same model that are beside it."""
    header = recall_header(file)
    parts, missing = _parts(file, header.number("split.count"))
    headers = {part: header if part == file else recall_header(part) for part in parts}
    joined = join_headers([*headers.values()])
    return Weights(name=str(file), facts=facts_of(joined), header=joined, files=headers, missing=list_names(missing))


def _safetensors(path: Path, files: Sequence[Path]) -> Weights:
    """Return the weights of files, and of the other parts of the same model that are beside them."""
    folder = path if path.is_dir() else path.parent
    found = [_parts(file) for file in files]
    every = [*dict.fromkeys(part for parts, _ in found for part in parts)]
    missing = [*dict.fromkeys(part for _, parts in found for part in parts)]
    facts = read_folder(folder, every)
    return Weights(name=str(path), facts=facts, files=dict.fromkeys(every), missing=list_names(missing))


def _parts(file: Path, count: int | None = None) -> tuple[list[Path], list[Path]]:
    """Return the parts of a model that are there, and those that are missing, by the name of one of them.

    Args:
        file: The part.
        count: The number of parts by its header; None if that does not tell.
    """
    name = _PART.fullmatch(file.name)
    total = int(name[3]) if name else 0
    if not name or total < 2 or count not in (None, total):  # noqa: PLR2004  # a single part is the model
        return [file], []
    expected = sorted(list_shards([(file.parent, f"{name[1]}-", total, f"-of-{name[3]}{name[4]}")]))
    there = [part for part in expected if part == file or part.is_file()]
    return there, [part for part in expected if part not in there]


def _of_folder(folder: Path) -> list[Path]:
    """Return the weights of a folder: those that Ollama takes, or else all GGUF files."""
    ggufs = [child for child in _children(folder) if child.suffix == ".gguf" and child.is_file()]
    return ggufs or find_weights(folder, NEWEST)


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _head(path: Path) -> bytes:
    try:
        return read_head(path)
    except InputError:
        return b""
