"""Stores and registries that are opened when they are first used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from threading import Lock
from typing import Any, TypeVar, cast

from modelfile.errors import ServerUnreachable
from modelfile.stores.protocol import Store, StoreLocation

_T = TypeVar("_T")


class _Deferred:
    """A stand-in for an object that is made once, when an unknown attribute of it is needed, whatever the thread."""

    def __init__(self, make: Callable[[], Any], known: Mapping[str, Any]) -> None:
        self.__dict__ |= known
        self._make = make
        self._context = copy_context()
        self._lock = Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._context.run(self._make)
        return getattr(self._made, name)


def lazy(make: Callable[[], _T], **known: Any) -> _T:
    """Return a stand-in for what a function makes, which is called once, when the stand-in is first used.

    >>> from modelfile.stores.memory import MemoryStore
    >>> store = lazy(lambda: print("opened") or MemoryStore())
    >>> store.ollama
    opened
    '0.9.3'

    Args:
        make: Opens the store or the registries; an error that it raises is raised by each use, and it is called again.
        known: Attributes that are known without it.
    """
    return cast("_T", _Deferred(make, known))


class _Absent:
    """A store that does not answer."""

    def __init__(self, location: StoreLocation, error: ServerUnreachable) -> None:
        self.location = location
        self._error = error

    def interrupt(self) -> None:
        """End nothing."""

    def __getattr__(self, name: str) -> Any:
        raise self._error


def first_to_answer(server: Store, instead: Callable[[ServerUnreachable], Store | None]) -> Store:
    """Return a server's store or, if it does not answer, another.

    The server is asked for its version, which it keeps.

    Args:
        server: The store of the server.
        instead: Returns the other store for the error; None if there is none.

    Returns:
        One of both; or one that raises the error when it is asked for anything but its location.
    """
    try:
        _ = server.ollama
    except ServerUnreachable as error:
        return instead(error) or cast("Store", _Absent(server.location, error))
    return server
