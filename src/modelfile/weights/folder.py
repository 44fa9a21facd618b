"""The files of a folder that make a model: `filesForModel` and `fileDigestMap` in Ollama's parser/parser.go."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.weights.content_type import BINARY, TEXT, ZIP, content_type, read_head

_ANY: Final = ""
_SAFETENSORS: Final = (
    (
        Version(0, 5, 5),
        (("model*.safetensors", BINARY), ("adapters.safetensors", BINARY), ("adapter_model.safetensors", BINARY)),
    ),
    (Version(0, 6, 5), (("*.safetensors", BINARY),)),
    (Version(0, 11, 11), (("*.safetensors", _ANY),)),
    (Version(0, 12, 11), (("model*.safetensors", _ANY), ("consolidated*.safetensors", _ANY))),
)
_OTHERS: Final = (
    ("pytorch_model*.bin", ZIP),
    ("consolidated*.pth", ZIP),
    ("*.gguf", BINARY),
    ("*.bin", BINARY),
)
"""A folder's weights are what the first pattern finds of which all files look as they should."""
_NESTED: Final = Version(0, 30, 0)
_JINJA: Final = Version(0, 32, 2)
_ONE_TOKENIZER: Final = (Version(0, 9, 1), Version(0, 13, 3))
"""Between these, `tokenizer.model` was left out where there is a `tokenizer.json`."""


def files_in(folder: Path, target: Version | None = None) -> tuple[Path, ...]:
    """The files that Ollama's command line sends of a folder; links are followed.

    A folder that is itself reached by a link is taken too, which Ollama's own command line refuses.

    Args:
        folder: The folder.
        target: The version of Ollama, by default the newest known.

    Raises:
        InputError: It holds no weights, or a file that Ollama refuses.
    """
    files = dict.fromkeys(file.resolve() for file in sent_of(folder, target))
    for file in files:
        if not file.is_relative_to(folder.resolve()):
            hint = "copy the file there, as `hf download --local-dir` does, or name its own folder"
            raise InputError(f"`{file}` is outside of `{folder}`, which a link leads to it from", hint=hint)
    return tuple(files)


def sent_of(folder: Path, target: Version | None = None) -> list[Path]:
    """The same as they stand in the folder, wherever links lead.

    Raises:
        InputError: It holds no weights, or a file of another type than its name says.
    """
    version = catalog(target).version
    weights = weights_in(folder, version)
    found = [*weights, *_glob(folder, "*.json", TEXT), *_glob(folder, "*/*.json", TEXT)]
    if version >= _JINJA:
        found += _glob(folder, "chat_template.jinja", TEXT)
    since, until = _ONE_TOKENIZER
    if not (since <= version < until and any(file.name == "tokenizer.json" for file in found)):
        found += _try(folder, "tokenizer.model", BINARY) or _try(folder, "*/tokenizer.model", TEXT)
    return found


def weights_in(folder: Path, version: Version) -> list[Path]:
    """The weights themselves, wherever links lead.

    Raises:
        InputError: There are none.
    """
    safetensors = next((patterns for since, patterns in reversed(_SAFETENSORS) if since <= version), ())
    for pattern, kind in (*safetensors, *_OTHERS):
        if weights := _try(folder, pattern, kind):
            nested = version >= _NESTED and pattern == "model*.safetensors"
            return weights + (_glob(folder, f"*/{pattern}", kind) if nested else [])
    patterns = ", ".join(pattern for pattern, _ in (*safetensors, *_OTHERS))
    hint = f"Ollama {version} looks for {patterns}"
    if passed_over := sorted(
        file.name for file in _children(folder) if file.suffix in {".safetensors", ".gguf", ".bin", ".pth"}
    ):
        hint += f", and not for {', '.join(passed_over)}: has it another name, or is it a git-lfs pointer?"
    raise InputError(f"the folder `{folder}` holds no weights", hint=hint)


def _try(folder: Path, pattern: str, kind: str) -> list[Path]:
    """What a pattern finds; nothing if one of the files does not look as it should."""
    try:
        return _glob(folder, pattern, kind)
    except InputError:
        return []


def _glob(folder: Path, pattern: str, kind: str) -> list[Path]:
    found = list(_matching(folder, pattern))
    for file in found:
        looks = content_type(read_head(file))
        if kind not in (_ANY, looks):
            hint = "Ollama refuses it; is it a git-lfs pointer, or a page that was downloaded in its place?"
            raise InputError(f"`{file}` should be {kind} and is {looks}", hint=hint)
    return found


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """As Go's filepath.Glob: `*` finds names with a leading dot too, and what cannot be listed is empty."""
    directory, _, pattern = pattern.rpartition("/")
    for place in filter(Path.is_dir, _children(folder)) if directory else [folder]:
        yield from (file for file in _children(place) if fnmatchcase(file.name, pattern))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
