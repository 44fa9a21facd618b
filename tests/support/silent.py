"""A store of a server that does not answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from modelfile.addresses import ServerAddress
from modelfile.errors import ServerUnreachable
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import Store


class SilentStore(MemoryStore):
    """A store whose server does not answer."""

    def __init__(self, url: str = "http://127.0.0.1:11434") -> None:
        """Use the location of a server."""
        super().__init__(url=url)
        self._message = f"no Ollama server answers at {url}"

    def __getattribute__(self, name: str) -> Any:
        if name in ("ollama", "list", "find", "read", "copy", "delete"):
            raise ServerUnreachable(self._message)
        return super().__getattribute__(name)


@contextmanager
def open_silent(address: ServerAddress) -> Iterator[Store]:
    """Open the store of a server that does not answer."""
    yield SilentStore(str(address))
