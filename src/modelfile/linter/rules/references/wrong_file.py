"""Rule MF218."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction

_PART: Final = (
    r"(?P<settings>(?:adapter_config|config|generation_config|tokenizer|tokenizer_config|special_tokens_map|vocab"
    r"|added_tokens|trainer_state|params|preprocessor_config|[\w.-]+\.safetensors\.index)\.json"
    r"|tokenizer\.model|merges\.txt|chat_template\.jinja)"
    r"|(?P<training>training_args\.bin|(?:optimizer|scheduler|scaler|rng_state\w*)\.(?:pt|pth|bin))"
    r"|(?P<text>(?:readme|license|modelfile|requirements)(?:\.\w+)?|[\w.-]+\.(?:md|py|ya?ml|toml|ipynb|sh|jinja))"
    r"|(?P<archive>[\w.-]+\.(?:zip|tar|tgz|gz|7z|rar))"
    r"|(?P<foreign>[\w.-]+\.(?:onnx|pkl|h5|tflite|ckpt|mlmodel|npz))"
)
_WHAT: Final = {
    "settings": "has settings, not weights",
    "training": "has the state of a training, not weights",
    "text": "has no weights",
    "archive": "is an archive, which Ollama does not unpack",
    "foreign": "has a format that Ollama cannot read",
}
_PROJECTOR: Final = r"(?:[\w.-]*[-._])?mmproj[\w.-]*\.gguf"


def wrong_part(instruction: Instruction) -> str | None:
    """Return why a file, by its name, cannot be what an instruction needs; None if it may be."""
    path = instruction.value.text
    if not isinstance(instruction, From | Adapter | Draft) or not instruction.value.closed:
        return None
    if isinstance(instruction, From) and not re.search(r"[/\\]|\.json\Z", path):
        return None  # a model's name
    found = re.fullmatch(_PART, re.split(r"[/\\]", path)[-1], re.IGNORECASE) if "://" not in path else None
    return _WHAT[found.lastgroup] if found and found.lastgroup else None


@rule("MF218", "wrong-file", on=Instruction, severity=Severity.WARNING)
def wrong_file(instruction: Instruction, context: Context) -> Iterator[Finding]:
    r"""FROM or ADAPTER names a file that has no weights.

    Tools for training write a folder: the weights are in `adapter_model.safetensors` or `model.safetensors`, and beside
    them are settings (`adapter_config.json`, `tokenizer.json`) and the state of the training (`training_args.bin`).
    Name the folder, or a GGUF file made from it. An `mmproj` file is a projector: it needs a FROM with the model.

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
    ADAPTER ./weights.gguf
    ```
    """
    path, word = instruction.value.text, type(instruction).__name__.upper()
    if what := wrong_part(instruction):
        if context.exists and context.missing_weights and context.exists(path) and context.missing_weights(path):
            return  # a folder
        file = re.split(r"[/\\]", path)[-1]
        folder = path[: -len(file)] or "./"
        yield Finding(
            instruction.value.span,
            f"`{path}` {what}",
            f"name the weights: `{word} {folder.rstrip('/')}` if the folder has them, or a GGUF file",
        )
    elif isinstance(instruction, From) and is_lone_projector(instruction, context):
        message = f"`{path}` is a projector by its name, and no FROM names the model"
        yield Finding(instruction.value.span, message, "add a FROM with the model's file")


def is_lone_projector(instruction: Instruction, context: Context) -> bool:
    """Return True if the only FROM is a file that does not exist here, and is a projector by its name."""
    path = instruction.value.text
    is_only = isinstance(instruction, From) and len(context.modelfile.of_type(From)) == 1
    if not is_only or (context.exists and context.exists(path)):
        return False  # unusable-weights
    return "://" not in path and re.fullmatch(_PROJECTOR, re.split(r"[/\\]", path)[-1], re.IGNORECASE) is not None
