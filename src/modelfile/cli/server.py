"""The Ollama server that a command talks to."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from typing import Annotated, TypeAlias

import typer

from modelfile.names import server_url
from modelfile.report.terminal import print_warning
from modelfile.stores.protocol import Store

Host: TypeAlias = Annotated[
    str | None,
    typer.Option("--host", metavar="URL", help="The Ollama server; else OLLAMA_HOST, else http://127.0.0.1:11434."),
]


@functools.cache
def url_of(address: str) -> str:
    """The URL of a server by its address; a port that Ollama takes for another is told once.

    Raises:
        UsageError: The address is none.
    """
    return server_url(address, print_warning)


@contextlib.contextmanager
def open_store(host: str | None) -> Iterator[Store]:
    """The models of the server that is meant.

    Raises:
        UsageError: The address is none.
    """
    url = url_of(host if host is not None else os.environ.get("OLLAMA_HOST", ""))
    key = os.environ.get("OLLAMA_API_KEY", "")
    with contextlib.ExitStack() as closing:

        def open_in_earnest(*, known: bool = False) -> Store:
            from modelfile.stores.ollama.client import Client  # httpx and pydantic: 150 ms that a lint does not need
            from modelfile.stores.ollama.store import ServerStore

            return ServerStore(closing.enter_context(Client(url, key=key, known=known)))

        if key:  # a gate wants to see it with every request
            yield open_in_earnest()
            return
        from modelfile.stores.ollama.lazy import QuickStore

        quick = QuickStore(url, lambda: open_in_earnest(known=quick.answered))
        yield closing.enter_context(contextlib.closing(quick))
