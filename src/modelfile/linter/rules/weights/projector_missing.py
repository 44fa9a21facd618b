"""Rule MF616."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, existing_path, last_from, local_headers, no_folder, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From

if TYPE_CHECKING:
    from modelfile.weights.header import GGUFHeader

_SEES: Final = frozenset(
    {
        *("qwen2vl", "qwen25vl", "qwen3vl", "qwen3vlmoe", "mllama", "cogvlm", "deepseek2-ocr", "deepseekocr", "glmocr"),
        *("paddleocr", "hunyuan_vl"),
    }
)
"""Architectures of which all models see images."""
_MAY_SEE: Final = frozenset({"gemma3", "gemma3n", "gemma4", "llama4", "mistral3", "qwen35", "qwen35moe"})
"""Architectures of which some models see images, and others only read."""
_OUTPUTS: Final[Mapping[str, tuple[str, int]]] = {
    "gemma3": ("mm.input_projection.weight", 0),
    "idefics3": ("mm.model.fc.weight", 1),
    "internvl": ("mm.model.mlp.3.weight", 1),
    "llama4": ("mm.model.fc.weight", 1),
    "mlp": ("mm.2.weight", 1),
    "pixtral": ("mm.2.weight", 1),
    "qwen2.5vl_merger": ("mm.2.bias", 0),
    "qwen2vl_merger": ("mm.2.bias", 0),
}
"""The tensor whose dimension is the size of a projector's vectors, by its type.

Source: `clip_n_mmproj_embd` in llama.cpp's tools/mtmd/clip.cpp, as in v0.24.0.
"""
_USED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("deepseekocr", "deepseekocr2"), ("deepseek2-ocr", "deepseekocr")),
    "cogvlm": ("cogvlm",),
    "gemma3": ("gemma3",),
    "gemma3nv": ("gemma3n",),
    **dict.fromkeys(("gemma4uv", "gemma4v"), ("gemma4",)),
    "hunyuanvl": ("hunyuan_vl",),
    **dict.fromkeys(("idefics3", "internvl", "janus_pro", "kimivl", "lfm2", "lightonocr"), ()),
    "llama4": ("llama4",),
    "paddleocr": ("paddleocr",),
    "pixtral": ("mistral3",),
    **dict.fromkeys(("qwen2.5o", "qwen2.5vl_merger", "qwen2vl_merger"), ("qwen25vl", "qwen2vl")),
    "qwen3vl_merger": ("qwen35", "qwen35moe", "qwen3vl", "qwen3vlmoe"),
}
"""The architectures of models that see images, by the types of projectors that were made for them.

Models of other architectures, such as llama, may use any of them. Types that several families share (`mlp`, `ldp`,
`resampler`, `adapter`) are not here.

Source: `PROJECTOR_TYPE_NAMES` in llama.cpp's tools/mtmd/clip-impl.h, and the writers of each type in conversion/.
"""


@rule("MF616", "projector-missing", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def projector_missing(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A model that sees images has no projector, or that of another model.

    Weights of llama.cpp come in two files: the model, and a projector (`mmproj-….gguf`) that turns images into vectors
    of the size that the model reads. Each needs a FROM. Without it, Ollama makes a model that only reads text. With the
    projector of another model, either the sizes differ, and the model cannot be loaded, or it misreads each image.

    The rule reads the headers of local GGUF files. It knows the architectures of which all models see images. Where
    only some do, as of gemma3, it looks for a projector beside the file of the model, if that is the only model there.

    ## Bad

    ```
    # Describes the photos of a catalog.
    FROM ./vision.gguf
    ```

    ## Good

    ```
    # Describes the photos of a catalog.
    FROM ./vision.gguf
    FROM ./mmproj-f16.gguf
    ```
    """
    base, headers = last_from(modelfile), local_headers(modelfile, context)
    if base is None or not headers:
        return
    from modelfile.weights.facts import content_of  # most Modelfiles name no file

    contents = {path: content_of(header) for path, header in headers.items()}
    model = next((header for path, header in headers.items() if contents[path] == "model"), None)
    projectors = [path for path, content in contents.items() if content == "projector"]
    if model is None:
        return
    if not projectors and not model.embedded and f"{model.architecture}.vision.block_count" not in model.metadata:
        may_see = model.architecture in _SEES | _MAY_SEE and len(modelfile.of_type(From)) == 1
        forgotten = _beside(base, context) if may_see else None
        if forgotten:
            message = f"no FROM names the projector `{forgotten}` beside the model, which sees no images without it"
            yield Finding(base.value.span, message, f"write `FROM {forgotten}` below, if it belongs to this model")
        elif model.architecture in _SEES:
            message = f"`{model.architecture}` is a model that sees images, but no FROM names its projector"
            hint = "add a FROM with its projector, which is often named `mmproj-….gguf`"
            yield Finding(base.value.span, message, hint)
    for path in projectors:
        if difference := _difference(model, path, headers[path]):
            hint = "name the projector that was published with this model"
            node = next(
                (node for node in modelfile.of_type(From) if Path(node.value.text).name == Path(path).name), base
            )
            message = f"the projector `{Path(path).name}` is of another model: {difference}"
            yield Finding(node.value.span, message, hint)


def _beside(base: From, context: Context) -> str | None:
    """Return the path of the only projector beside the only model, by their names."""
    path = existing_path(base, context)
    if path is None or not path.lower().endswith(".gguf") or context.neighbors is None:
        return None
    weights = [name for name in context.neighbors(path) if name.lower().endswith(".gguf")]
    projectors = [name for name in weights if "mmproj" in name.lower()]
    return path[: -len(Path(path).name)] + projectors[0] if len(projectors) == 1 and len(weights) == 2 else None  # noqa: PLR2004  # a pair


def _difference(model: GGUFHeader, path: str, projector: GGUFHeader) -> str | None:
    """Return how a projector differs from those of a model; None if it does not, or that is not known."""
    kind = projector.text("clip.projector_type") or projector.text("clip.vision.projector_type")
    known = frozenset[str]().union(*_USED_BY.values())
    if kind in _USED_BY and model.architecture in known and model.architecture not in _USED_BY[kind]:
        return f"its type is `{kind}`, which no `{model.architecture}` uses"
    reads, writes = model.number("embedding_length"), _output(kind, path, projector)
    if reads and writes and reads != writes:
        return f"its vectors have {writes:,} numbers, those of the model {reads:,}"
    return None


def _output(kind: str, path: str, projector: GGUFHeader) -> int | None:
    """Return the size of the vectors that a projector makes, in numbers; None if it is not known."""
    if kind not in _OUTPUTS:
        return None
    from modelfile.weights.gguf import read_tensors

    name, at = _OUTPUTS[kind]
    shapes = (tensor.shape for tensor in read_tensors(Path(path), projector) if tensor.name == name)
    return next((shape[at] for shape in shapes if len(shape) > at), None)
