"""Tests of the filter that spares most texts the long pattern of `placeholder`."""

import re

from hypothesis import given
from hypothesis import strategies as st

from modelfile.linter.rules.text.placeholder import _AS_WHOLE, _SIGNS, _has_sign, _is_whole


@given(st.from_regex(re.compile(_AS_WHOLE), fullmatch=True, alphabet=st.characters(codec="ascii")))
def test_each_text_that_is_a_placeholder_as_a_whole_passes_the_filter(text: str) -> None:
    assert _is_whole(text) or (text.startswith("<|") and text.endswith("|>"))


@given(st.from_regex(_SIGNS, alphabet=st.characters(codec="ascii")))
def test_each_text_with_a_sign_passes_the_search_for_literals(text: str) -> None:
    assert _has_sign(text)
