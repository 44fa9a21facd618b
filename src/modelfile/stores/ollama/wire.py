"""Ollama's HTTP API as JSON, both ways (0.9.3 to 0.33): requests, and the answers as far as they are used here.

Answers are read by hand: pydantic would take 110 ms to import for four small objects. An answer that is not as it
should be is a ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from modelfile.catalog.behaviors import SENDS_PATHS
from modelfile.catalog.versions import Version
from modelfile.errors import ServerError
from modelfile.immutable import record
from modelfile.stores.ollama.go_syntax import read_parameters

if TYPE_CHECKING:  # 20 ms that a listing does not need
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Recipe
    from modelfile.syntax.modelfile import Modelfile

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_HIGHEST: Final = 2**63 - 1
_SHOWN: Final = 200
"""The number of characters of a bad value that an error shows."""
_BLOB: Final = re.compile(r"(FROM|ADAPTER|DRAFT) .*[/\\]blobs[/\\]sha256[-:]([0-9a-f]{64})(?:\n|\Z)")
_RENDERER_AND_PARSER: Final = r"(?:RENDERER (.*)\n)?(?:PARSER (.*)\n)?"


def model_request(name: str) -> dict[str, str]:
    """Return the body of POST /api/show and DELETE /api/delete."""
    return {"model": name}


def pull_request(name: str, *, insecure: bool) -> dict[str, Any]:
    """Return the body of POST /api/pull; `insecure` means plain http at once (measured, 0.9.3)."""
    return {"model": name} | ({"insecure": True} if insecure else {})


def copy_request(source: str, destination: str) -> dict[str, str]:
    """Return the body of POST /api/copy."""
    return {"source": source, "destination": destination}


def request_of(modelfile: Modelfile, folder: str | Path = ".") -> dict[str, Any]:
    r"""Return the create request of a Modelfile, as Ollama's command line sends it, without the model's name.

    Local weights and adapters are hashed; they have to be sent to POST /api/blobs/<digest> first.

    >>> import modelfile
    >>> modelfile.create_request(modelfile.parse("FROM llama3.2:3b\nPARAMETER temperature 0.2\n"))
    {'from': 'llama3.2:3b', 'parameters': {'temperature': 0.2}}

    Args:
        modelfile: The Modelfile.
        folder: The folder that its paths are relative to.

    Raises:
        InputError: Ollama's command line would reject the Modelfile, or a file of it cannot be read.
    """
    from modelfile.recipe.recipe import resolve
    from modelfile.weights.digests import digests_of

    recipe = resolve(modelfile, Path(folder))
    return create_request(recipe, digests_of(recipe.local_files))


def create_request(
    recipe: Recipe, digests: Mapping[Path, str] | None = None, version: Version | None = None
) -> dict[str, Any]:
    """Return the body of POST /api/create as Ollama's command line sends it, without the model's name.

    Args:
        recipe: The model to make.
        digests: `sha256:…` of every local file.
        version: The Ollama that is to take it, by default the newest known.
    """
    from modelfile.catalog.catalog import catalog

    digests = digests or {}
    version = catalog(version).version
    request: dict[str, Any] = {
        "from": recipe.base or "",
        "files": _named(recipe.files, digests, version),
        "draft_files": _named(recipe.drafts, digests, version),
        "adapters": _named(recipe.adapters, digests, version),
        "template": recipe.template,
        "system": recipe.system,
        "license": list(recipe.licenses),
        "parameters": {
            name: list(value) if isinstance(value, tuple) else value for name, value in recipe.parameters.items()
        },
        "messages": [{"role": message.role, "content": message.content} for message in recipe.messages],
        "renderer": recipe.renderer,
        "parser": recipe.parser,
        "requires": recipe.requires,
        "quantize": recipe.quantize,
    }
    return {key: value for key, value in request.items() if value}


def _named(files: tuple[Path, ...], digests: Mapping[Path, str], version: Version) -> dict[str, str]:
    """Return the digests by the names that the server is given.

    One file goes by its base name; several by their paths from their common folder, as newer versions want them. Older
    ones want base names: of two files with one name, Ollama's command line loses one by chance, and here the deeper one
    keeps its path.
    """
    shared = {*files[0].absolute().parents} if files else set()
    shared = shared.intersection(*(file.absolute().parents for file in files))
    common = max(shared, key=lambda folder: len(folder.parts), default=None)  # none: on two drives
    named: dict[str, str] = {}
    for file in sorted(files, key=lambda file: len(file.parts)) if version < SENDS_PATHS else files:
        if len(files) == 1 or common is None or (version < SENDS_PATHS and file.name not in named):
            named[file.name] = digests[file]
        else:
            named[file.absolute().relative_to(common).as_posix()] = digests[file]
    return named


@record(kw_only=True)
class VersionWire:
    """The answer to GET /api/version."""

    version: str

    @classmethod
    def parse(cls, body: bytes) -> VersionWire:
        """Parse the answer."""
        return cls(version=_text(_object(body), "version", required=True))


@record(kw_only=True)
class TagWire:
    """A model in the answer to GET /api/tags."""

    name: str
    digest: str
    """sha256 of the manifest, 64 hex digits without a prefix; the same model has others on other machines."""
    size: int
    modified_at: datetime
    """When this name was given its current contents; a copy is as old as the copying."""


def parse_tags(body: bytes) -> tuple[TagWire, ...]:
    """Parse the answer to GET /api/tags."""
    tags = tuple(
        TagWire(
            name=_text(tag, "name", required=True),
            digest=_text(tag, "digest", required=True),
            size=_number(tag, "size", required=True),
            modified_at=datetime.fromisoformat(_text(tag, "modified_at", required=True)),
        )
        for tag in _objects(_object(body), "models")
    )
    if not all(_DIGEST.fullmatch(tag.digest) and tag.modified_at.tzinfo for tag in tags):
        raise ValueError("a digest without 64 hex digits, or a time without a zone")
    return tags


@record(kw_only=True)
class MessageWire:
    """One of a model's messages."""

    role: str
    content: str = ""


@record(kw_only=True)
class ShowWire:
    """The answer to POST /api/show."""

    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    license: str = ""
    messages: tuple[MessageWire, ...] = ()
    requires: str = ""
    parent: str = ""
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    capabilities: tuple[str, ...] | None = None
    """None from servers before 0.6.4, which do not report them."""
    context_length: int = 0
    """Of the weights, in tokens; 0 if the server does not report it."""

    @classmethod
    def parse(cls, body: bytes) -> ShowWire:
        """Parse the answer."""
        show = _object(body)
        details = _as_object({} if show.get("details") is None else show["details"])
        texts = ("modelfile", "parameters", "template", "system", "license", "requires")
        return cls(
            **{name: _text(show, name) for name in texts},
            messages=tuple(
                MessageWire(role=_text(message, "role", required=True), content=_text(message, "content"))
                for message in _objects(show, "messages")
            ),
            parent=_text(details, "parent_model"),
            family=_text(details, "family"),
            parameter_size=_text(details, "parameter_size"),
            quantization_level=_text(details, "quantization_level"),
            capabilities=_capabilities(show.get("capabilities")),
            context_length=_context_length(show.get("model_info")),
        )


@record(kw_only=True)
class InfoWire:
    """The same answer, as far as it is about weights."""

    model_info: Mapping[str, Any]
    """Their metadata; arrays are null unless the request was verbose."""
    tensors: tuple[Mapping[str, Any], ...] = ()
    """Name, type and shape of each; empty from a server that does not tell."""

    @classmethod
    def parse(cls, body: bytes) -> InfoWire:
        """Parse the answer."""
        show = _object(body)
        return cls(
            model_info=_as_object({} if show.get("model_info") is None else show["model_info"]),
            tensors=tuple(_objects(show, "tensors")),
        )


@record(kw_only=True)
class ProgressWire:
    """A line of the streams of create and pull."""

    status: str = ""
    total: int = 0
    completed: int = 0
    error: str | None = None

    @classmethod
    def parse(cls, line: bytes) -> ProgressWire:
        """Parse a line, or the answer to a request that was rejected."""
        progress = _object(line)
        error = _text(progress, "error") if progress.get("error") is not None else None
        status = "" if error is not None else _text(progress, "status")  # beside an error, it is an HTTP status
        return cls(
            status=status, total=_number(progress, "total"), completed=_number(progress, "completed"), error=error
        )


def read_show(show: ShowWire) -> Model:
    """Return the contents of a model that the server shows.

    Raises:
        ServerError: The answer has no weights; models that run elsewhere (cloud models) have none.
    """
    from modelfile.recipe.model import Model
    from modelfile.recipe.recipe import Message

    header, _, body = show.modelfile.partition("\n\n")
    text, start = body if header.startswith("#") else show.modelfile, 0
    blobs: dict[str, list[str]] = {"FROM": [], "ADAPTER": [], "DRAFT": []}
    while match := _BLOB.match(text, start):
        blobs[match[1]].append(f"sha256:{match[2]}")
        start = match.end()
    if not blobs["FROM"]:
        raise ServerError("the server does not report the weights of this model", hint="is it a cloud model?")
    renderer, parser = _renderer_and_parser(show, text[start:])
    return Model(
        weights=tuple(blobs["FROM"]),
        adapters=tuple(blobs["ADAPTER"]),
        drafts=tuple(blobs["DRAFT"]),
        template=show.template,
        system=show.system,
        license=show.license,
        parameters=read_parameters(show.parameters),
        messages=tuple(Message(message.role, message.content) for message in show.messages),
        renderer=renderer,
        parser=parser,
        requires=show.requires,
        family=show.family,
    )


def blobs_folder(show: ShowWire) -> Path | None:
    """Return the folder of blobs that FROM names in the shown Modelfile; None if it names none."""
    found = re.search(r"^FROM (.*[/\\]blobs)[/\\]sha256[-:][0-9a-f]{64}$", show.modelfile, re.MULTILINE)
    return Path(found[1]) if found else None


def _renderer_and_parser(show: ShowWire, text: str) -> tuple[str, str]:
    """Return RENDERER and PARSER, which stand only in the shown Modelfile, after the template and system prompt."""
    for word, value in (("TEMPLATE", show.template), ("SYSTEM", show.system)):
        for quotes in ("", '"', '"""'):
            line = f"{word} {quotes}{value}{quotes}\n"
            if value and text.startswith(line):
                text = text[len(line) :]
                break
    match = re.match(_RENDERER_AND_PARSER, text)
    return (match[1] or "", match[2] or "") if match else ("", "")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        text = body.decode()
        value = json.loads(text)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()  # half a character, which nothing could print
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return _as_object(value)


def _as_object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004  # a ValueError, like all that is wrong with an answer
    return value


def _objects(of: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    value = of.get(key)
    if not isinstance(value, list | None):
        raise ValueError(f"{key} is not a list")  # noqa: TRY004  # a ValueError, like all that is wrong with an answer
    return [_as_object(item) for item in value or ()]


def _capabilities(value: Any) -> tuple[str, ...] | None:
    """Return what a server reports beside the model, and None for anything else: nothing depends on it."""
    return tuple(name for name in value if isinstance(name, str)) if isinstance(value, list) else None


def _context_length(info: Any) -> int:
    """Return the context length in the metadata of weights, and 0 for anything else: nothing depends on it."""
    known = info if isinstance(info, dict) else {}
    value = known.get(f"{known.get('general.architecture')}.context_length")
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _HIGHEST else 0


def _text(of: Mapping[str, Any], key: str, *, required: bool = False) -> str:
    value = of.get(key, None if required else "")
    if not isinstance(value, str):
        raise ValueError(f"{key} is not a text")  # noqa: TRY004  # the same
    return value


def _number(of: Mapping[str, Any], key: str, *, required: bool = False) -> int:
    value = of.get(key, None if required else 0)
    if not isinstance(value, int) or isinstance(value, bool) or not -_HIGHEST <= value <= _HIGHEST:
        raise ValueError(f"{key} is not a number of bytes")
    return value
