"""Checks of local weights that run before anything is hashed or uploaded.

Ollama's server reports some of these errors only after an upload of gigabytes, and others never: 0.9.3 accepts a
truncated GGUF, keeps only the last shard of a split file, and makes models with missing tensors (measured).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from shlex import quote
from typing import Final

from modelfile.catalog.architectures import (
    ARCHITECTURES,
    CONVERTED,
    CONVERTED_UNTIL,
    LISTS_END,
    OLDEST,
    TENSOR_TYPES_REMOVED,
    TENSOR_TYPES_SINCE,
)
from modelfile.catalog.behaviors import CONVERTS_NO_SAFETENSORS, DETECTS_PROJECTORS, MERGES_SHARDS
from modelfile.catalog.catalog import catalog
from modelfile.catalog.quantizations import PROGRAM_ALIASES
from modelfile.catalog.versions import NEWEST, Version
from modelfile.errors import InputError, UsageError
from modelfile.weights.adapters import check_adapter_fits, check_conversion
from modelfile.weights.content_type import MAGICS, read_head, reject_content
from modelfile.weights.facts import content_of, is_projector_for
from modelfile.weights.gguf import recall_header
from modelfile.weights.header import GGUFHeader, type_name
from modelfile.weights.safetensors import check_shards, list_names, list_shards, read_object, read_tensor_names
from modelfile.weights.types import FILE_TYPES, TENSOR_TYPES

_SHARD: Final = re.compile(r"(.*)-([0-9]{5})-of-([0-9]{5})\.gguf")


def check_weights(
    files: tuple[Path, ...],
    adapters: tuple[Path, ...] = (),
    drafts: tuple[Path, ...] = (),
    version: Version | None = None,
) -> None:
    """Reject local files from which Ollama would make no model, or a wrong one.

    Only headers are read.

    Args:
        files: The files of FROM, if it names files.
        adapters: The files of ADAPTER.
        drafts: The files of DRAFT.
        version: The version of Ollama that builds the model (default: the newest known).

    Raises:
        InputError: A file is rejected.
    """
    known = catalog(version)
    for word, named in (("ADAPTER", adapters), ("DRAFT", drafts)):
        if named and word not in known.instructions:
            hint = f"build without `{named[0].name}`, or with a newer Ollama"
            raise InputError(f"Ollama {known.version} does not support {word}", hint=hint)
    if files:
        _check_model(files, known.version)
    if drafts:
        _check_splits(_shards(_check_files("DRAFT", drafts, known.version)), known.version)
    if adapters:
        _check_adapter(adapters, known.version)
    if files and adapters:
        check_pair(files, adapters, known.version)


def _check_model(files: tuple[Path, ...], version: Version) -> None:
    ggufs = _check_files("FROM", files, version)
    models = {path: header for path, header in ggufs.items() if content_of(header) == "model"}
    if not ggufs:
        _require("config.json", files, "FROM")
        _check_conversion(next(path for path in files if path.name == "config.json"), version)
    elif not models:
        path, header = next(iter(ggufs.items()))
        hint = "add a FROM with the model's file"
        if content_of(header) == "adapter":
            hint = "name the model that it was trained for in FROM, and the adapter in ADAPTER"
        raise InputError(f"FROM names no model, only the {content_of(header)} `{path}`", hint=hint)
    projectors = {path: header for path, header in ggufs.items() if content_of(header) == "projector"}
    _check_projectors(projectors, version)
    shards = _shards(models)
    _check_splits(shards, version)
    for path, header in models.items():
        if path not in shards:
            _check_shard_name(path, header)
    if len(adapters := [path.name for path, header in ggufs.items() if content_of(header) == "adapter"]) > 1:
        hint = "keep the model's file in FROM, and name one adapter in ADAPTER"
        raise InputError(
            f"FROM names {len(adapters)} adapters ({_list(adapters)}), but Ollama uses only one", hint=hint
        )
    _check_loadable(ggufs, version)
    groups = {_SHARD.sub(r"\1", path.name) if path in shards else path.name for path in models}
    if len(groups) > 1:
        hint = "name the file of one model in FROM"
        raise InputError(f"FROM names {len(groups)} models ({_list(groups)}), but Ollama runs only one", hint=hint)


def _check_conversion(config: Path, version: Version) -> None:
    """Reject safetensors of an architecture that a release of Ollama cannot convert, of those that are known."""
    match read_object(config):
        case {"architectures": [str(name), *_]}:
            pass
        case _:
            return
    since, until = CONVERTED.get(name), CONVERTED_UNTIL.get(name)
    is_over = until is not None and until <= version
    if name and OLDEST <= version <= NEWEST and (since is None or since > version or is_over):
        hint = "convert it with llama.cpp's convert_hf_to_gguf.py, and build from the GGUF file"
        if since and not is_over:
            hint = f"use Ollama {since} or later, or {hint}"
        message = f"Ollama {version} cannot convert safetensors of `{name}`, the architecture in `{config}`"
        raise InputError(message, hint=hint, rule="unsupported-architecture")


def _check_loadable(ggufs: Mapping[Path, GGUFHeader], version: Version) -> None:
    """Reject weights of which a release of Ollama makes a model that it cannot load."""
    for path, header in ggufs.items():
        if content_of(header) != "model":  # a projector is loaded by other code, which asks for no architecture
            continue
        architecture = header.architecture
        since = ARCHITECTURES.get(architecture, LISTS_END)
        if architecture and OLDEST < since > version:
            problem = f"Ollama {version} cannot load the architecture `{architecture}` of `{path}`"
            is_known = architecture in ARCHITECTURES
            hint = f"use Ollama {since} or later" if is_known else f"no release before {since} can: use a newer one"
            raise InputError(problem, hint=hint, rule="unsupported-architecture")
        if header.tensors and not architecture and header.number("split.no") == 0:
            hint = "convert it again with llama.cpp's convert_hf_to_gguf.py"
            problem = f"`{path}` has no `general.architecture`, so Ollama cannot load it"
            raise InputError(problem, hint=hint, rule="unsupported-architecture")


def _check_type(path: Path, kind: int, version: Version) -> None:
    since = TENSOR_TYPES_SINCE.get(kind) or (OLDEST if kind in TENSOR_TYPES else LISTS_END)
    problem, rule = f"Ollama {version} cannot load tensors of `{path}`: their type is", "unsupported-quantization"
    if kind in TENSOR_TYPES_REMOVED:
        name, other = TENSOR_TYPES_REMOVED[kind]
        hint = f"use weights of type {other}, which Ollama arranges for the processor when it loads them"
        raise InputError(f"{problem} {name}, which ended with Ollama 0.5.3", hint=hint, rule=rule)
    if OLDEST < since > version:
        hint = f"use Ollama {since} or later, or weights of another type, such as Q4_K_M"
        raise InputError(f"{problem} {type_name(kind)}", hint=hint, rule=rule)


def _check_projectors(projectors: Mapping[Path, GGUFHeader], version: Version) -> None:
    for path, header in projectors.items():
        if not is_projector_for(header, version):
            raise InputError(
                f"Ollama {version} would use the projector `{path}` as the model",
                hint=f"build with Ollama {DETECTS_PROJECTORS} or later"
                if is_projector_for(header, DETECTS_PROJECTORS)
                else "its header does not mark it as a projector: convert it again with a newer llama.cpp",
            )
    if len(projectors) > 1:
        names = _list(path.name for path in projectors)
        hint = "keep the FROM of the model's file and that of one projector"
        raise InputError(f"FROM names {len(projectors)} projectors ({names}), but Ollama uses only one", hint=hint)


def _check_shard_name(path: Path, header: GGUFHeader) -> None:
    """Reject an incomplete model that is a shard only by its name; a complete model may have such a name."""
    name, blocks = _SHARD.fullmatch(path.name), header.number("block_count")
    if name and int(name[3]) > 1 and (not header.architecture or header.blocks < blocks):
        has = f"only {header.blocks} of {blocks} blocks" if header.architecture else "no architecture"
        raise InputError(
            f"`{path}` is shard {int(name[2])} of {int(name[3])} by its name, and has {has}",
            hint="its header does not mark it as a shard, so Ollama cannot merge it: download all shards again",
            rule="split-weights",
        )


def _check_adapter(files: tuple[Path, ...], version: Version) -> None:
    ggufs = _check_files("ADAPTER", files, version)
    if not ggufs:
        _require("adapter_config.json", files, "ADAPTER")
    elif len(files) > 1:
        names = _list(path.name for path in files)
        hint = "name one of them in ADAPTER"
        message = f"ADAPTER names {len(files)} files ({names}), but Ollama takes only one"
        raise InputError(message, hint=hint, rule="adapter-format")
    elif (content := content_of(ggufs[files[0]])) == "model":
        raise InputError(f"`{files[0]}` is a model, not an adapter", hint="name it in FROM")
    elif content == "projector":
        _check_projectors(ggufs, version)


def check_pair(files: tuple[Path, ...], adapters: tuple[Path, ...], version: Version) -> None:
    """Reject an adapter that a release of Ollama cannot apply to the base.

    Args:
        files: The files of FROM.
        adapters: The files of ADAPTER.
        version: The release.

    Raises:
        InputError: It is rejected.
    """
    bases = {path: header for path, header in read_headers(files).items() if content_of(header) == "model"}
    if not bases:
        return
    for path, adapter in read_headers(adapters).items():
        if content_of(adapter) == "adapter":
            check_adapter_fits(bases, path, adapter)
    if weights := next((path for path in adapters if path.suffix == ".safetensors"), None):
        check_conversion(next(iter(bases.values())).architecture, weights, version)


def find_misplaced(files: Iterable[Path], adapters: Iterable[Path]) -> Mapping[Path, str]:
    """Return the contents of the files that Ollama uses as something else than their instruction says, by their path.

    Ollama sorts GGUF files by their header: an `adapter` in FROM beside a model is applied to it, and a `projector` in
    ADAPTER is added to the weights (measured on 0.9.3; v0.32.15 server/create.go). A `model` in ADAPTER would become a
    second model, which `check_weights` rejects. A file that cannot be read is not among them.

    Args:
        files: The files of FROM, if it names files.
        adapters: The files of ADAPTER.
    """
    in_from = {path: content for path in files if (content := _content(path))}
    in_adapter = {path: content for path in adapters if (content := _content(path)) in {"model", "projector"}}
    swapped = in_from.items() if "model" in in_from.values() else ()
    return {path: content for path, content in swapped if content == "adapter"} | in_adapter


def _content(path: Path) -> str:
    try:
        return "".join(map(content_of, read_headers([path]).values()))
    except InputError:
        return ""


def _check_files(word: str, files: tuple[Path, ...], version: Version) -> Mapping[Path, GGUFHeader]:
    """Return the headers of the GGUF files, after checking that all files are complete and go together."""
    adapter_format = "adapter-format" if word == "ADAPTER" else ""
    for path in files:
        reject_content(path, read_head(path))
    safetensors = [path for path in files if path.suffix == ".safetensors"]
    ggufs = read_headers(files)
    if safetensors and ggufs:
        raise InputError(
            f"{word} names `{safetensors[0].name}` and `{next(iter(ggufs)).name}`, but Ollama uses only one format",
            hint="convert one of them: safetensors and GGUF cannot be combined",
            rule=adapter_format,
        )
    if ggufs and (others := [path for path in files if path not in ggufs]):
        raise InputError(
            f"{word} names `{others[0].name}` beside `{next(iter(ggufs)).name}`, and Ollama rejects what is not GGUF",
            hint=f"name the GGUF file in {word}, not its folder",
            rule=adapter_format,
        )
    script = "convert_lora_to_gguf.py" if word == "ADAPTER" else "convert_hf_to_gguf.py"
    if not safetensors and not ggufs:
        raise InputError(
            f"`{files[0]}` is neither GGUF nor safetensors, the only formats that Ollama's server accepts",
            hint=f"convert it with llama.cpp's {script}, and name the GGUF file in {word}",
            rule=adapter_format or "not-gguf",
        )
    if safetensors and version >= CONVERTS_NO_SAFETENSORS:
        command = f"python {script} {quote(str(files[0].parent))} --outfile converted.gguf"
        hint = f"convert them with llama.cpp, `{command}`, and write `{word} ./converted.gguf`"
        raise InputError(f"Ollama {version} cannot convert safetensors", hint=hint)
    check_shards({path: read_tensor_names(path) for path in safetensors}, files)
    for path, header in ggufs.items():
        if header.size < header.needed:
            message = f"`{path}` is truncated: it has {header.size:,} bytes, its header requires {header.needed:,}"
            raise InputError(message, hint="download it again", rule="truncated-weights")
        for kind in header.types:
            _check_type(path, kind, version)
        if header.defect:
            message = f"`{path}` is a corrupt GGUF file: {header.defect}"
            raise InputError(message, hint="download or convert it again", rule="corrupt-gguf")
    return ggufs


def read_headers(files: Iterable[Path]) -> Mapping[Path, GGUFHeader]:
    """Return the headers of the files that Ollama's server takes for GGUF, by their names or their first bytes.

    Raises:
        InputError: One cannot be read.
    """
    return {path: recall_header(path) for path in files if path.suffix == ".gguf" or read_head(path).startswith(MAGICS)}


def _require(name: str, files: tuple[Path, ...], word: str) -> None:
    if all(path.name != name for path in files):
        hint = f"name a folder in {word} that has both"
        rule = "adapter-format" if word == "ADAPTER" else ""
        raise InputError(f"Ollama cannot convert `{files[0]}` without {name}", hint=hint, rule=rule)


def _shards(ggufs: Mapping[Path, GGUFHeader]) -> dict[Path, GGUFHeader]:
    return {path: header for path, header in ggufs.items() if header.number("split.count") > 1}


def _check_splits(shards: Mapping[Path, GGUFHeader], version: Version) -> None:
    series: list[tuple[Path, str, int, str]] = []
    for path, header in shards.items():
        number, count = header.number("split.no") + 1, header.number("split.count")
        name = _SHARD.fullmatch(path.name)
        if version < MERGES_SHARDS:
            first = f"{name[1]}-00001-of-{count:05}.gguf" if name else "FIRST.gguf"
            merge = f"llama-gguf-split --merge {first} MERGED.gguf"
            raise InputError(
                f"`{path}` is one of {count} shards, and Ollama {version} would take each for a model of its own",
                hint=f"run `{merge}`, or build with Ollama {MERGES_SHARDS} or later",
                rule="split-weights",
            )
        if not name or (int(name[2]), int(name[3])) != (number, count):
            hint = f"rename it to …-{number:05}-of-{count:05}.gguf"
            message = f"`{path}` is shard {number} of {count} by its header, but not by its name"
            raise InputError(message, hint=hint, rule="split-weights")
        series.append((path.parent, f"{name[1]}-", count, f"-of-{count:05}.gguf"))
    expected = list_shards(series)
    present = {path.name for path in shards}
    if missing := sorted(path for path in expected if path.name not in present):
        exist = all(path.exists() for path in expected)
        raise InputError(
            f"`{next(iter(shards))}` is named without its other shards: {list_names(missing)}",
            hint="write a FROM for each shard, or FROM with the folder" if exist else "download all shards",
            rule="split-weights",
        )
    for one in {*series}:
        own = {path: header for (path, header), each in zip(shards.items(), series, strict=True) if each == one}
        expected_tensors = {header.number("split.tensors.count") for header in own.values()}
        if expected_tensors not in ({0}, {found := sum(header.tensors for header in own.values())}):
            counts = " and ".join(f"{count:,}" for count in sorted(expected_tensors))
            raise InputError(
                f"`{next(iter(own))}` and its other shards are of different models: they have {found:,} tensors,"
                f" and by their headers {counts}",
                hint="download all shards of one model again",
                rule="split-weights",
            )


def _list(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def check_quantization(
    files: tuple[Path, ...],
    kind: str,
    version: Version | None = None,
    *,
    base: str | None = None,
    base_type: str = "",
    here: bool = False,
) -> None:
    """Reject a quantization that Ollama's server would reject after the upload (createModel in its server/create.go).

    Args:
        files: The files of FROM, if it names files.
        kind: The type to quantize to, in any case.
        version: The version of Ollama that quantizes (default: the newest known).
        base: The model that FROM names, if it names one.
        base_type: The type of the base's weights (`details.quantization_level` of /api/show), if known.
        here: Whether to reject only what llama-quantize cannot make of local weights, either.

    Raises:
        UsageError: The quantization is rejected.
    """
    known, rule = catalog(version), "quantize-not-possible"
    kinds = sorted(name for name, quantization in known.quantizations.items() if not quantization.experimental)
    by_program = kind.upper() in {*FILE_TYPES.values(), *PROGRAM_ALIASES} - {"NVFP4"}  # which it only reads
    sources = known.quantizes_from
    if here := here and base is None and by_program:
        kinds, sources = [kind.upper()], frozenset({"BF16", "F16", "F32", "unknown"})
    if kind.upper() not in kinds:
        what = f" to `{kind}`" if kinds else ""
        choices = [f"choose one of {', '.join(kinds)}"] if kinds else []
        if by_program or not kinds:
            local = "quantize here" if base is None else "name a GGUF file in FROM, and quantize here"
            choices.append(f"{local}: `mf build NAME --quantize {kind} --with llama-quantize`")
        raise UsageError(f"Ollama {known.version} cannot quantize{what}", hint=", or ".join(choices), rule=rule)
    if base is None:
        found_types = {
            f"`{path}`": header.file_type
            for path, header in read_headers(files).items()
            if content_of(header) == "model"
        }
    else:
        found_types = {f"the base {base}": base_type} if base_type else {}
    for what, found in found_types.items():
        if found not in sources:
            unknown = found == "unknown"
            problem = "the type of its weights is unknown" if unknown else f"its weights are {found}"
            types = ", ".join(sorted(sources - {"unknown"}))
            hint = f"name weights in {types} in FROM" if here else f"Ollama {known.version} quantizes only {types}"
            if unknown:
                hint += ", and cannot recognize a file that is all F32"
            raise UsageError(f"cannot quantize {what}: {problem}", hint=hint, rule=rule)
