"""A recipe: the model that a Modelfile describes, by the rules of Ollama's command line (parser/parser.go, 0.33)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError
from modelfile.filesystem import expand
from modelfile.recipe.values import ParameterValue, is_version, parse_value
from modelfile.syntax.modelfile import Modelfile

_PATHS: Final = Version(0, 30, 0)
"""Since then several files are named by their paths; before by their base names (v0.29.0, v0.30.0 cmd/cmd.go)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: one turn of the conversation that is put before the user's."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What Ollama's command line reads in a Modelfile. Empty texts mean that nothing is asked."""

    base: str | None = None
    """The model's name as written."""
    files: tuple[Path, ...] = ()
    """The files of local weights, projectors among them; of no consequence beside a base."""
    adapters: tuple[Path, ...] = ()
    drafts: tuple[Path, ...] = ()
    template: str = ""
    system: str = ""
    licenses: tuple[str, ...] = ()
    parameters: Mapping[str, ParameterValue] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    quantize: str = ""
    """The type the server is to turn the weights to; see quantize.py."""

    @property
    def model_files(self) -> tuple[Path, ...]:
        """The files that the model is made of; none beside a base."""
        return () if self.base else self.files

    @property
    def local_files(self) -> tuple[Path, ...]:
        """Every file on this machine that goes into the model."""
        return tuple(dict.fromkeys((*self.files, *self.adapters, *self.drafts)))

    def request(self, digests: Mapping[Path, str] | None = None, target: Version | None = None) -> dict[str, Any]:
        """The body of POST /api/create as Ollama's command line sends it, without the model's name.

        Args:
            digests: `sha256:…` of every local file.
            target: The version of Ollama that is to take it, by default the newest known.
        """
        digests = digests or {}
        version = catalog(target).version
        request: dict[str, Any] = {
            "from": self.base or "",
            "files": _named(self.files, digests, version),
            "draft_files": _named(self.drafts, digests, version),
            "adapters": _named(self.adapters, digests, version),
            "template": self.template,
            "system": self.system,
            "license": list(self.licenses),
            "parameters": {
                name: list(value) if isinstance(value, tuple) else value for name, value in self.parameters.items()
            },
            "messages": [{"role": turn.role, "content": turn.content} for turn in self.messages],
            "renderer": self.renderer,
            "parser": self.parser,
            "requires": self.requires,
            "quantize": self.quantize,
        }
        return {key: value for key, value in request.items() if value}


def _named(files: tuple[Path, ...], digests: Mapping[Path, str], version: Version) -> dict[str, str]:
    """Digests by the names the server is given.

    One file's base name, and several files' paths from their common folder, as it wants them of late. Before, base
    names: of two files with one name, Ollama's command line loses one by chance, and here the deeper keeps its path.
    """
    shared = {*files[0].absolute().parents} if files else set()
    shared = shared.intersection(*(file.absolute().parents for file in files))
    common = max(shared, key=lambda folder: len(folder.parts), default=None)  # none: on two drives
    named: dict[str, str] = {}
    for file in sorted(files, key=lambda file: len(file.parts)) if version < _PATHS else files:
        if len(files) == 1 or common is None or (version < _PATHS and file.name not in named):
            named[file.name] = digests[file]
        else:
            named[file.absolute().relative_to(common).as_posix()] = digests[file]
    return named


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
