"""From a Modelfile to its recipe, by the rules of Ollama's command line (parser/parser.go, 0.33)."""

from __future__ import annotations

from pathlib import Path

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.filesystem import expand
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue, is_version, parse_value
from modelfile.syntax.modelfile import Modelfile


def resolve(modelfile: Modelfile, folder: Path, target: Version | None = None) -> Recipe:
    """The recipe of a Modelfile that stands in `folder`.

    Looks which of its paths exist, and at the beginnings of the files of a folder.

    Args:
        modelfile: What to read.
        folder: What its paths are relative to.
        target: The version of Ollama by whose rules folders of weights are read, by default the newest known.

    Raises:
        InputError: Ollama's command line would refuse the Modelfile.
    """
    base: str | None = None
    files: list[Path] = []
    adapters: tuple[Path, ...] = ()
    drafts: list[Path] = []
    models: set[Path] = set()
    guessers: set[Path] = set()
    texts: dict[str, str] = {}
    licenses: list[str] = []
    messages: list[Message] = []
    parameters: dict[str, ParameterValue] = {}
    for name, value in modelfile.commands:
        match name:
            case "model":
                path = expand(value, folder)
                if _exists(path):
                    files += files_at(path, target)
                    models.add(path.resolve())
                else:
                    base = value
            case "adapter":
                adapters = files_at(expand(value, folder), target)
            case "draft":
                path = expand(value, folder)
                drafts += files_at(path, target)
                guessers.add(path.resolve())
            case "template" | "system" | "renderer" | "parser":
                texts[name] = value
            case "requires":
                texts[name] = _version(value)
            case "license":
                licenses.append(value)
            case "message":
                role, _, content = value.partition(": ")
                messages.append(Message(role, content))
            case _:
                _set_parameter(parameters, name, value)
    _refuse_shared(models & guessers)
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


def _refuse_shared(paths: set[Path]) -> None:
    if paths:
        raise InputError(f"DRAFT must not be the same file as FROM: `{min(paths)}`")


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


def files_at(path: Path, target: Version | None = None) -> tuple[Path, ...]:
    """The files that a path means: the file itself, or a folder's weights and what goes with them.

    Raises:
        InputError: There is none, or one that Ollama refuses.
    """
    if not _exists(path):
        raise InputError(f"`{path}` does not exist", hint="a path is relative to the Modelfile's folder")
    if path.is_file():
        return (path,)
    if not path.is_dir():
        raise InputError(f"`{path}` is neither a file nor a folder", hint="a pipe or a device cannot be read twice")
    from modelfile.weights.folder import files_in  # most Modelfiles name none

    return files_in(path, target)


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
