"""Values as Go prints them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.values import go_quote

from modelfile.errors import ServerError
from modelfile.stores.ollama.go_syntax import read_parameters, unquote

ANY = "."  # what is wrong with it is nobody's business


def test_parameters_of_every_kind() -> None:
    lines = (
        'stop                           "<a>"',
        "top_k                          5",
        'stop                           "b c"',
        "temperature                    1e-07",
        "use_mmap                       true",
        "short 7",
        "word                           plain",
    )
    assert read_parameters("\n".join(lines)) == {
        "stop": ("<a>", "b c"),
        "top_k": 5.0,
        "temperature": 1e-07,
        "use_mmap": True,
        "short": 7.0,
        "word": ("plain",),
    }
    assert read_parameters("") == {}
    with pytest.raises(ServerError, match="shows a parameter that cannot be read"):
        read_parameters('stop                           "a')


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_go_quotes_is_read_back(text: str) -> None:
    assert unquote(go_quote(text)) == text


@pytest.mark.parametrize(
    "text", ["", '"', "x", '"a"b"', '"\\q"', '"\\x0"', '"\\ud800"', '"\\U00110000"', '"\\Uffffffff"', '"a\nb"', "'a'"]
)
def test_what_go_does_not_quote_so(text: str) -> None:
    with pytest.raises(ValueError, match=ANY):
        unquote(text)
