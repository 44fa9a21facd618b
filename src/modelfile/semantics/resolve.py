"""From a Modelfile to its recipe, by the rules of Ollama's command line (parser/parser.go, 0.33)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from modelfile.catalog.target import catalog
from modelfile.errors import InputError
from modelfile.semantics.literals import ParameterValue, is_version, parse_value
from modelfile.semantics.paths import expand
from modelfile.semantics.recipe import Recipe, Turn
from modelfile.syntax.modelfile import Modelfile

_WEIGHTS: Final = (
    ("model*.safetensors", "*/model*.safetensors"),
    ("consolidated*.safetensors",),
    ("pytorch_model*.bin",),
    ("consolidated*.pth",),
    ("*.gguf",),
    ("*.bin",),
)
"""A folder's weights are what the first of these finds that finds anything."""
_BESIDE_WEIGHTS: Final = ("*.json", "*/*.json", "chat_template.jinja")
_TOKENIZERS: Final = ("tokenizer.model", "*/tokenizer.model")


def resolve(modelfile: Modelfile, folder: Path) -> Recipe:
    """The recipe of a Modelfile that stands in `folder`; looks which of its paths exist, reads none of the files.

    Raises:
        InputError: Ollama's command line would refuse the Modelfile.
    """
    base: str | None = None
    files: list[Path] = []
    adapters: tuple[Path, ...] = ()
    drafts: list[Path] = []
    texts: dict[str, str] = {}
    licenses: list[str] = []
    messages: list[Turn] = []
    parameters: dict[str, ParameterValue] = {}
    for name, value in modelfile.commands:
        match name:
            case "model":
                path = expand(value, folder)
                if _exists(path):
                    files += files_at(path)
                else:
                    base = value
            case "adapter":
                adapters = files_at(expand(value, folder))
            case "draft":
                drafts += files_at(expand(value, folder))
            case "template" | "system" | "renderer" | "parser":
                texts[name] = value
            case "requires":
                texts[name] = _version(value)
            case "license":
                licenses.append(value)
            case "message":
                role, _, content = value.partition(": ")
                messages.append(Turn(role, content))
            case _:
                _set_parameter(parameters, name, value)
    _refuse_shared(files, drafts)
    return Recipe(
        base=base,
        files=tuple(dict.fromkeys(files)),
        adapters=adapters,
        drafts=tuple(drafts),
        licenses=tuple(licenses),
        messages=tuple(messages),
        parameters=parameters,
        **texts,
    )


def _refuse_shared(files: list[Path], drafts: list[Path]) -> None:
    if shared := {path.resolve() for path in files} & {path.resolve() for path in drafts}:
        raise InputError(f"DRAFT must not be the same file as FROM: `{min(shared)}`")


def _set_parameter(parameters: dict[str, ParameterValue], name: str, text: str) -> None:
    if name in catalog().deprecated:
        return
    if name not in catalog().parameters:
        raise InputError(f"unknown parameter `{name}`", hint="`mf lint` shows where, and what it may have meant")
    try:
        value = parse_value(catalog().parameters[name].kind, text)
    except ValueError as error:
        raise InputError(f"parameter `{name}` {error}, not `{text}`") from error
    former = parameters.get(name)
    parameters[name] = (*former, *value) if isinstance(former, tuple) and isinstance(value, tuple) else value


def _version(text: str) -> str:
    if not is_version(text):
        raise InputError(f"REQUIRES must be a version, such as 0.14.0, not `{text}`")
    return text.removeprefix("v")


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:
        raise InputError(f"`{path}` cannot be read: {_reason(error)}") from error
    return True


def files_at(path: Path) -> tuple[Path, ...]:
    """The files that a path means: the file itself, or a folder's weights and what goes with them.

    Raises:
        InputError: There is none.
    """
    if not _exists(path):
        raise InputError(f"`{path}` does not exist", hint="a path is relative to the Modelfile's folder")
    if not path.is_dir():
        return (path,)
    files = weights_in(path)
    for file in files:
        if not file.is_relative_to(path.resolve()):
            raise InputError(
                f"`{file}` is outside of `{path}`, which a link leads to it from", hint="copy the file there"
            )
    return files


def weights_in(path: Path) -> tuple[Path, ...]:
    """A folder's weights and what goes with them, wherever links lead.

    Raises:
        InputError: There is none.
    """
    weights = next((list(_glob(path, patterns)) for patterns in _WEIGHTS if list(_glob(path, patterns[:1]))), None)
    if not weights:
        raise InputError(
            f"the folder `{path}` holds no weights",
            hint="Ollama looks for *.safetensors, pytorch_model*.bin, *.gguf, *.bin",
        )
    tokenizers = next((found for pattern in _TOKENIZERS if (found := list(_glob(path, (pattern,))))), [])
    return tuple(dict.fromkeys(file.resolve() for file in (*weights, *_glob(path, _BESIDE_WEIGHTS), *tokenizers)))


def _glob(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        yield from sorted(folder.glob(pattern))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
