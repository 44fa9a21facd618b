"""Stores that are opened when they are first used."""

from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar

import pytest
from tests.support.silent import SilentStore

from modelfile.errors import InputError, ServerUnreachable
from modelfile.names import ModelName
from modelfile.stores.lazy import first_to_answer, lazy
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import StoreLocation

NAME = ModelName.parse("bot:v1")


def test_it_is_opened_once_when_several_threads_need_it() -> None:
    setting = ContextVar("setting", default="")
    setting.set("of the command")
    opened: list[str] = []

    def open_one() -> MemoryStore:
        opened.append(setting.get())
        return MemoryStore()

    store = lazy(open_one)
    assert opened == []
    with ThreadPoolExecutor(8) as threads:
        assert {*threads.map(lambda _: store.ollama, range(32))} == {"0.9.3"}
    assert opened == ["of the command"]


def test_what_is_known_is_answered_without_it() -> None:
    def fail() -> MemoryStore:
        raise InputError("no such folder")

    store = lazy(fail, location=StoreLocation(url="/srv/models"))
    assert store.location.where == "in /srv/models"
    for _ in range(2):
        with pytest.raises(InputError, match="no such folder"):
            store.list()


def test_the_first_that_answers() -> None:
    server, folder = MemoryStore(), MemoryStore(url="/srv/models")
    assert first_to_answer(server, lambda _: folder) is server
    errors: list[str] = []

    def instead(error: ServerUnreachable) -> MemoryStore:
        errors.append(error.message)
        return folder

    assert first_to_answer(SilentStore(), instead) is folder
    assert errors == ["no Ollama server answers at http://127.0.0.1:11434"]


def test_if_none_answers_each_request_is_the_error_of_the_server() -> None:
    store = first_to_answer(SilentStore(url="http://server"), lambda _: None)
    assert str(store.location) == "http://server"
    store.interrupt()
    for request in (lambda: store.ollama, lambda: store.list(), lambda: store.find(NAME)):  # noqa: PLW0108  # later
        with pytest.raises(ServerUnreachable, match="no Ollama server answers at http://server"):
            request()
