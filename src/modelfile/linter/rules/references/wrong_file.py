"""Rule MF218."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.immutable import record
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction

_PART: Final = (
    r"(?P<settings>(?:adapter_config|config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab"
    r"|added_tokens|trainer_state|params|preprocessor_config|[\w.-]+\.safetensors\.index)\.json"
    r"|tokenizer\.model|merges\.txt|chat_template\.jinja)"
    r"|(?P<training>training_args\.bin|(?:optimizer|scheduler|scaler|rng_state\w*)\.(?:pt|pth|bin))"
    r"|(?P<text>(?:readme|license|modelfile|requirements)(?:\.\w+)?|[\w.-]+\.(?:md|py|ya?ml|toml|ipynb|sh|jinja))"
    r"|(?P<archive>[\w.-]+\.(?:zip|tar|tgz|gz|7z|rar))"
    r"|(?P<foreign>[\w.-]+\.(?:onnx|pkl|h5|tflite|ckpt|mlmodel|npz|pt|ggml|mlpackage)|[\w.-]*ggmlv[1-3][\w.-]*\.bin)"
)
_WHAT: Final = {
    "settings": "has settings, not weights",
    "training": "has the state of a training, not weights",
    "text": "has no weights",
    "archive": "is an archive, which Ollama does not unpack",
    "foreign": "has a format that Ollama cannot read",
}
_PROJECTOR: Final = r"(?:[\w.-]*[-._])?mmproj[\w.-]*\.gguf"
_ADAPTER: Final = r"adapter_model\.safetensors"
_BESIDE_MODEL: Final = (
    r"(?!.*(?:merged|fused|q[2-8]_|iq[1-4]_))(?:[\w.-]*[-._])?(?:q?lora|adapter)s?(?:[-._][\w.-]*)?\.gguf"
)
"""An adapter, if the model is another file; the name of a merged model may have these words, too."""
_MODEL: Final = r"(?!.*(?:lora|adapter|mmproj))[\w.-]*[-._](?:q[2-6]_[k01]\w*|iq[1-4]_\w+)\.gguf"
"""A model: an adapter is not quantized to a type like Q4_K_M."""


def wrong_part(instruction: Instruction) -> str | None:
    """Return why a file, by its name, cannot be what an instruction needs; None if it may be."""
    path = instruction.value.text
    if not isinstance(instruction, From | Adapter | Draft) or not instruction.value.closed:
        return None
    if isinstance(instruction, From) and not re.search(r"[/\\]|\.json\Z", path):
        return None  # a model's name
    found = re.fullmatch(_PART, re.split(r"[/\\]", path)[-1], re.IGNORECASE) if "://" not in path else None
    return _WHAT[found.lastgroup] if found and found.lastgroup else None


@rule("MF218", "wrong-file", on=(From, Adapter, Draft), severity=Severity.ERROR)
def wrong_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""FROM or ADAPTER names a file that has no weights.

    Tools for training write a folder: the weights are in `adapter_model.safetensors` or `model.safetensors`, and beside
    them are settings (`adapter_config.json`, `tokenizer.json`) and the state of the training (`training_args.bin`).
    Name the folder, or a GGUF file made from it. An `mmproj` file is a projector: it needs a FROM with the model.

    Ollama rejects such a file, and a missing ADAPTER (measured on 0.9.3). It is a warning where a FROM may be read as
    the name of a model, in standard input, and for a projector that goes by its name.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./lora/adapter_config.json
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ADAPTER ./billing-lora.gguf
    ```
    """
    path, word = instruction.value.text, type(instruction).__name__.upper()
    if what := wrong_part(instruction):
        exists = context.exists is not None and context.exists(path)
        if exists and context.neighbors and context.neighbors(f"{path}/x"):
            return  # a folder
        file = re.split(r"[/\\]", path)[-1]
        folder = path[: -len(file)] or "./"
        yield Finding(
            instruction.value.span,
            f"`{path}` {what}",
            f"name the weights: `{word} {folder.rstrip('/')}` if the folder has them, or a GGUF file",
            severity=Severity.ERROR if exists or _is_rejected(instruction, context) else Severity.WARNING,
        )
    elif isinstance(instruction, From) and is_lone_projector(instruction, context):
        message = f"`{path}` is a projector by its name, and no FROM names the model"
        hint = "add a FROM with the model's file"
        yield Finding(instruction.value.span, message, hint, severity=Severity.WARNING)


def _is_rejected(instruction: Instruction, context: Context) -> bool:
    """Return True if Ollama rejects a file that does not exist: any in ADAPTER, and a FROM that cannot be a name."""
    return context.exists is not None and (
        not isinstance(instruction, From) or not name_or_none(instruction.value.text)
    )


def is_lone_projector(instruction: Instruction, context: Context) -> bool:
    """Return True if the only FROM is a file that does not exist here, and is a projector by its name."""
    path = instruction.value.text
    if (
        path[-len(".gguf") :].lower() != ".gguf"
        or not _is_only_from(instruction, context.modelfile)
        or (context.exists and context.exists(path))
    ):
        return False  # unusable-weights
    return "://" not in path and re.fullmatch(_PROJECTOR, re.split(r"[/\\]", path)[-1], re.IGNORECASE) is not None


def _is_only_from(instruction: Instruction, modelfile: Modelfile) -> bool:
    return modelfile.last(From) is instruction and len(modelfile.of_type(From)) == 1


def misplaced_by_name(instruction: Instruction, context: Context) -> str:
    """Return the content of a file, by its name, if it needs another instruction: `model`, `adapter` or `projector`.

    A file that exists is judged by its header instead, a folder by its files.
    """
    path = instruction.value.text
    if not path[-len(".safetensors") :].lower().endswith((".gguf", ".safetensors")):
        return ""
    is_file = isinstance(instruction, From | Adapter) and instruction.value.closed and "://" not in path
    if not is_file or (context.exists and context.exists(path)):
        return ""
    name = re.split(r"[/\\]", path)[-1]
    patterns = {"projector": _PROJECTOR, "model": _MODEL}
    if isinstance(instruction, From):
        is_only = _is_only_from(instruction, context.modelfile)
        patterns = {"adapter": _ADAPTER if is_only else f"{_ADAPTER}|{_BESIDE_MODEL}"}
    return next((kind for kind, pattern in patterns.items() if re.fullmatch(pattern, name, re.IGNORECASE)), "")


def describe_misplaced(path: str, content: str, bases: BasesWritten, start: str = "") -> tuple[str, str]:
    """Return a message and help for a file that needs another instruction.

    Args:
        path: The path of the file, as written.
        content: The content of the file: `model`, `adapter` or `projector`.
        bases: The FROM of the Modelfile.
        start: The start of the message.
    """
    if content == "adapter":
        model = " below a FROM with the model that it was trained for" if bases.count == 1 else ""
        return f"{start}`{path}` is an adapter, not a model", f"write `ADAPTER {path}`{model}"
    if content == "model":
        return f"{start}`{path}` is a model, not an adapter", "name it in FROM"
    beside = "" if bases.are_files else " beside the model's file: beside a name it would be ignored"
    return f"{start}`{path}` is a projector, not an adapter", f"write `FROM {path}`{beside}"


@record()
class BasesWritten:
    """The FROM of a Modelfile, taken together."""

    count: int
    are_files: bool
    """True if all are written like paths."""

    @classmethod
    def of(cls, modelfile: Modelfile) -> BasesWritten:
        """Return those of a Modelfile."""
        bases = modelfile.of_type(From)
        return cls(len(bases), all(looks_like_path(base.value.text) for base in bases))
