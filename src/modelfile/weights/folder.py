"""The files that Ollama takes from a folder of weights (`filesForModel`, `fileDigestMap` in its parser/parser.go)."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from modelfile.catalog.behaviors import SENDS_CHAT_TEMPLATE, SENDS_NESTED_SAFETENSORS, SENDS_SINGLE_TOKENIZER
from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.filesystem import real_path
from modelfile.weights.content_type import BINARY, TEXT, ZIP, detect_content_type, read_head

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
"""Patterns in order: a folder's weights are the files of the first one whose files all have its content type."""


def resolve_folder(folder: Path, version: Version | None = None) -> tuple[Path, ...]:
    """Return the files that Ollama's command line sends from a folder, with symlinks resolved.

    Unlike Ollama's command line, accepts a folder that is itself a symlink.

    Args:
        folder: The folder.
        version: The version of Ollama (default: the newest known).

    Raises:
        InputError: It has no weights, or a file that Ollama rejects.
    """
    files = dict.fromkeys(map(real_path, find_files(folder, version)))
    for file in files:
        if not file.is_relative_to(real_path(folder)):
            hint = "copy the file into it, as `hf download --local-dir` does, or name the folder that has it"
            raise InputError(f"symlink in `{folder}` points outside it: `{file}`", hint=hint)
    return tuple(files)


def find_files(folder: Path, version: Version | None = None) -> list[Path]:
    """Return the same files with symlinks unresolved, wherever they point.

    Raises:
        InputError: It has no weights, or a file whose content type does not fit its name.
    """
    version = catalog(version).version
    weights = find_weights(folder, version)
    found = [*weights, *_glob(folder, "*.json", TEXT), *_glob(folder, "*/*.json", TEXT)]
    if version >= SENDS_CHAT_TEMPLATE:
        found += _glob(folder, "chat_template.jinja", TEXT)
    since, until = SENDS_SINGLE_TOKENIZER
    if not (since <= version < until and any(file.name == "tokenizer.json" for file in found)):
        found += _try(folder, "tokenizer.model", BINARY) or _try(folder, "*/tokenizer.model", TEXT)
    return found


def find_weights(folder: Path, version: Version) -> list[Path]:
    """Return only the weights of a folder, with symlinks unresolved.

    Raises:
        InputError: There are none.
    """
    safetensors = next((patterns for since, patterns in reversed(_SAFETENSORS) if since <= version), ())
    for pattern, kind in (*safetensors, *_OTHERS):
        if weights := _try(folder, pattern, kind):
            nested = version >= SENDS_NESTED_SAFETENSORS and pattern == "model*.safetensors"
            return weights + (_glob(folder, f"*/{pattern}", kind) if nested else [])
    skipped = [file for file in _children(folder) if file.suffix in {".safetensors", ".gguf", ".bin", ".pth"}]
    for file in skipped:
        read_head(file)  # one that cannot be read is what to report
    patterns = ", ".join(pattern for pattern, _ in (*safetensors, *_OTHERS))
    hint = f"Ollama {version} looks for {patterns}"
    if skipped:
        names = ", ".join(file.name for file in skipped)
        hint += f", and not for {names}: rename the file, or run `git lfs pull` if it is a pointer"
    raise InputError(f"no weights in the folder `{folder}`", hint=hint)


def _try(folder: Path, pattern: str, kind: str) -> list[Path]:
    """Return the files of a pattern, or none if one has another content type."""
    try:
        return _glob(folder, pattern, kind)
    except InputError:
        return []


def _glob(folder: Path, pattern: str, kind: str) -> list[Path]:
    found = list(_matching(folder, pattern))
    for file in found:
        found_kind = detect_content_type(read_head(file))
        if kind not in (_ANY, found_kind):
            hint = "Ollama rejects it; run `git lfs pull` if it is a pointer, otherwise download it again"
            raise InputError(f"`{file}` is {found_kind}, not {kind}", hint=hint)
    return found


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """Match like Go's filepath.Glob: `*` matches a leading dot, and an unreadable folder is empty."""
    directory, _, pattern = pattern.rpartition("/")
    for parent in filter(Path.is_dir, _children(folder)) if directory else [folder]:
        yield from (file for file in _children(parent) if fnmatchcase(file.name, pattern))


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []
