"""The origin of every value of a model."""

from collections.abc import Mapping
from typing import Any

import pytest

from modelfile.catalog.versions import NEWEST, Version
from modelfile.effective import (
    Effective,
    KnownWeights,
    Level,
    Origin,
    OriginKind,
    PromptKind,
    Written,
    effective_model,
)
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message

OLD = Version(0, 9, 3)
TOOLS = "{{ .Tools }}{{ .Prompt }}"
NO_FACTS = KnownWeights()
RENDERER = "qwen3-coder"
CHAT = "{% if tools %}{{ tools }}{% endif %}"
"""A chat template that supports tools."""
MESSAGES = (Message("user", "Hi"),)


def level(name: str, modelfile: Mapping[str, int] | None = None, *, built: bool = True, **fields: Any) -> Level:
    """Return a level; `modelfile` has the lines of its Modelfile, which says all that the model has."""
    model = Model(**fields)
    written = Written(path=f"{name}/Modelfile", model=model, lines=modelfile) if modelfile is not None else None
    return Level(name=name, model=model, modelfile=written, is_built=built)


def source(origin: Origin) -> str:
    return f"{origin.name}:{origin.line}" if origin.line else f"{origin.kind} {origin.name}"


def test_a_value_comes_from_the_deepest_level_that_has_it_all_the_way_down() -> None:
    found = effective_model(
        [
            level("top", system="S", template=TOOLS, requires="0.14.0", parameters={"top_k": 1, "seed": 2.0}),
            level("middle", system="S", template=TOOLS, parameters={"top_k": 1, "seed": 3}),
            level("bottom", system="T", template=TOOLS, parameters={"top_k": 1, "seed": 2.0}),
        ]
    )
    assert {name: source(origin) for name, origin in found.origins.items()} == {
        "system": "model middle",
        "template": "model bottom",
        "requires": "model top",
    }
    assert {name: (value, source(origin)) for name, (value, origin) in found.parameters.items()} == {
        "top_k": (1, "model bottom"),
        "seed": (2.0, "model top"),
    }


def test_a_line_counts_even_if_the_base_has_the_same_value() -> None:
    bot = level("bot", {"system": 3, "parameter top_k": 4}, system="S", parameters={"top_k": 1})
    found = effective_model([bot, level("base", system="S", parameters={"top_k": 1})])
    assert source(found.origins["system"]) == "bot/Modelfile:3"
    assert source(found.parameters["top_k"][1]) == "bot/Modelfile:4"


def test_a_line_counts_only_if_the_model_has_its_value() -> None:
    bot = replace_model(level("bot", {"system": 3}, system="new"), Model(system="old"))
    found = effective_model([bot])
    assert source(found.origins["system"]) == "model bot"


def replace_model(of: Level, model: Model) -> Level:
    return Level(name=of.name, model=model, modelfile=of.modelfile, is_built=of.is_built)


def test_a_value_that_no_line_sets_comes_from_the_weights() -> None:
    bot = Level(
        name="Modelfile",
        model=Model(weights=("sha256:1",), template=TOOLS, parameters={"stop": ("<e>",)}),
        modelfile=Written(
            path="Modelfile",
            model=Model(weights=("sha256:1",), template=TOOLS),
            lines={"weights": 1, "template": 2},
        ),
        is_built=False,
    )
    found = effective_model([bot])
    assert source(found.files["sha256:1"]) == "Modelfile:1"
    assert source(found.origins["template"]) == "Modelfile:2"
    assert found.parameters["stop"][1].kind is OriginKind.WEIGHTS


def test_files_and_licenses_have_an_origin_each() -> None:
    bot = level("bot", weights=("w", "p"), adapters=("a", "b"), drafts=("d",), license="MIT License\nOurs.\nApache-2.0")
    found = effective_model([bot, level("base", weights=("w",), adapters=("a",), license="MIT License\nOurs.")])
    assert {digest: origin.name for digest, origin in found.files.items()} == {
        "w": "base",
        "p": "bot",
        "a": "base",
        "b": "bot",
        "d": "bot",
    }
    assert {name: origin.name for name, origin in found.licenses.items()} == {"MIT": "base", "Apache-2.0": "bot"}


def test_inherited_parts_are_replaceable_or_stay() -> None:
    base = level("base", template=TOOLS, system="S", messages=MESSAGES, license="MIT", parameters={"stop": ("a",)})
    bot = level("bot", template=TOOLS, system="S", messages=MESSAGES, license="MIT", parameters={"stop": ("a",)})
    found = effective_model([bot, base])
    assert (found.replaceable, found.added) == (("template", "system", "messages", "stop"), ("license",))
    other = level("bot", system="T", license="MIT", parameters={"stop": ("b",)})
    assert (effective_model([other, base]).replaceable, effective_model([other, base]).added) == ((), ("license",))
    assert (effective_model([base]).replaceable, effective_model([base]).added) == ((), ())


def test_defaults_are_those_of_the_version() -> None:
    bot = level("bot", parameters={"top_k": 1})
    old, new = effective_model([bot], ollama=OLD), effective_model([bot], ollama="0.32.15")
    assert (old.defaults["repeat_penalty"], new.defaults["repeat_penalty"]) == (1.1, 1.0)
    assert (old.defaults["num_ctx"], new.defaults["num_ctx"]) == (4096, None)
    assert "top_k" not in old.defaults
    assert (old.ollama, effective_model([bot], ollama="strange").ollama) == (OLD, NEWEST)
    assert "stop" not in effective_model([bot], undecided=["parameter stop"]).defaults


KNOWN = KnownWeights(chat_template=CHAT, recognized="chatml")


@pytest.mark.parametrize(
    ("model", "weights", "version", "kind", "reason"),
    [
        (
            Model(renderer=RENDERER, template=TOOLS),
            NO_FACTS,
            NEWEST,
            "renderer",
            "it is code in Ollama, and",
        ),
        (Model(renderer=RENDERER), NO_FACTS, NEWEST, "renderer", "it is code in Ollama"),
        (
            Model(renderer=RENDERER),
            NO_FACTS,
            OLD,
            "renderer",
            "Ollama 0.9.3 does not have it, so that chats fail",
        ),
        (
            Model(renderer="no"),
            NO_FACTS,
            NEWEST,
            "renderer",
            f"Ollama {NEWEST} does not",
        ),
        (Model(template=TOOLS), NO_FACTS, OLD, "template", ""),
        (Model(), NO_FACTS, NEWEST, "none", "the model has no template"),
        (
            Model(template="{% x %}"),
            NO_FACTS,
            NEWEST,
            "chat-template",
            "the server shows it in place of a template",
        ),
        (Model(template="{% x %}"), NO_FACTS, OLD, "template", ""),
        (Model(template="{{ .Prompt }}!"), KNOWN, NEWEST, "chat-template", "it supports tools, and the template of"),
        (Model(template="{{ .Prompt }}!"), KNOWN, OLD, "template", ""),
        (Model(template="{{ .Prompt }}!", parser="p"), KNOWN, NEWEST, "template", ""),
        (Model(template=TOOLS), KNOWN, NEWEST, "template", ""),
        (Model(), KnownWeights(chat_template=CHAT), NEWEST, "chat-template", "the model has no other template"),
    ],
)
def test_what_makes_the_prompts(model: Model, weights: KnownWeights, version: Version, kind: str, reason: str) -> None:
    prompt = effective_model([Level(name="bot", model=model)], ollama=version, weights=weights).prompt
    assert (str(prompt.kind), prompt.reason[: len(reason)]) == (kind, reason)
    assert bool(prompt.reason) == bool(reason)


@pytest.mark.parametrize(
    ("weights", "version", "kind", "name"),
    [
        (KNOWN, OLD, PromptKind.TEMPLATE, "chatml"),
        (KNOWN, NEWEST, PromptKind.TEMPLATE, "chatml"),
        (KnownWeights(chat_template=CHAT), OLD, PromptKind.NONE, ""),
        (KnownWeights(chat_template=CHAT), NEWEST, PromptKind.CHAT_TEMPLATE, ""),
        (KnownWeights(chat_template=CHAT, recognized=None), OLD, PromptKind.UNKNOWN, ""),
        (KnownWeights(chat_template=CHAT, recognized=None), NEWEST, PromptKind.UNKNOWN, ""),
        (KnownWeights(chat_template=""), OLD, PromptKind.NONE, ""),
        (NO_FACTS, OLD, PromptKind.UNKNOWN, ""),
    ],
)
def test_what_makes_the_prompts_of_weights_without_template(
    weights: KnownWeights, version: Version, kind: PromptKind, name: str
) -> None:
    prompt = effective_model([level("bot")], ollama=version, weights=weights, undecided=["template"]).prompt
    assert (prompt.kind, prompt.name) == (kind, name)
    assert prompt.reason


def capabilities(*levels: Level, **options: Any) -> dict[str, str]:
    found: Effective = effective_model(levels, **options)
    return {each.name: each.reason for each in found.capabilities}


def test_reported_capabilities_with_their_reasons() -> None:
    reported = ("completion", "tools", "vision", "thinking")
    bot = Level(name="bot", model=Model(template=TOOLS, weights=("w", "p")), capabilities=reported)
    assert capabilities(bot) == {
        "completion": "",
        "tools": "the template uses .Tools",
        "vision": "the model has a projector",
        "thinking": "from the weights",
    }
    bot = Level(name="bot", model=Model(parser="qwen3"), capabilities=("completion", "thinking"))
    assert capabilities(bot) == {"completion": "", "thinking": "from PARSER qwen3"}
    bot = Level(name="bot", model=Model(template=TOOLS), capabilities=("embedding",))
    assert capabilities(bot) == {"embedding": ""}


def test_expected_capabilities_are_those_of_the_base_but_for_the_template() -> None:
    base = Level(name="base", model=Model(template=TOOLS), capabilities=("completion", "tools", "vision", "thinking"))
    same = level("bot", built=False, template=TOOLS)
    assert [*capabilities(same, base)] == ["completion", "tools", "vision", "thinking"]
    other = level("bot", built=False, template="{{ .Prompt }}{{ .Suffix }}")
    assert capabilities(other, base) == {
        "completion": "",
        "vision": "from the weights",
        "insert": "the template uses .Suffix",
    }


def test_capabilities_that_nothing_reports() -> None:
    assert capabilities(level("bot", template=TOOLS)) == {"completion": "", "tools": "the template uses .Tools"}
    assert capabilities(level("bot"), undecided=["template"]) == {}
    assert capabilities(level("bot", weights=("w", "p")), undecided=["template"]) == {
        "vision": "the model has a projector"
    }
