"""The key and other secrets, in what a server says."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.stores.network.credentials import Credentials

KEY = "geheim/0123+456789?~"
FORMS = [
    KEY,
    quote(KEY, safe=""),
    KEY.encode().hex(),
    *(b64encode(b"x" * before + KEY.encode() + b"yz").decode() for before in range(3)),
    urlsafe_b64encode(f"user:{KEY}".encode()).decode(),
]


@pytest.mark.parametrize("form", FORMS)
def test_the_key_is_redacted_in_every_form(form: str) -> None:
    cleaned = Credentials(KEY).clean(f"bad key <{form}>")
    assert "[redacted]" in cleaned
    assert KEY not in cleaned
    assert form[2:-2] not in cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("pull model manifest: file does not exist", "pull model manifest: file does not exist"),
        ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
        ('Get "https://user:pass@r.example/v2/"', 'Get "https://[redacted]@r.example/v2/"'),
        (
            'Get "https://r.example/data?X-Amz-Date=1&X-Amz-Signature=abc": EOF',
            'Get "https://r.example/data?X-Amz-Date=[redacted]&X-Amz-Signature=[redacted]": EOF',
        ),
        (
            "https://ollama.com/token?nonce=a&scope=repository:library/x:pull&service=ollama.com&ts=1",
            "https://ollama.com/token?nonce=[redacted]&scope=repository:library/x:pull&service=ollama.com&ts=1",
        ),
        ("\x1b[31m\r\n::error::", "<U+001B>[31m<U+000D><U+000A>::error::"),
        ("x" * 5000, "x" * 2000),
        ("what? a=b", "what? a=b"),
    ],
)
def test_messages(text: str, cleaned: str) -> None:
    assert Credentials("").clean(text) == cleaned


def test_a_placeholder_is_no_secret() -> None:
    assert Credentials("ollama").clean("ollama/x refused") == "ollama/x refused"
    assert not Credentials("ollama").is_in(b'{"name": "ollama"}')


@pytest.mark.parametrize(
    "answer", [KEY, json.dumps({"system": f"hi {KEY}"}), '{"a": "' + "".join(f"\\u{ord(c):04x}" for c in KEY) + '"}']
)
def test_an_answer_with_the_key(answer: str) -> None:
    assert Credentials(KEY).is_in(answer.encode())
    assert not Credentials("").is_in(answer.encode())
    assert not Credentials("another key").is_in(answer.encode())


@given(st.text(), st.text(min_size=8), st.text())
def test_no_message_shows_the_key(before: str, key: str, after: str) -> None:
    assert key not in Credentials(key).clean(before + key + after) or key in "[redacted]" or not key.isprintable()
