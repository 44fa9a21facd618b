"""A running Ollama server as a store."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from modelfile.errors import NotFound, ServerError
from modelfile.events import Progress
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.recipe.values import ParameterValue
from modelfile.stores.ollama.client import Client
from modelfile.stores.ollama.wire import Show
from modelfile.stores.protocol import ListedModel, StoredModel, held, newest_first

_BLOB: Final = re.compile(r"(FROM|ADAPTER|DRAFT) .*[/\\]blobs[/\\]sha256[-:]([0-9a-f]{64})")
_NAME_WIDTH: Final = 30
_RENDERER_AND_PARSER: Final = re.compile(r"(?:RENDERER (.*)\n)?(?:PARSER (.*)\n)?")


class ServerStore:
    """The models of one Ollama server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def place(self) -> str:
        """The server's URL."""
        return self._client.url

    def version(self) -> str:
        """The server's version."""
        return self._client.version()

    def list(self) -> tuple[ListedModel, ...]:
        """The models that the server has, the newest first."""
        listed = (
            ListedModel(
                name=ModelName.parse(tag.name), digest=f"sha256:{tag.digest}", size=tag.size, modified=tag.modified_at
            )
            for tag in self._client.tags()
        )
        return newest_first(listed)

    def find(self, name: ModelName) -> StoredModel | None:
        """The model of that name, if the server has it; with the name as the server spells it."""
        listed = held(name, self.list())
        if listed is None:
            return None
        try:
            show = self._client.show(str(listed.name))
        except NotFound:
            return None  # removed in between; or 0.9.3 lists a model whose making failed
        return StoredModel(
            name=listed.name, digest=listed.digest, model=read_show(show), quantization=show.details.quantization_level
        )

    def has_blob(self, digest: str) -> bool:
        """Whether the server has these bytes."""
        return self._client.has_blob(digest)

    def put_blob(self, digest: str, path: Path, on_sent: Callable[[int], None]) -> None:
        """Upload a file; the server checks its digest."""
        self._client.push_blob(digest, path, on_sent)
        if not self._client.has_blob(digest):
            raise ServerError(
                f"{self.place} took `{path}` and does not have it", hint="is its disk full? look at the server's log"
            )

    def create(self, name: ModelName, request: Mapping[str, Any]) -> Iterator[Progress]:
        """Make a model."""
        for line in self._client.create(str(name), request):
            yield Progress(status=str(line.status), total=line.total, completed=line.completed)

    def fetch(self, name: ModelName) -> Iterator[Progress]:
        """Pull a model from its registry."""
        for line in self._client.pull(str(name)):
            yield Progress(status=str(line.status), total=line.total, completed=line.completed)

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Give a model another name."""
        self._client.copy(str(source), str(destination))

    def remove(self, name: ModelName) -> None:
        """Take a name away."""
        self._client.delete(str(name))


def read_show(show: Show) -> Model:
    """What a model holds, from the answer to POST /api/show.

    Raises:
        ServerError: The answer does not tell its weights; models that run elsewhere (cloud models) have none.
    """
    header, _, body = show.modelfile.partition("\n\n")
    lines = (body if header.startswith("#") else show.modelfile).split("\n")
    matches = list(itertools.takewhile(bool, map(_BLOB.fullmatch, lines)))
    blobs: dict[str, list[str]] = {"FROM": [], "ADAPTER": [], "DRAFT": []}
    for match in filter(None, matches):
        blobs[match[1]].append(f"sha256:{match[2]}")
    if not blobs["FROM"]:
        raise ServerError("the server does not tell which weights this model has", hint="is it a cloud model?")
    renderer, parser = _renderer_and_parser(show, "\n".join(lines[len(matches) :]))
    return Model(
        weights=tuple(blobs["FROM"]),
        adapters=tuple(blobs["ADAPTER"]),
        drafts=tuple(blobs["DRAFT"]),
        template=show.template,
        system=show.system,
        license=show.license,
        parameters=_read_parameters(show.parameters),
        messages=tuple(Message(message.role, message.content) for message in show.messages or ()),
        renderer=renderer,
        parser=parser,
        requires=show.requires,
    )


def _renderer_and_parser(show: Show, text: str) -> tuple[str, str]:
    """RENDERER and PARSER stand in the shown Modelfile behind the template and the system prompt, and nowhere else."""
    for word, value in (("TEMPLATE", show.template), ("SYSTEM", show.system)):
        for quotes in ("", '"', '"""'):
            line = f"{word} {quotes}{value}{quotes}\n"
            if value and text.startswith(line):
                text = text[len(line) :]
                break
    match = _RENDERER_AND_PARSER.match(text)
    return (match[1] or "", match[2] or "") if match else ("", "")


def _read_parameters(text: str) -> dict[str, ParameterValue]:
    """Parameters as the server prints them: the name, filled up to 30 columns, a blank, and the value in Go's syntax.

    One to a line, in no order; of a list, every item has a line.
    """
    parameters: dict[str, ParameterValue] = {}
    for line in filter(None, text.split("\n")):
        filled = line[_NAME_WIDTH : _NAME_WIDTH + 1] == " "
        name = line[:_NAME_WIDTH].rstrip() if filled else line.partition(" ")[0]
        value = _read_value(line[_NAME_WIDTH + 1 :] if filled else line.partition(" ")[2])
        former = parameters.get(name)
        parameters[name] = value if former is None else (*_texts(former), *_texts(value))
    return parameters


def _texts(value: ParameterValue) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _read_value(text: str) -> ParameterValue:
    if text in ("true", "false"):
        return text == "true"
    try:
        return (str(ast.literal_eval(text)),) if text.startswith('"') else float(text)  # Go's escapes are Python's too
    except SyntaxError as error:
        raise ServerError(f"the server shows a parameter that cannot be read: {text}") from error
    except ValueError:
        return (text,)
