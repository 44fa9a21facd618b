"""Differences between models and between Modelfiles."""

from pathlib import Path

import pytest

from modelfile.catalog.versions import NEWEST, Version
from modelfile.differ.comparison import Aspect, Category, Change, Impact, NoEffect
from modelfile.differ.models import compare_models, compare_recipes, dropped_capabilities
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


def test_a_message_cannot_look_like_two() -> None:
    one = Model(messages=(Message("user", "a\nassistant: b"),))
    two = Model(messages=(Message("user", "a"), Message("assistant", "b")))
    assert [change.title for change in compare_models(one, two)] == ["message 1", "message 2"]


def test_bases_are_compared_as_names_and_files_as_digests() -> None:
    assert not compare_recipes(Recipe(base="x"), Recipe(base="library/x:latest"), {})
    assert [change.aspect for change in compare_recipes(Recipe(base="x"), Recipe(base="y"), {})] == [Aspect.BASE]
    a, b, c = Path("a"), Path("b"), Path("c")
    digests = {a: "sha256:1", b: "sha256:1", c: "sha256:2"}
    assert not compare_recipes(Recipe(files=(a,)), Recipe(files=(b,)), digests)
    assert compare_recipes(Recipe(files=(a,)), Recipe(files=(c,)), digests)
    (change,) = compare_recipes(Recipe(files=(a,)), Recipe(files=(a,), adapters=(c,)), digests)
    assert (change.aspect, change.old, change.new) == (Aspect.ADAPTER, None, ("sha256:2",))


def one_change(old: Model, new: Model, ollama: Version | None = None) -> Change:
    (change,) = compare_models(old, new, ollama=ollama)
    return change


@pytest.mark.parametrize(
    ("name", "value", "version", "default"),
    [
        ("temperature", 0.8, "0.9.3", 0.8),
        ("repeat_penalty", 1.1, "0.9.3", 1.1),
        ("repeat_penalty", 1.0, "0.33.0", 1.0),
        ("num_ctx", 2048, "0.5.0", 2048),
        ("stop", (), "0.9.3", ()),
    ],
)
def test_a_default_has_no_effect(name: str, value: ParameterValue, version: str, default: ParameterValue) -> None:
    unset, is_set = Model(), Model(parameters={name: value})
    for old, new in ((unset, is_set), (is_set, unset)):
        change = one_change(old, new, Version.parse(version))
        assert (change.no_effect, change.impact, change.default) == (NoEffect.DEFAULT, Impact.TEXT, default)
        assert str(change.ollama) == version


@pytest.mark.parametrize(
    ("name", "value", "version"),
    [
        ("temperature", 0.7, "0.9.3"),
        ("repeat_penalty", 1.1, "0.33.0"),  # the default of older versions
        ("num_ctx", 4096, "0.33.0"),  # chosen by the memory of the GPU
        ("unknown", 1, "0.9.3"),
    ],
)
def test_another_value_than_the_default_has_an_effect(name: str, value: ParameterValue, version: str) -> None:
    change = one_change(Model(), Model(parameters={name: value}), Version.parse(version))
    assert (change.no_effect, change.impact) == (None, Impact.ANSWERS)
    assert one_change(Model(), Model(parameters={"top_k": 1})).ollama == NEWEST


def test_a_default_in_a_modelfile_may_replace_what_its_base_sets() -> None:
    with_default = {"temperature": 0.8}
    (change,) = compare_recipes(Recipe(base="x"), Recipe(base="x", parameters=with_default), {})
    assert (change.no_effect, change.default) == (None, 0.8)
    (change,) = compare_recipes(Recipe(), Recipe(parameters=with_default), {})
    assert change.no_effect is NoEffect.DEFAULT


@pytest.mark.parametrize(
    ("old", "new", "no_effect"),
    [
        ("{{.Prompt}} a", "{{ .Prompt }}{{/* said */}} a", NoEffect.SAME_NODES),
        ("{{- if .System}}{{.System}}{{end}}", "{{- if   .System }}{{ .System }}{{ end }}", NoEffect.SAME_NODES),
        ("{{ .Prompt }}", "{{ .Prompt }} ", None),
        ("{{ .Prompt }} a", "{{ .Prompt -}} a", None),
        ("{{ if .System }}{{ .Prompt }}{{ end }}", "{{ if .System }}{{ end }}{{ .Prompt }}", None),
        ("{{ if .System }}a{{ else }}b{{ end }}", "{{ if .System }}{{ else }}ab{{ end }}", None),
        ("{{ (index .Messages 0).Content }}", "{{ index (.Messages) 0 }}", None),
        ("{{ 1 }}", "{{ 1.0 }}", None),
        ('{{ "a" }}', '{{ "b" }}', None),
        ("{{ .Prompt", "{{.Prompt", None),
    ],
)
def test_a_template_that_is_only_written_otherwise_has_no_effect(
    old: str, new: str, no_effect: NoEffect | None
) -> None:
    change = compare_models(Model(template=old), Model(template=new))[0]
    assert (change.aspect, change.no_effect) == (Aspect.TEMPLATE, no_effect)
    assert change.impact is (Impact.TEXT if no_effect else Impact.ANSWERS)


def test_a_template_beside_a_renderer_has_no_effect() -> None:
    one, two = (Model(template=text, renderer="qwen3-coder") for text in ("{{ .Prompt }}", "{{ .System }}"))
    assert one_change(one, two).no_effect is NoEffect.UNUSED
    assert compare_models(Model(template="{{ .Tools }}"), two)[0].no_effect is None


def test_facts_on_weights_are_compared_if_the_weights_differ() -> None:
    facts = (
        {Aspect.ARCHITECTURE: "llama", Aspect.QUANTIZATION: "F16", Aspect.SIZE: "1B"},
        {Aspect.ARCHITECTURE: "llama", Aspect.QUANTIZATION: "Q4_K_M"},
    )
    one, two = (Model(weights=(digest,)) for digest in ("sha256:1", "sha256:2"))
    assert compare_models(one, one, facts=lambda: pytest.fail("read in vain")) == ()
    changes = [(change.title, change.old, change.new) for change in compare_models(one, two, facts=lambda: facts)]
    assert changes == [("weights", ("sha256:1",), ("sha256:2",)), ("quantization", "F16", "Q4_K_M")]


def test_each_category_has_its_aspects_and_its_impact() -> None:
    new = Model(
        weights=("sha256:1",),
        template="{{ .Tools }}{{ .Prompt }}",
        system="a",
        license="MIT",
        parameters={"top_k": 1, "stop": ("a",)},
        requires="0.14.0",
    )
    assert [(change.title, str(change.category), str(change.impact)) for change in compare_models(Model(), new)] == [
        ("weights", "weights", "answers"),
        ("parameter top_k", "behavior", "answers"),
        ("template", "template", "answers"),
        ("parameter stop", "stop", "interface"),
        ("system", "prompt", "answers"),
        ("requires", "capabilities", "interface"),
        ("capabilities", "capabilities", "interface"),
        ("license", "license", "text"),
    ]
    assert {category.impact.phrase for category in Category} == {
        "may change answers",
        "changes the interface",
        "text only",
    }


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

    def capabilities(before: Model, after: Model) -> list[tuple[str | None, ...]]:
        changes = compare_models(before, after)
        return [each.shown for each in changes if each.aspect is Aspect.CAPABILITIES]

    assert capabilities(one, two) == ([change] if change else [])
    assert capabilities(two, one) == ([change[::-1]] if change else [])
    dropped = [name for name, _ in dropped_capabilities(one, two)]
    assert dropped == ([*{*(change[0] or "").split(", ")} - {*(change[1] or "").split(", "), ""}] if change else [])
