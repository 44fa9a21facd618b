"""The Ollama server that a command talks to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import typer

from modelfile.names import server_url
from modelfile.store.base import Store

Host: TypeAlias = Annotated[
    str | None,
    typer.Option("--host", metavar="URL", help="The Ollama server; else OLLAMA_HOST, else http://127.0.0.1:11434."),
]


@contextlib.contextmanager
def open_store(host: str | None) -> Iterator[Store]:
    """The models of the server that is meant.

    Raises:
        UsageError: The address is none.
    """
    url = server_url(host if host is not None else os.environ.get("OLLAMA_HOST", ""))
    from modelfile.ollama.client import Client  # httpx and pydantic: 150 ms that a lint does not need
    from modelfile.store.server import ServerStore

    with Client(url) as client:
        yield ServerStore(client)
