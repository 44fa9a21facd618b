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
from modelfile.weights.content_type import BINARY, LFS_POINTER, TEXT, ZIP, detect_content_type, read_head

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
_SUFFIXES: Final = frozenset({".safetensors", ".gguf", ".ggml", ".bin", ".pth", ".pt", ".onnx", ".h5", ".msgpack"})
"""Suffixes of files that people take for weights."""
_MOST_NAMED: Final = 10
"""Number of files that a hint names."""
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
    hint = f"Ollama {version} looks for {', '.join(pattern for pattern, _ in (*safetensors, *_OTHERS))}"
    ignored = [file for file in _children(folder) if file.suffix.lower() in _SUFFIXES and file.is_file()]
    reasons = [f"`{file.name}` ({_why_ignored(file, version)})" for file in ignored]
    if reasons:
        more = f" and {len(reasons) - _MOST_NAMED} more" if len(reasons) > _MOST_NAMED else ""
        hint += f", and ignores {', '.join(reasons[:_MOST_NAMED])}{more}"
    raise InputError(f"no weights in the folder `{folder}`", hint=hint)


def _why_ignored(file: Path, version: Version) -> str:
    """Return why Ollama does not take a file of a folder for weights.

    Raises:
        InputError: It cannot be read.
    """
    head = read_head(file)  # one that cannot be read is what to report
    if head.startswith(LFS_POINTER):
        return "a git-lfs pointer: run `git lfs pull`"
    others = [kind for pattern, kind in _OTHERS if fnmatchcase(file.name, pattern)]
    matching = {
        since: [*(kind for pattern, kind in patterns if fnmatchcase(file.name, pattern)), *others]
        for since, patterns in _SAFETENSORS
    }
    current = next((kinds for since, kinds in reversed(matching.items()) if since <= version), others)
    found = detect_content_type(head)
    if current and found not in current and _ANY not in current:
        return f"its content is {found}, not {current[-1]}"
    if current:
        return "other files of that pattern are no weights"
    accepting = [since for since, kinds in matching.items() if kinds]
    if later := [since for since in accepting if since > version]:
        return f"only since {later[0]}"
    if accepting:
        until = next(since for since in matching if since > accepting[-1])
        return f"not since {until}: rename it, as in `model.safetensors`"
    return "its name fits none of them"


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
