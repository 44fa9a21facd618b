"""Layers of local files, as Ollama makes them: their kinds, and the templates that it detects in them.

What only a server can make of a file is rejected, with the version and the reason.

Source: server/create.go and server/model.go, read at each release from v0.7.1 to v0.33.0-rc2.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from modelfile.catalog import behaviors
from modelfile.catalog.chat_templates import ChatTemplate, find_translation, recognize
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, UsageError
from modelfile.immutable import record, replace
from modelfile.manifest import LAYER_TYPE, digest_of
from modelfile.recipe.recipe import Recipe
from modelfile.weights.facts import quantization
from modelfile.weights.gguf import recall_header
from modelfile.weights.header import BOOL, STRING, UINT32, GGUFHeader

SERVER: Final = "build it on a server, with `--host`"
_ON_SERVER: Final = "or run `mf pin` with `--host`: mf.lock then has what a server makes of it"


@record(frozen=False)
class NewLayer:
    """A layer of a new model."""

    kind: str
    """The last word of its media type."""
    digest: str = ""
    size: int = 0
    """In bytes."""
    source: str = ""
    """Its `from`."""
    header: GGUFHeader | None = None
    """If it is a GGUF file that Ollama reads."""
    media_type: str = ""
    """If it is another than that of its kind."""

    def entry(self) -> dict[str, Any]:
        """Return it as it stands in the manifest."""
        entry = {"mediaType": self.media_type or f"{LAYER_TYPE}{self.kind}", "digest": self.digest, "size": self.size}
        return entry | ({"from": self.source} if self.source else {})


def read_layers(
    recipe: Recipe, version: Version, read: Callable[[Path], GGUFHeader]
) -> Iterator[tuple[Path, NewLayer]]:
    """Yield the local files of a recipe in Ollama's order, with their layers, still without digest, size and `from`.

    Args:
        recipe: The recipe.
        version: The release of Ollama that creates the model.
        read: Returns the header of a file.

    Raises:
        UsageError: This release does something with a file that only a server can do.
        InputError: A file is not what its instruction says, or Ollama cannot use it.
    """
    named = (("FROM", recipe.model_files), ("ADAPTER", recipe.adapters), ("DRAFT", recipe.drafts))
    for word, path in ((word, path) for word, files in named for path in files):
        header = read(path)
        kind = "draft" if word == "DRAFT" else _kind(header, version)
        if word == "FROM" and kind != "model":
            raise InputError(f"FROM names no model, only the {kind} `{path}`", hint="add a FROM with the model's file")
        if word == "ADAPTER" and kind == "model":
            raise InputError(f"`{path}` is a model, not an adapter", hint="name it in FROM")
        _check_header(path, header, kind, version)
        yield path, NewLayer(kind, header=header)


def _check_header(path: Path, header: GGUFHeader, kind: str, version: Version) -> None:
    if header.version < 2:  # noqa: PLR2004  # the version of GGUF
        raise InputError(f"`{path}` is GGUF version {header.version}, which Ollama cannot read")
    if header.number("split.count") > 1:
        raise InputError(f"`{path}` is one of {header.number('split.count')} shards", hint=SERVER)
    check_fp8(f"`{path}`", header, kind, version)
    if version < behaviors.REWRITES_GGUF:
        return
    types = ("clip.projector_type", "clip.vision.projector_type")
    is_llava = header.typed("has_vision_encoder", BOOL) is True and header.architecture == "clip"
    if (kind == "model" and not header.embedded) or (
        kind == "projector" and is_llava and not any(key in header.metadata for key in types)
    ):
        hint = f"pass `--ollama {behaviors.KEEPS_WEIGHTS}`, the newest that takes them as they are, or {SERVER}"
        raise UsageError(f"Ollama {version} rewrites the weights in `{path}`, which only its server can do", hint=hint)


def check_fp8(what: str, header: GGUFHeader, kind: str, version: Version) -> None:
    """Reject weights that a server would quantize unasked; the base's, too.

    Raises:
        UsageError: They were converted from FP8.
    """
    if (
        version >= behaviors.QUANTIZES_FP8
        and kind == "model"
        and header.typed("source_quantization", STRING) == "hf_fp8"
        and quantization(header, version) in {"F16", "BF16"}
    ):
        raise UsageError(f"Ollama {version} quantizes {what}, which was converted from FP8, to Q8_0", hint=SERVER)


def _kind(header: GGUFHeader, version: Version) -> str:
    """Return the kind of layer that Ollama makes of a file (`ggufLayers` and `isProjectorGGUF` in server/create.go)."""
    kind = header.typed("general.type", STRING)
    if kind == "adapter":
        return "adapter"
    has_blocks = bool(header.typed("block_count", UINT32))
    is_projector = kind == "projector" or (not has_blocks and bool(header.typed("vision.block_count", UINT32)))
    if version >= behaviors.DETECTS_PROJECTORS:
        encoders = (header.typed(f"has_{name}_encoder", BOOL) for name in ("vision", "audio"))
        is_clip = header.typed("general.architecture", STRING) == "clip" and not has_blocks
        is_projector |= kind == "mmproj" or (is_clip and any(encoders))
    return "projector" if is_projector else "model"


def detect(
    path: Path, layer: NewLayer, recipe: Recipe, has_blob: Callable[[str], bool]
) -> tuple[ChatTemplate | None, bool]:
    """Return the chat template that Ollama recognizes in a file, and whether the model gets its translation.

    Args:
        path: The file.
        layer: Its layer.
        recipe: The recipe, whose TEMPLATE and `stop` win, and whose `detected` says what the file does not.
        has_blob: Returns whether the store has the blob of a digest.

    Raises:
        InputError: Only a server can tell whether it is recognized, or has the translation.
    """
    text = layer.header.chat_template if layer.header else ""
    if layer.kind == "draft" or not text or (recipe.template and "stop" in recipe.parameters):
        return None, False
    known, is_proved = recognize(text)
    recorded = recipe.detected if path in recipe.files else None
    what = f"`{path}` has a chat template"
    if not is_proved and recorded:
        known = find_translation(recorded)
        if known is None:
            message = f"the template of `{path}` in mf.lock is none that Ollama makes of a chat template"
            raise InputError(message, hint="restore mf.lock from version control, or write TEMPLATE and PARAMETER stop")
    elif not is_proved and recorded is None:
        message = f"{what} that only a server can compare with those that Ollama recognizes"
        raise InputError(message, hint=f"write TEMPLATE and PARAMETER stop, {_ON_SERVER}")
    has_template = known is not None and not recipe.template
    is_recorded = known is not None and digest_of((recorded or "").encode()) == known.template
    if known and has_template and not is_recorded and not has_blob(known.template):
        message = f"{what} that Ollama recognizes as {known.name}, and only a server has its translation"
        raise InputError(message, hint=f"write TEMPLATE, {_ON_SERVER}")
    return known, has_template


def needs_server(recipe: Recipe) -> bool:
    """Return whether the local weights of a recipe do not tell themselves which template Ollama makes of theirs."""
    unrecorded = replace(recipe, detected=None)
    for path in recipe.model_files:
        with contextlib.suppress(InputError):  # no GGUF file
            layer = NewLayer("model", header=recall_header(path))
            try:
                detect(path, layer, unrecorded, lambda _: False)
            except InputError:
                return True
    return False
