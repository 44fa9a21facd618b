"""Differences between models, and between Modelfiles, by meaning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message, Recipe
from modelfile.recipe.values import ParameterValue, canonical


class Aspect(StrEnum):
    """A part of a model that can differ, in the order of reports."""

    BASE = "base"
    WEIGHTS = "weights"
    ADAPTER = "adapter"
    DRAFT = "draft"
    PARAMETER = "parameter"
    TEMPLATE = "template"
    SYSTEM = "system"
    MESSAGES = "messages"
    LICENSE = "license"
    RENDERER = "renderer"
    PARSER = "parser"
    REQUIRES = "requires"
    CAPABILITIES = "capabilities"
    """Those that the template gives (`compare_capabilities`)."""
    FINGERPRINT = "fingerprint"
    """Of the whole model, where it is known to differ, but not in which part."""


TEXTS = frozenset({Aspect.TEMPLATE, Aspect.SYSTEM, Aspect.MESSAGES, Aspect.LICENSE})
"""Aspects that are texts, to be shown as a line diff."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A difference in one aspect; None stands for an absent value."""

    aspect: Aspect
    name: str = ""
    """The name of a parameter; empty for other aspects."""
    old: str | None
    new: str | None

    @property
    def title(self) -> str:
        """The aspect in words, with the name of a parameter."""
        return f"{self.aspect} {self.name}".rstrip()


def compare_models(old: Model, new: Model) -> tuple[Change, ...]:
    """Return the differences between two models: none exactly if their fingerprints are equal."""
    return (
        *_compare(Aspect.WEIGHTS, old.weights, new.weights),
        *_compare(Aspect.ADAPTER, old.adapters, new.adapters),
        *_compare(Aspect.DRAFT, old.drafts, new.drafts),
        *_compare_common(old, new),
        *_compare(Aspect.LICENSE, old.license, new.license),
    )


def compare_capabilities(old: Model, new: Model) -> tuple[Change, ...]:
    """Return the difference between the capabilities that two templates give; none if it cannot be known.

    >>> old, new = Model(template="{{ .Tools }}{{ .Suffix }}"), Model(template="{{ .Tools }}")
    >>> [(str(change.aspect), change.old, change.new) for change in compare_capabilities(old, new)]
    [('capabilities', 'tools, insert', 'tools')]
    """
    both = _capabilities(old, new)
    return tuple(_compare(Aspect.CAPABILITIES, *map(tuple, both))) if both else ()


def dropped_capabilities(base: Model, model: Model) -> tuple[tuple[str, str], ...]:
    """Return the capabilities that the template of a base gives and that of a model does not, each with its variable.

    None are returned if a PARSER may give them.

    >>> dropped_capabilities(Model(template="{{ .Tools }}{{ .Suffix }}"), Model(template="{{ .Tools }}"))
    (('insert', 'Suffix'),)
    """
    if not (both := _capabilities(base, model)):
        return ()
    had, has = both
    return tuple((name, field) for name, field in had.items() if name not in has)


def _capabilities(old: Model, new: Model) -> tuple[dict[str, str], dict[str, str]] | None:
    """Return the capabilities that two templates give, each with its variable.

    None is returned if they are the same template, or a RENDERER or PARSER takes its place.
    """
    if old.template == new.template or old.parser or old.renderer or new.parser or new.renderer:
        return None
    from modelfile.gotemplate.capabilities import FIELDS_OF_CAPABILITIES, template_capabilities
    from modelfile.gotemplate.parser import parse_template

    def of(model: Model) -> dict[str, str]:
        has = template_capabilities(parse_template(model.template))
        return {name: field for name, field in FIELDS_OF_CAPABILITIES.items() if name in has}

    return of(old), of(new)


def compare_recipes(old: Recipe, new: Recipe, digests: Mapping[Path, str]) -> tuple[Change, ...]:
    """Return the differences between two Modelfiles; local files are compared by their digests."""
    return (
        *_compare(Aspect.BASE, _base(old, digests), _base(new, digests)),
        *_compare(Aspect.ADAPTER, _adapters(old, digests), _adapters(new, digests)),
        *_compare(Aspect.DRAFT, _digests(old.drafts, digests), _digests(new.drafts, digests)),
        *_compare_common(old, new),
        *_compare(Aspect.LICENSE, "\n".join(old.licenses), "\n".join(new.licenses)),
    )


def _compare_common(old: Model | Recipe, new: Model | Recipe) -> Iterator[Change]:
    for name in sorted(old.parameters.keys() | new.parameters.keys()):
        before, after = old.parameters.get(name), new.parameters.get(name)
        if before is None or after is None or _comparable(before) != _comparable(after):
            yield Change(aspect=Aspect.PARAMETER, name=name, old=show_value(before), new=show_value(after))
    yield from _compare(Aspect.TEMPLATE, old.template, new.template)
    yield from _compare(Aspect.SYSTEM, old.system, new.system)
    if old.messages != new.messages:
        yield Change(aspect=Aspect.MESSAGES, old=_conversation(old.messages), new=_conversation(new.messages))
    yield from _compare(Aspect.RENDERER, old.renderer, new.renderer)
    yield from _compare(Aspect.PARSER, old.parser, new.parser)
    yield from _compare(Aspect.REQUIRES, old.requires, new.requires)


def _compare(aspect: Aspect, old: str | tuple[str, ...], new: str | tuple[str, ...]) -> Iterator[Change]:
    if old != new:
        yield Change(aspect=aspect, old=_join(old), new=_join(new))


def _join(side: str | tuple[str, ...]) -> str | None:
    return (side if isinstance(side, str) else ", ".join(side)) or None


def _comparable(value: ParameterValue) -> tuple[bool, ParameterValue]:
    """Return a form of a value that is equal only for values equal to a server; in Python, 1 equals True."""
    return isinstance(value, bool), canonical(value)


def show_value(value: ParameterValue | None) -> str | None:
    """Return a parameter's value as it is written in a Modelfile."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(json.dumps(text, ensure_ascii=False) for text in value)
        case _:
            return repr(value).removesuffix(".0")


def _conversation(messages: tuple[Message, ...]) -> str | None:
    """Return all messages as one text, with continuation lines indented so that none looks like a message."""
    indented = ((message.role, message.content.replace("\n", "\n  ")) for message in messages)
    return "\n".join(f"{role}: {content}" for role, content in indented) or None


def _base(recipe: Recipe, digests: Mapping[Path, str]) -> str | tuple[str, ...]:
    if recipe.base is None:
        return _digests(recipe.weight_files, digests)
    try:
        return str(ModelName.parse(recipe.base))
    except UsageError:
        return recipe.base


def _adapters(recipe: Recipe, digests: Mapping[Path, str]) -> tuple[str, ...]:
    """Return the files that are added to the base: adapters, and projectors if the base is a name."""
    return _digests((*recipe.adapter_files, *(recipe.weight_files if recipe.base else ())), digests)


def _digests(files: tuple[Path, ...], digests: Mapping[Path, str]) -> tuple[str, ...]:
    return tuple(digests[file] for file in files)
