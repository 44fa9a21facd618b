"""What is wrong with local weights, told before anything is hashed or sent.

Ollama's server tells some of it only when gigabytes have been sent, and some not at all: 0.9.3 takes a GGUF that is cut
short, keeps the last part of a split one, and makes models of which tensors are missing (measured).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, UsageError
from modelfile.weights.content_type import read_head
from modelfile.weights.gguf import MAGICS, GGUFHeader, read_header
from modelfile.weights.safetensors import refuse_missing, tensors_of

_MERGES: Final = Version(0, 30, 0)
"""The server puts the parts of a split GGUF together (v0.30.0 server/create.go)."""
_KNOWS_PROJECTORS: Final = Version(0, 30, 10)
"""Before, it takes many for models: what names its kind `mmproj`, and what only hears (v0.30.10 server/create.go)."""
_CONVERTS_NO_MORE: Final = Version(0, 34, 1)
"""By Ollama's issue tracker, not read in source."""
_PART: Final = re.compile(r"(.*)-([0-9]{5})-of-([0-9]{5})\.gguf")
_POINTER: Final = b"version https://git-lfs"


def check_weights(
    files: tuple[Path, ...],
    adapters: tuple[Path, ...] = (),
    drafts: tuple[Path, ...] = (),
    target: Version | None = None,
) -> None:
    """Refuse local files of which Ollama would make no model, or not the one that is meant.

    Reads headers only.

    Args:
        files: The files of FROM, where it names files.
        adapters: Those of ADAPTER.
        drafts: Those of DRAFT.
        target: The version of Ollama that is to make it, by default the newest known.

    Raises:
        InputError: There is such a file.
    """
    known = catalog(target)
    for word, named in (("ADAPTER", adapters), ("DRAFT", drafts)):
        if named and word not in known.instructions:
            raise InputError(f"Ollama {known.version} takes no {word}", hint=f"build without `{named[0].name}`")
    if files:
        _check_model(files, known.version)
    if drafts:
        ggufs = _read("DRAFT", drafts, known.version)
        _check_parts(_parts(ggufs), known.version)
    if adapters:
        _check_adapter(adapters, known.version)


def ggufs_of(files: Iterable[Path]) -> Mapping[Path, GGUFHeader]:
    """The headers of those files that are GGUF, by their names or by their bytes, as Ollama's server tells."""
    return {path: read_header(path) for path in files if path.suffix == ".gguf" or read_head(path).startswith(MAGICS)}


def kind_of(header: GGUFHeader) -> str:
    """What a GGUF holds: a `model`, an `adapter` or a `projector`, whether Ollama sees it or not."""
    if header.text("general.type") == "adapter":
        return "adapter"
    return "projector" if header.architecture == "clip" or _is_seen(header, _KNOWS_PROJECTORS) else "model"


def _is_seen(projector: GGUFHeader, version: Version) -> bool:
    """Whether Ollama takes a projector for one."""
    kind = projector.text("general.type")
    if kind == "projector" or (kind == "mmproj" and version >= _KNOWS_PROJECTORS):
        return True
    marks = ["vision.block_count"]
    if projector.architecture == "clip" and version >= _KNOWS_PROJECTORS:
        marks += ["has_vision_encoder", "has_audio_encoder"]
    return projector.number("block_count") == 0 and any(projector.number(mark) > 0 for mark in marks)


def _check_model(files: tuple[Path, ...], version: Version) -> None:
    ggufs = _read("FROM", files, version)
    models = {path: header for path, header in ggufs.items() if kind_of(header) == "model"}
    if not ggufs:
        _need("config.json", files, "FROM")
    elif not models:
        path, header = next(iter(ggufs.items()))
        raise InputError(
            f"FROM gives no model, only the {kind_of(header)} `{path}`", hint="add a FROM with the model's"
        )
    projectors = {path: header for path, header in ggufs.items() if kind_of(header) == "projector"}
    _check_projectors(projectors, version)
    parts = _parts(models)
    _check_parts(parts, version)
    for path, header in models.items():
        if path not in parts:
            _refuse_stripped_part(path, header)
    groups = {_PART.sub(r"\1", path.name) if path in parts else path.name for path in models}
    if len(groups) > 1:
        names = ", ".join(f"`{name}`" for name in sorted(groups))
        hint = "write FROM with the one file that is meant"
        raise InputError(f"FROM gives {len(groups)} models, {names}, and Ollama runs only one", hint=hint)


def _check_projectors(projectors: Mapping[Path, GGUFHeader], version: Version) -> None:
    for path, header in projectors.items():
        if not _is_seen(header, version):
            later = _is_seen(header, _KNOWS_PROJECTORS)
            raise InputError(
                f"Ollama {version} takes the projector `{path}` for a model, in the place of the one that is meant",
                hint=f"build with Ollama {_KNOWS_PROJECTORS} or later"
                if later
                else "its header does not say that it is one: convert it again with a newer llama.cpp",
            )
    if len(projectors) > 1:
        names = ", ".join(f"`{path.name}`" for path in projectors)
        hint = "write FROM with the model's file, and FROM with that of the one that is meant"
        raise InputError(f"FROM gives {len(projectors)} projectors, {names}, and Ollama uses only one", hint=hint)


def _refuse_stripped_part(path: Path, header: GGUFHeader) -> None:
    """Refuse a part that is one only by its name, if it is; any whole model may bear such a name."""
    name, blocks = _PART.fullmatch(path.name), header.number("block_count")
    if name and int(name[3]) > 1 and (not header.architecture or header.blocks < blocks):
        has = f"{header.blocks} of {blocks} blocks" if header.architecture else "no word on what model it is"
        raise InputError(
            f"`{path}` is part {int(name[2])} of {int(name[3])} by its name, and has {has}",
            hint="its header does not say so, and Ollama cannot put it together: download all parts again",
        )


def _check_adapter(files: tuple[Path, ...], version: Version) -> None:
    ggufs = _read("ADAPTER", files, version)
    if not ggufs:
        _need("adapter_config.json", files, "ADAPTER")
    elif len(files) > 1:
        names = ", ".join(f"`{path.name}`" for path in files)
        raise InputError(f"ADAPTER gives {len(files)} files, {names}, and Ollama takes one", hint="name that one")
    elif kind_of(ggufs[files[0]]) == "model":
        raise InputError(f"`{files[0]}` holds a model, not an adapter", hint="a model goes into FROM")


def _read(word: str, files: tuple[Path, ...], version: Version) -> Mapping[Path, GGUFHeader]:
    """The headers of the GGUF files; the safetensors are looked at too."""
    for path in files:
        if read_head(path).startswith(_POINTER):
            raise InputError(f"`{path}` is a git-lfs pointer, not the weights", hint="run `git lfs pull`")
    safetensors = [path for path in files if path.suffix == ".safetensors"]
    ggufs = ggufs_of(files)
    if safetensors and ggufs:
        raise InputError(
            f"{word} gives `{safetensors[0].name}` and `{next(iter(ggufs)).name}`, and Ollama takes either as it comes",
            hint="convert one of them: safetensors and GGUF do not go together",
        )
    if ggufs and (others := [path for path in files if path not in ggufs]):
        raise InputError(
            f"{word} gives `{others[0].name}` beside `{next(iter(ggufs)).name}`, and Ollama refuses what is not GGUF",
            hint=f"let {word} name the GGUF file, not its folder",
        )
    if not safetensors and not ggufs:
        raise InputError(
            f"`{files[0]}` is neither GGUF nor safetensors, and Ollama's server takes nothing else",
            hint="convert it; a checkpoint of PyTorch can be saved as safetensors",
        )
    if safetensors and version >= _CONVERTS_NO_MORE:
        hint = "convert them with llama.cpp's convert_hf_to_gguf.py, and build from the GGUF"
        raise InputError(f"Ollama {version} converts no safetensors", hint=hint)
    refuse_missing({path: tensors_of(path) for path in safetensors}, files)
    for path, header in ggufs.items():
        if header.size < header.needed:
            message = f"`{path}` is cut short: it has {header.size:,} bytes, and its header tells of {header.needed:,}"
            raise InputError(message, hint="download it again")
    return ggufs


def _need(name: str, files: tuple[Path, ...], word: str) -> None:
    if all(path.name != name for path in files):
        hint = f"it belongs to the weights: let {word} name the folder that has both"
        raise InputError(f"`{files[0]}` comes without {name}, and Ollama cannot convert it so", hint=hint)


def _parts(ggufs: Mapping[Path, GGUFHeader]) -> dict[Path, GGUFHeader]:
    return {path: header for path, header in ggufs.items() if header.number("split.count") > 1}


def _check_parts(parts: Mapping[Path, GGUFHeader], version: Version) -> None:
    wanted: set[Path] = set()
    for path, header in parts.items():
        number, count = header.number("split.no") + 1, header.number("split.count")
        name = _PART.fullmatch(path.name)
        if version < _MERGES:
            first = f"{name[1]}-00001-of-{count:05}.gguf" if name else "FIRST.gguf"
            raise InputError(
                f"`{path}` is one of {count} parts, each of which Ollama {version} takes for a model of its own",
                hint=f"run `llama-gguf-split --merge {first} MERGED.gguf`, or build with Ollama {_MERGES} or later",
            )
        if not name or (int(name[2]), int(name[3])) != (number, count):
            hint = f"name it …-{number:05}-of-{count:05}.gguf"
            raise InputError(f"`{path}` is part {number} of {count}, and its name says otherwise", hint=hint)
        wanted |= {path.with_name(f"{name[1]}-{other:05}-of-{count:05}.gguf") for other in range(1, count + 1)}
    if missing := sorted({path.name for path in wanted} - {path.name for path in parts}):
        there = all(path.exists() for path in wanted)
        raise InputError(
            f"`{next(iter(parts))}` is one of several parts; missing: {', '.join(f'`{name}`' for name in missing)}",
            hint="write a FROM for each part, or FROM with the folder" if there else "download all parts",
        )


def check_quantization(
    files: tuple[Path, ...], kind: str, version: Version | None = None, *, base: str | None = None, base_type: str = ""
) -> None:
    """Refuse what create would refuse to quantize, before anything is sent (createModel in Ollama's server/create.go).

    Args:
        files: The files of FROM, where it names files.
        kind: The type that is asked, in any case.
        version: The version of Ollama that is to do it, by default the newest known.
        base: The model that FROM names, if it names one.
        base_type: What the weights of the base are (`details.quantization_level` of /api/show), if known.

    Raises:
        UsageError: It cannot be done.
    """
    known = catalog(version)
    kinds = sorted(name for name, quantization in known.quantizations.items() if not quantization.experimental)
    if not kinds:
        raise UsageError(f"Ollama {known.version} does not quantize", hint="quantize the GGUF with llama-quantize")
    if kind.upper() not in kinds:
        hint = f"it takes {', '.join(kinds)}; llama-quantize makes others"
        raise UsageError(f"Ollama {known.version} cannot quantize to `{kind}`", hint=hint)
    if base is None:
        ggufs = ggufs_of(files)
        types = {f"`{path}`": header.file_type for path, header in ggufs.items() if kind_of(header) == "model"}
    else:
        types = {f"the base {base}": base_type} if base_type else {}
    for what, found in types.items():
        if found not in known.quantizes_from:
            hint = f"Ollama {known.version} quantizes {', '.join(sorted(known.quantizes_from))}"
            if found == "unknown":
                hint += ", by what the header says; that of a file that is all F32 says nothing to Ollama"
            raise UsageError(f"{what} cannot be quantized: its weights are {found}", hint=hint)
