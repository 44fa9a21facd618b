"""Refusals of registries in our words."""

import pytest

from modelfile.errors import RegistryRefused, RegistryUnreachable
from modelfile.stores.network.credentials import Credentials
from modelfile.stores.registry.refusals import Refusals, codes_of, message_of

FAILURES = Refusals("the manifest of llama3.2:3b", "registry.ollama.ai", Credentials("secret-0123456789"))
SPECIFIED = b'{"errors":[{"code":"DENIED","message":"no","detail":1},{"code":"X"},1,{"message":"m"},{"code":"Y"}]}'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (SPECIFIED, "DENIED no; X; m"),
        (b'{"error":"rate limited"}', "rate limited"),
        (b'{"message":"x"}', "x"),
        (b"404 page not found\n", "404 page not found"),
        (b"a\nb", ""),
        (b"<html>", ""),
        (b"[]", ""),
        (b'{"errors":{}}', ""),
        (b"\xff", "\ufffd"),
    ],
)
def test_messages_of_answers(body: bytes, message: str) -> None:
    assert message_of(body) == message


@pytest.mark.parametrize(("body", "codes"), [(SPECIFIED, {"DENIED", "X", "Y"}), (b"[]", set()), (b"{", set())])
def test_codes_of_answers(body: bytes, codes: set[str]) -> None:
    assert codes_of(body) == codes


@pytest.mark.parametrize(
    ("status", "kind", "message", "hint"),
    [
        (401, RegistryRefused, "denies access (HTTP 401: x)", "log in"),
        (403, RegistryRefused, "denies access (HTTP 403: x)", "log in"),
        (429, RegistryRefused, "gets too many requests (HTTP 429: x)", "run the command again in 9 s"),
        (503, RegistryUnreachable, "has failed (HTTP 503: x)", "it does not work now: run the command again later"),
        (
            412,
            RegistryRefused,
            "rejects the request (HTTP 412: x)",
            "upgrade mf: the model requires a newer Ollama than it knows",
        ),
    ],
)
def test_statuses(status: int, kind: type, message: str, hint: str) -> None:
    error = FAILURES.of_status(status, b"x", "log in", 9.0)
    assert type(error) is kind
    assert error.message == f"cannot read the manifest of llama3.2:3b: registry.ollama.ai {message}"
    assert error.hint == hint


def test_secrets_and_control_characters_of_answers() -> None:
    error = FAILURES.of_status(400, b"see https://u:p@x/?sig=abc secret-0123456789 \x1b[2J", "", None)
    assert "secret" not in error.message
    assert "abc" not in error.message
    assert "\x1b" not in error.message
