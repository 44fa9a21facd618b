"""Differences between models and between Modelfiles."""

from pathlib import Path

import pytest

from modelfile.differ import (
    Aspect,
    compare_capabilities,
    compare_models,
    compare_recipes,
    dropped_capabilities,
    show_value,
)
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue


@pytest.mark.parametrize(
    ("old", "new", "differ"),
    [(1, 1.0, False), (1, True, True), (0, False, True), (("a",), ("a", "b"), True), (("a",), ("a",), False)],
)
def test_values_are_compared_as_a_server_stores_them(old: ParameterValue, new: ParameterValue, *, differ: bool) -> None:
    changes = compare_models(Model(parameters={"x": old}), Model(parameters={"x": new}))
    assert [(change.aspect, change.name) for change in changes] == [(Aspect.PARAMETER, "x")] * differ


def test_values_are_shown_as_they_are_written() -> None:
    values: list[ParameterValue | None] = [None, True, 2.0, 0.25, ("<é>", '"')]
    assert [show_value(value) for value in values] == [None, "true", "2", "0.25", r'"<é>", "\""']


def test_a_message_cannot_look_like_two() -> None:
    one = Model(messages=(Message("user", "a\nassistant: b"),))
    two = Model(messages=(Message("user", "a"), Message("assistant", "b")))
    (change,) = compare_models(one, two)
    assert change.old != change.new


def test_bases_are_compared_as_names_and_files_as_digests() -> None:
    assert not compare_recipes(Recipe(base="x"), Recipe(base="library/x:latest"), {})
    assert [change.aspect for change in compare_recipes(Recipe(base="x"), Recipe(base="y"), {})] == [Aspect.BASE]
    a, b, c = Path("a"), Path("b"), Path("c")
    digests = {a: "sha256:1", b: "sha256:1", c: "sha256:2"}
    assert not compare_recipes(Recipe(files=(a,)), Recipe(files=(b,)), digests)
    assert compare_recipes(Recipe(files=(a,)), Recipe(files=(c,)), digests)
    (change,) = compare_recipes(Recipe(files=(a,)), Recipe(files=(a,), adapters=(c,)), digests)
    assert (change.aspect, change.old, change.new) == (Aspect.ADAPTER, None, "sha256:2")


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({"template": "{{ .Tools }}{{ .Suffix }}"}, {"template": "{{ .Tools }}"}, ("tools, insert", "tools")),
        ({"template": "{{ .Prompt }}"}, {"template": "{{ .Suffix }}"}, (None, "insert")),
        ({"template": "{{ .Tools }}"}, {"template": "{{ .Tools }}!"}, None),
        ({"template": "{{ .Tools }}", "parser": "qwen3-coder"}, {"template": "{{ .Prompt }}"}, None),
        ({"template": "{{ .Tools }}"}, {"template": "{{ .Prompt }}", "renderer": "qwen3-coder"}, None),
    ],
)
def test_capabilities_are_those_of_the_templates(
    old: dict[str, str], new: dict[str, str], change: tuple[str | None, str | None] | None
) -> None:
    one, two = Model(**old), Model(**new)  # type: ignore[arg-type]  # texts only
    found = [(each.aspect, each.old, each.new) for each in compare_capabilities(one, two)]
    assert found == ([(Aspect.CAPABILITIES, *change)] if change else [])
    backward = [(each.new, each.old) for each in compare_capabilities(two, one)]
    assert backward == ([change] if change else [])
    dropped = [name for name, _ in dropped_capabilities(one, two)]
    assert dropped == ([*{*(change[0] or "").split(", ")} - {*(change[1] or "").split(", "), ""}] if change else [])
