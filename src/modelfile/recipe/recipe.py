"""Recipes: the models that Modelfiles describe, by the rules of Ollama's command line (parser/parser.go, 0.33)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import TYPE_CHECKING

from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import Version
from modelfile.errors import InputError, cannot_read
from modelfile.filesystem import Stat, expand
from modelfile.immutable import field, record
from modelfile.recipe.values import ParameterValue, is_version, parse_value

if TYPE_CHECKING:
    from modelfile.syntax.modelfile import Modelfile  # 10 ms that listing models does not need


@record()
class Message:
    """A message of the conversation that precedes the user's first one."""

    role: str
    content: str


@record(kw_only=True)
class Recipe:
    """The content of a Modelfile as Ollama's command line reads it; an empty text is an absent instruction."""

    base: str | None = None
    """The name of the base model, as written."""
    files: tuple[Path, ...] = ()
    """The files of local weights, including projectors; ignored by Ollama if there is a base."""
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
    misplaced: frozenset[Path] = frozenset()
    """Adapters in `files`, and projectors in `adapters`: Ollama goes by their content, not by their instruction."""
    quantize: str = ""
    """The type to which the server quantizes the weights."""
    detected: str | None = None
    """The template that a server made of the chat template in `files`, as mf.lock records it: empty if it recognized
    none, None if that is not recorded. A server that creates the model detects it itself."""

    @property
    def model_files(self) -> tuple[Path, ...]:
        """The files of local weights that the model is made of; none if there is a base."""
        return () if self.base else self.files

    @property
    def weight_files(self) -> tuple[Path, ...]:
        """The local files that Ollama uses as weights, by their content: models and projectors."""
        projectors = (path for path in self.adapters if path in self.misplaced)
        return (*(path for path in self.model_files if path not in self.misplaced), *projectors)

    @property
    def adapter_files(self) -> tuple[Path, ...]:
        """The local files that Ollama uses as adapters, by their content."""
        in_from = (path for path in self.model_files if path in self.misplaced)
        return (*in_from, *(path for path in self.adapters if path not in self.misplaced))

    @property
    def local_files(self) -> tuple[Path, ...]:
        """All local files that the Modelfile names."""
        return tuple(dict.fromkeys((*self.files, *self.adapters, *self.drafts)))

    @property
    def converts_adapters(self) -> bool:
        """True if the server makes other files of adapters or drafts, whose digests only it can tell."""
        return any(path.suffix != ".gguf" for path in (*self.adapters, *self.drafts))


def resolve(modelfile: Modelfile, folder: Path, version: Version | None = None, stat: Stat = Path.stat) -> Recipe:
    r"""Return the recipe of a Modelfile.

    Checks which of its paths exist, and reads the first bytes of the files in folders of weights. Of several local
    files, it reads the headers.

    >>> from pathlib import Path
    >>> import modelfile
    >>> recipe = modelfile.resolve(modelfile.parse("FROM llama3.2:3b\nPARAMETER stop a\nPARAMETER stop b\n"), Path())
    >>> recipe.base, recipe.parameters
    ('llama3.2:3b', {'stop': ('a', 'b')})

    Args:
        modelfile: The Modelfile.
        folder: The folder that its paths are relative to.
        version: The version of Ollama by whose rules folders of weights are read (default: the newest known).
        stat: The function that looks at a path, so that a caller can look once.

    Raises:
        InputError: Ollama's command line would reject the Modelfile.
    """
    base: str | None = None
    files: list[Path] = []
    adapters: tuple[Path, ...] = ()
    drafts: list[Path] = []
    from_paths: set[Path] = set()
    draft_paths: set[Path] = set()
    texts: dict[str, str] = {}
    licenses: list[str] = []
    messages: list[Message] = []
    parameters: dict[str, ParameterValue | list[str]] = {}
    for name, value in modelfile.commands:
        match name:
            case "model":
                path = expand(value, folder)
                if _state(path, stat):
                    files += files_at(path, version, stat)
                    from_paths.add(path)
                else:
                    base = value
            case "adapter":
                adapters = files_at(expand(value, folder), version, stat)
            case "draft":
                path = expand(value, folder)
                drafts += files_at(path, version, stat)
                draft_paths.add(path)
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
    reject_shared(from_paths, draft_paths)
    files = list(dict.fromkeys(files))
    return Recipe(
        base=base,
        files=tuple(files),
        adapters=adapters,
        misplaced=_find_misplaced([] if base else files, adapters),
        drafts=tuple(drafts),
        licenses=tuple(licenses),
        messages=tuple(messages),
        parameters={name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()},
        **texts,
    )


def _find_misplaced(files: list[Path], adapters: tuple[Path, ...]) -> frozenset[Path]:
    if not adapters and len(files) < 2:  # noqa: PLR2004  # a single file is the model, whatever it holds
        return frozenset()
    from modelfile.weights.checks import find_misplaced  # most Modelfiles name no file

    return frozenset(find_misplaced(files, adapters))


def reject_shared(from_paths: set[Path], draft_paths: set[Path]) -> None:
    """Reject a file that both FROM and DRAFT name.

    Raises:
        InputError: There is one.
    """
    if from_paths and draft_paths and (shared := {*map(Path.resolve, from_paths)} & {*map(Path.resolve, draft_paths)}):
        raise InputError(f"DRAFT must not be the same file as FROM: `{min(shared)}`")


def _set_parameter(parameters: dict[str, ParameterValue | list[str]], name: str, text: str) -> None:
    if name in catalog().deprecated:
        return
    if name not in catalog().parameters:
        raise InputError(f"unknown parameter `{name}`", hint="run `mf lint` for its line and a suggestion")
    try:
        value = parse_value(catalog().parameters[name].kind, text)
    except ValueError as error:
        raise InputError(f"parameter `{name}` {error}, not `{text}`") from error
    previous = parameters.setdefault(name, []) if isinstance(value, tuple) else None
    if isinstance(previous, list) and isinstance(value, tuple):
        previous += value
    else:
        parameters[name] = value


def _version(text: str) -> str:
    if not is_version(text):
        raise InputError(f"REQUIRES must be a version such as 0.14.0, not `{text}`")
    return text.removeprefix("v")


def _state(path: Path, stat: Stat) -> os.stat_result | None:
    """Return the state of a path; None if there is nothing."""
    try:
        return stat(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise cannot_read(path, error) from error


def files_at(path: Path, version: Version | None = None, stat: Stat = Path.stat) -> tuple[Path, ...]:
    """Return the file itself, or the files that Ollama takes from a folder.

    Args:
        path: The file or the folder.
        version: The version of Ollama (default: the newest known).
        stat: Returns the state of a path.

    Raises:
        InputError: There is nothing, it is neither a file nor a folder, or it is a folder that Ollama rejects.
    """
    state = _state(path, stat)
    if state is None:
        raise InputError(f"`{path}` does not exist", hint="paths are relative to the Modelfile's folder")
    if S_ISREG(state.st_mode):
        return (path,)
    if not S_ISDIR(state.st_mode):
        raise InputError(
            f"`{path}` is neither a file nor a folder",
            hint="use a regular file; a pipe or a device cannot be read twice",
        )
    from modelfile.weights.folder import resolve_folder  # most Modelfiles name no folder

    return resolve_folder(path, version)
