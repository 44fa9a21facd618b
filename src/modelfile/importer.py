"""A Modelfile of a model that is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from modelfile.differ import compare_models
from modelfile.errors import InputError
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model
from modelfile.recipe.recipe import resolve
from modelfile.recipe.values import ParameterValue
from modelfile.source import Source
from modelfile.stores.protocol import StoredModel
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.quoting import quote


def export(stored: StoredModel) -> str:
    """A Modelfile that builds the same model FROM this one, as a beginning for changes.

    Weights, adapters and licences come with FROM: a licence said again would be there twice. What no Modelfile can say
    comes with FROM too, and is told in a comment.
    """
    head = (
        f"# What {stored.name} holds. Its weights, adapters and licences come with FROM; it was",
        f"# {stored.digest}",
        f"FROM {stored.name}",
    )
    return "".join(f"{line}\n" for line in (*head, *_lines(stored.model)))


def _lines(model: Model) -> Iterator[str]:
    for name, value in sorted(model.parameters.items()):
        yield _said(model, *((f"PARAMETER {name}", text) for text in _texts(value)))
    texts = (
        ("TEMPLATE", model.template if model.template != DEFAULT_TEMPLATE else ""),
        ("SYSTEM", model.system),
        ("RENDERER", model.renderer),
        ("PARSER", model.parser),
        ("REQUIRES", model.requires),
    )
    yield from (_said(model, said) for said in texts if said[1])
    if model.messages:
        yield _said(model, *((f"MESSAGE {turn.role}", turn.content) for turn in model.messages))


def _said(model: Model, *said: tuple[str, str]) -> str:
    """Instructions, all or none of them: stops and messages that are said replace all that come with FROM."""
    try:
        lines = "\n".join(f"{words} {quote(text)}" for words, text in said)
        modelfile = Modelfile.parse(Source(text=f"FROM base:v1\n{lines}\n"))
        recipe = resolve(modelfile, Path())
    except InputError as error:
        return _unsaid(said[0][0], error.message)
    if said[0][0].startswith("PARAMETER") and not recipe.parameters:
        return _unsaid(said[0][0], "Ollama drops it")
    if modelfile.diagnostics or compare_models(model, model.with_recipe(recipe, {})):
        return _unsaid(said[0][0], "Ollama would read something else")
    return lines


def _unsaid(words: str, why: str) -> str:
    comment = f"# {words} comes with FROM, for no Modelfile can say it: {why}"
    return "".join(character if character.isprintable() else " " for character in comment)


def _texts(value: ParameterValue) -> tuple[str, ...]:
    match value:
        case tuple():
            return value
        case bool():
            return (str(value).lower(),)
        case _:
            return (str(int(value)) if float(value).is_integer() else repr(value),)
