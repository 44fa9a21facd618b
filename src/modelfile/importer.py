"""Modelfiles of stored models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelfile.differ.models import compare_models
from modelfile.errors import InputError
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model
from modelfile.recipe.recipe import resolve
from modelfile.recipe.values import ParameterValue
from modelfile.source import Source
from modelfile.stores.protocol import StoredModel
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.quoting import quote


def export(stored: StoredModel) -> str:
    """Return a Modelfile that builds the same model FROM this one, as a starting point for changes.

    Weights, adapters and licenses are inherited from the base: a repeated LICENSE would be added to it. What a
    Modelfile cannot express is inherited too, with a comment that says so.
    """
    head = (
        f"# Exported from {stored.name}; weights, adapters and licenses are inherited from it. Its digest was",
        f"# {stored.digest}",
        f"FROM {stored.name}",
    )
    return "".join(f"{line}\n" for line in (*head, *_lines(stored.model)))


def _lines(model: Model) -> Iterator[str]:
    for name, value in sorted(model.parameters.items()):
        yield _write(model, *((f"PARAMETER {name}", text) for text in _texts(value)))
    texts = (
        ("TEMPLATE", model.template if model.template != DEFAULT_TEMPLATE else ""),
        ("SYSTEM", model.system),
        ("RENDERER", model.renderer),
        ("PARSER", model.parser),
        ("REQUIRES", model.requires),
    )
    yield from (_write(model, text) for text in texts if text[1])
    if model.messages:
        yield _write(model, *((f"MESSAGE {message.role}", message.content) for message in model.messages))


def _write(model: Model, *instructions: tuple[str, str]) -> str:
    """Write all instructions of a kind, or none: those written replace all that the base has."""
    try:
        lines = "\n".join(f"{words} {quote(text)}" for words, text in instructions)
        modelfile = Modelfile.parse(Source(text=f"FROM base:v1\n{lines}\n"))
        recipe = resolve(modelfile, Path())
    except InputError as error:
        return _omit(instructions[0][0], error.message)
    if instructions[0][0].startswith("PARAMETER") and not recipe.parameters:
        return _omit(instructions[0][0], "Ollama drops it")
    if modelfile.diagnostics or compare_models(model, model.with_recipe(recipe, {})):
        return _omit(instructions[0][0], "Ollama would read it differently")
    return lines


def _omit(words: str, reason: str) -> str:
    comment = f"# {words} is inherited, as no Modelfile can express it: {reason}"
    return "".join(character if character.isprintable() else " " for character in comment)


def _texts(value: ParameterValue) -> tuple[str, ...]:
    match value:
        case tuple():
            return value
        case bool():
            return (str(value).lower(),)
        case _:
            return (str(int(value)) if float(value).is_integer() else repr(value),)
