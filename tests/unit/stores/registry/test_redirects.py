"""Targets of redirects: which are followed, and which are not."""

import httpx
import pytest

from modelfile.errors import InvalidRegistryAnswer
from modelfile.stores.registry.exchange import Question
from modelfile.stores.registry.quirks import STANDARD
from modelfile.stores.registry.redirects import LONGEST_URL, is_local, origin, target_of
from modelfile.stores.registry.refusals import Refusals

URL = httpx.URL("https://registry.example/v2/team/bot/blobs/x")


def target(location: str, *, plain: bool = False, loopback: bool = False) -> str:
    question = Question(
        url=str(URL),
        host="registry.example",
        repository="team/bot",
        quirks=STANDARD,
        plain=plain,
        loopback=loopback,
        what="x",
    )
    return str(target_of(URL, location, question, Refusals("x", "registry.example")))


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/there", "https://registry.example/there"),
        ("y?a=b", "https://registry.example/v2/team/bot/blobs/y?a=b"),
        ("https://cdn.example/a?sig=%2F", "https://cdn.example/a?sig=%2F"),
        ("//cdn.example/a", "https://cdn.example/a"),
        ("https://user:pw@cdn.example/a", "https://cdn.example/a"),
        ("https://registry.example:8443/a", "https://registry.example:8443/a"),
    ],
)
def test_redirects_are_followed(location: str, expected: str) -> None:
    assert target(location) == expected


@pytest.mark.parametrize(
    "location",
    [
        "http://registry.example/a",
        "ftp://registry.example/a",
        "https://[::1/a",
        "https://127.0.0.1/a",
        "https://10.0.0.1/a",
        "https://localhost/a",
        "https://2130706433/a",
        "https://cdn.example/" + "a" * LONGEST_URL,
    ],
)
def test_redirects_that_are_not_followed(location: str) -> None:
    with pytest.raises(InvalidRegistryAnswer, match=r"registry\.example redirects "):
        target(location)


def test_registry_of_this_machine_may_redirect_to_it_over_plain_http() -> None:
    assert target("http://localhost:5001/a", plain=True, loopback=True) == "http://localhost:5001/a"


def test_origin_and_this_machine() -> None:
    assert origin(URL) == origin(httpx.URL("https://registry.example:443/other")) != origin(httpx.URL("https://x/"))
    assert is_local("127.0.0.2")
    assert is_local("a.localhost")
    assert not is_local("registry.example")
