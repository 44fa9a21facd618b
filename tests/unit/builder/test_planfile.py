"""The differences between a saved plan and the current one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.builder.planfile import differing

KEY = "sk-ant-Zq9mT4vLx82NbWc7RtYpQe31HsKdJf"
PEM = [f"{'aB3xY7qLmN0pRsTuVwZk' * 2}{end}" for end in range(9)]
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers() | st.text("a\n", max_size=200),
    lambda inner: (
        st.lists(inner | st.none(), max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
)


@pytest.mark.parametrize(
    ("then", "now", "lines"),
    [
        (None, {"name": "a"}, ['x.name: nothing then, "a" now']),
        ({"name": "a"}, None, ['x.name: "a" then, nothing now']),
        ({}, None, ["x: {} then, nothing now"]),
        ({"name": None}, {}, []),
        (["a"], None, ['x[0]: "a" then, nothing now']),
        (None, ["a", "b"], ['x[0]: nothing then, "a" now']),
        ([], None, ["x: [] then, nothing now"]),
        (None, [], ["x: nothing then, [] now"]),
        ([None], [], ["x: [null] then, [] now"]),
        ("", None, ['x: "" then, nothing now']),
        (None, "a\nb", [r'x: nothing then, "a\nb" now']),
        ("", "a\nb", [r'x, line 1: nothing then, "a\n" now']),
        ({"a": 1}, [1], ['x: {"a": 1} then, [1] now']),
        ([1], "1", ['x: [1] then, "1" now']),
        (1, True, ["x: 1 then, true now"]),
        ({"do": "create", "request": {}}, {"do": "upload", "size": 1}, ['x.do: "create" then, "upload" now']),
        ({"do": "create", "request": {}}, None, ['x.do: "create" then, nothing now']),
        ([*range(100)], "a", [f'x: [{", ".join(map(str, range(100)))[:79]}… then, "a" now']),
    ],
)
def test_difference_of_two_values(then: Any, now: Any, lines: list[str]) -> None:
    assert [*differing(then, now, "x")] == lines


@pytest.mark.parametrize(
    ("then", "now", "line"),
    [
        (f"{'a ' * 50}{KEY}", "b", f'x: "{"a " * 40}"… then, "b" now'),
        (KEY, f"{KEY[:-1]}g", f'x: "sk-a{"*" * 33}" then, "sk-a{"*" * 33}" now'),
        (
            f"{'a' * 80} {KEY}",
            f"{'a' * 80} {KEY}b",
            f'x: …"{"a" * 42} sk-a{"*" * 33}" then, …"{"a" * 41} sk-a{"*" * 34}" now',
        ),
        (f"{KEY} {'a' * 70}", f"{KEY} {'a' * 69}b", f'x: …"{"*" * 9} {"a" * 70}" then, …"{"*" * 9} {"a" * 69}b" now'),
        (f"a\n{KEY}\n", f"a\n{KEY}b\n", f'x, line 2: "sk-a{"*" * 33}\\n" then, "sk-a{"*" * 34}\\n" now'),
        ([{"a": KEY}], 1, f'x: [{{"a": "sk-a{"*" * 33}"}}] then, 1 now'),
        (
            "\n".join(["-----BEGIN PRIVATE KEY-----", *PEM]),
            "\n".join(["-----BEGIN PRIVATE KEY-----", *PEM[:4], PEM[3], *PEM[5:]]),
            f'x, line 6: "{"*" * 41}\\n" then, "{"*" * 41}\\n" now',
        ),
    ],
)
def test_secrets_in_differences_are_redacted_before_they_are_cut(then: Any, now: Any, line: str) -> None:
    assert [*differing(then, now, "x")] == [line]


@given(VALUES, VALUES)
def test_only_equal_values_have_no_difference(then: Any, now: Any) -> None:
    assert not [*differing(then, then)]
    assert bool([*differing(then, now)]) == (repr(_sorted(then)) != repr(_sorted(now)))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value
