"""Effective models as text and as JSON."""

import io
from typing import Any

import pytest

from modelfile.catalog.versions import NEWEST, Version
from modelfile.effective import KnownWeights, Level, Written, effective_model
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.report.effective import effective_as_json, print_effective
from modelfile.report.terminal import Terminal

OLD = Version(0, 9, 3)


def printed(
    *levels: Level, width: int = 0, everything: bool = False, made: str | None = "mf1:1", **options: Any
) -> str:
    """Return what is printed of levels in a width; 0: as to a pipe."""
    out = io.StringIO()
    terminal = Terminal(io.StringIO(), out, io.StringIO(), {"COLUMNS": str(width)} if width else {})
    found = effective_model(levels, ollama=options.pop("ollama", OLD), **options)
    name = levels[0].name
    print_effective(
        found, name=name, asked=str(name), fingerprint=made, digest=None, terminal=terminal, everything=everything
    )
    return out.getvalue()


def row(text: str, title: str) -> str:
    """Return the rows of a title, joined."""
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith(f"  {title} "))
    found = [lines[at][16:]]
    for line in lines[at + 1 :]:
        if not line.startswith(" " * 16):
            break
        found.append(line.strip())
    return " ".join(found)


BASE = Level(name="base:v1", model=Model(weights=("sha256:1",), license="MIT License", parameters={"num_ctx": 512}))
BOT = Level(
    name="bot/Modelfile",
    model=Model(weights=("sha256:1",), license="MIT License", system="Be.", parameters={"num_ctx": 512, "top_k": 5}),
    modelfile=Written(
        path="bot/Modelfile",
        model=Model(system="Be.", parameters={"top_k": 5}),
        lines={"weights": 1, "system": 2, "parameter top_k": 3},
    ),
    is_built=False,
)
WEIGHTS = KnownWeights(family="llama", size="3.2B", quantization="Q4_K_M", context_length=131_072)


def test_a_modelfile_on_a_base() -> None:
    assert (
        printed(BOT, BASE, weights=WEIGHTS)
        == """\
bot/Modelfile
  fingerprint   mf1:1
  ollama        0.9.3, whose defaults and behavior count here
  base          base:v1
  weights       llama, 3.2B parameters, Q4_K_M
                sha256:1 (base:v1)
  context       512 tokens (num_ctx, base:v1); the weights were trained for 131,072
  capabilities  completion
  prompts       sent as they are: the model has no template
  license       MIT (base:v1)
  inherited     num_ctx: can be replaced, not cleared
                license: can only be added to

PARAMETER       VALUE  FROM
num_ctx         512    base:v1
top_k           5      bot/Modelfile:3
num_predict     -1     Ollama's default
repeat_penalty  1.1    Ollama's default
temperature     0.8    Ollama's default
top_p           0.9    Ollama's default
and 13 more with their defaults: `mf show bot/Modelfile --all`

system (bot/Modelfile:2)
  Be.
"""
    )


@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_line_is_longer_than_the_terminal_but_for_digests(width: int) -> None:
    digest = f"sha256:{'1' * 64}"
    model = Model(weights=(digest,), parameters={"stop": ("<|end_of_text|>",) * 9})
    text = printed(Level(name="bot:v1", model=model), width=width, weights=WEIGHTS, ollama=NEWEST)
    assert [
        line for line in text.split("\n") if len(line) > width and digest not in line and "`mf show" not in line
    ] == []


def test_a_single_model_does_not_repeat_that_values_are_its_own() -> None:
    bot = Level(name="bot:v1", model=Model(template="a {{ .Prompt }}", license="Ours.", requires="0.14.0", parser="p"))
    text = printed(bot)
    assert [row(text, title) for title in ("prompts", "license", "requires", "parser")] == [
        "the template below",
        "Ours.",
        "0.14.0",
        "p",
    ]
    assert "\ntemplate\n  a {{ .Prompt }}\n" in text
    assert "this model" in printed(bot, Level(name="base:v1", model=Model()))


def test_the_context() -> None:
    def context(parameters: dict[str, Any], weights: KnownWeights, version: Version = OLD) -> str:
        return row(
            printed(Level(name="b", model=Model(parameters=parameters)), weights=weights, ollama=version), "context"
        )

    small = KnownWeights(context_length=128)
    assert context({}, KnownWeights()) == "4,096 tokens (default of Ollama 0.9.3)"
    assert context({"num_ctx": 128.0}, small) == "128 tokens (num_ctx, this model); the weights were trained for 128"
    assert (
        context({"num_ctx": 512}, small)
        == "512 tokens (num_ctx, this model), more than the 128 that the weights were trained for"
    )
    assert context({}, KnownWeights(), NEWEST).endswith(" (num_ctx is not set)")


def test_what_only_a_build_can_tell() -> None:
    bot = Level(name="Modelfile", model=Model(), is_built=False)
    text = printed(bot, made=None, undecided=["weights", "template", "parameter stop"])
    assert row(text, "fingerprint") == "only a build can tell"
    assert row(text, "weights") == "their digest is known after a build"
    assert row(text, "prompts") == "only a build can tell what Ollama takes from the weights"
    assert row(text, "capabilities") == "only a build can tell"
    assert "\nstop            only a build can tell  the weights\n" in text


def test_makers_of_prompts() -> None:
    def prompts(model: Model, version: Version = OLD, **options: Any) -> str:
        return row(printed(Level(name="b", model=model), ollama=version, **options), "prompts")

    assert prompts(Model(renderer="qwen3-coder"), NEWEST) == "RENDERER qwen3-coder: it is code in Ollama"
    assert prompts(Model(template="{% x %}"), NEWEST).startswith("the chat template inside the weights: the server")
    chat = KnownWeights(chat_template="x", recognized="chatml")
    assert prompts(Model(), weights=chat, undecided=["template"]).startswith(
        "the template chatml: Ollama's own, because"
    )


def test_long_texts_are_shortened_unless_all_is_asked_for() -> None:
    lines, long = "\n".join(f"line {number}" for number in range(20)), "x" * 5_000
    bot = Level(name="a b", model=Model(template=f"{lines}{{{{ .Prompt }}}}", system=long))
    text = printed(bot)
    assert "  line 11\n  … 8 more lines: `mf show 'a b' --all`\n" in text
    assert f"  {'x' * 1_200}\n  … 3.8 kB more: `mf show 'a b' --all`\n" in text
    everything = printed(bot, everything=True)
    assert "  line 19{{ .Prompt }}\n" in everything
    assert f"  {long}\n" in everything
    assert "…" not in everything
    rows = [" ".join(line.split()) for line in everything.splitlines()]
    assert {"typical_p 1 Ollama's default", "stop none Ollama's default"} <= {*rows}


def test_messages_and_control_characters() -> None:
    messages = (Message("user", "a\nb\x1b[31m"), Message("assistant", "c"))
    bot = Level(name="bot:v1", model=Model(system="\x07\r\nx", messages=messages, parameters={"stop": ("\x1b",)}))
    text = printed(bot)
    assert "\nmessages\n  user: a\n    b<U+001B>[31m\n  assistant: c\n" in text
    assert "\nsystem\n  <U+0007>\n  x\n" in text
    assert "\x1b" not in text


def test_the_end_of_a_chain() -> None:
    alias = f"base:sha256-{'1' * 64}"
    text = printed(BOT, BASE, end=f"{alias}, which is not found on http://h")
    assert row(text, "base") == "base:v1, built on base:sha256-111111111111…, which is not found on http://h"


def test_json_has_the_origin_of_every_value() -> None:
    found = effective_model([BOT, BASE], ollama=OLD, weights=WEIGHTS, end="x:v1, which is gone")
    document = effective_as_json(found)
    line = {"kind": "modelfile", "name": "bot/Modelfile"}
    base = {"kind": "model", "name": "base:v1", "line": None}
    assert document["origins"] == {
        "system": {**line, "line": 2},
        "licenses": {"MIT": base},
        "files": {"sha256:1": base},
        "parameters": {"num_ctx": base, "top_k": {**line, "line": 3}},
    }
    assert (document["bases"], document["unknown_base"]) == (["base:v1"], "x:v1, which is gone")
    assert document["facts"] == {
        "architecture": "llama",
        "parameters": "3.2B",
        "quantization": "Q4_K_M",
        "context_length": 131_072,
    }
    assert document["inherited"] == {"replaceable": ["num_ctx"], "added": ["license"]}
    assert document["defaults"]["temperature"] == 0.8
