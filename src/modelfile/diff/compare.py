"""Compare two recipes, or two models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from modelfile.diff.changes import Aspect, Change
from modelfile.semantics.literals import ParameterValue
from modelfile.semantics.recipe import Model, Recipe, Turn


def compare_models(old: Model, new: Model) -> tuple[Change, ...]:
    """What differs between what two models hold; nothing exactly when their fingerprints are equal."""
    return (
        *_compare(Aspect.WEIGHTS, "\n".join(old.weights), "\n".join(new.weights)),
        *_compare(Aspect.ADAPTER, "\n".join(old.adapters), "\n".join(new.adapters)),
        *_compare(Aspect.DRAFT, "\n".join(old.drafts), "\n".join(new.drafts)),
        *_compare_common(old, new),
        *_compare(Aspect.LICENSE, old.license, new.license),
    )


def compare_recipes(old: Recipe, new: Recipe, digests: Mapping[Path, str]) -> tuple[Change, ...]:
    """What differs between what two Modelfiles say; local files are compared by their digests."""
    return (
        *_compare(Aspect.BASE, _base(old, digests), _base(new, digests)),
        *_compare(Aspect.ADAPTER, _digests(old.adapters, digests), _digests(new.adapters, digests)),
        *_compare(Aspect.DRAFT, _digests(old.drafts, digests), _digests(new.drafts, digests)),
        *_compare_common(old, new),
        *_compare(Aspect.LICENSE, "\n".join(old.licenses), "\n".join(new.licenses)),
    )


def _compare_common(old: Model | Recipe, new: Model | Recipe) -> Iterator[Change]:
    for name in sorted(old.parameters.keys() | new.parameters.keys()):
        before, after = old.parameters.get(name), new.parameters.get(name)
        if before != after:
            yield Change(aspect=Aspect.PARAMETER, name=name, old=show_value(before), new=show_value(after))
    yield from _compare(Aspect.TEMPLATE, old.template, new.template)
    yield from _compare(Aspect.SYSTEM, old.system, new.system)
    yield from _compare(Aspect.MESSAGES, _conversation(old.messages), _conversation(new.messages))
    yield from _compare(Aspect.RENDERER, old.renderer, new.renderer)
    yield from _compare(Aspect.PARSER, old.parser, new.parser)
    yield from _compare(Aspect.REQUIRES, old.requires, new.requires)


def _compare(aspect: Aspect, old: str, new: str) -> Iterator[Change]:
    if old != new:
        yield Change(aspect=aspect, old=old or None, new=new or None)


def show_value(value: ParameterValue | None) -> str | None:
    """A parameter's value as people write it."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(f'"{text}"' for text in value)
        case _:
            return f"{value:.17g}" if isinstance(value, float) and float(f"{value:.16g}") != value else f"{value:.16g}"


def _conversation(messages: tuple[Turn, ...]) -> str:
    return "\n".join(f"{turn.role}: {turn.content}" for turn in messages)


def _base(recipe: Recipe, digests: Mapping[Path, str]) -> str:
    return recipe.base if recipe.base is not None else _digests(recipe.files, digests)


def _digests(files: tuple[Path, ...], digests: Mapping[Path, str]) -> str:
    return "\n".join(digests[file] for file in files)
