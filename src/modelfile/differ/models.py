"""Differences between models, and between Modelfiles, by meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.catalog.catalog import catalog
from modelfile.differ.comparison import Aspect, Category, Change, NoEffect
from modelfile.differ.messages import compare_messages
from modelfile.errors import UsageError
from modelfile.immutable import replace
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.recipe.values import ParameterValue, canonical

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version


_ORDER: Final = (*Category,)
Facts: TypeAlias = Callable[[], Sequence[Mapping[Aspect, str]]]
"""Returns the facts of the weights on two sides, which are read only if the weights differ."""


def _no_facts() -> Sequence[Mapping[Aspect, str]]:
    return {}, {}


def compare_models(
    old: Model, new: Model, *, ollama: Version | None = None, facts: Facts = _no_facts
) -> tuple[Change, ...]:
    """Return the differences between two models: none exactly if their fingerprints are equal.

    >>> old, new = Model(template="{{ .Tools }}{{ .Suffix }}"), Model(template="{{ .Tools }}")
    >>> [(change.title, change.old, change.new) for change in compare_models(old, new)][1:]
    [('capabilities', ('tools', 'insert'), ('tools',))]

    Args:
        old: The old model.
        new: The new model.
        ollama: The version of Ollama whose defaults count (default: the newest known).
        facts: Returns what the weights of both tell of themselves, as far as it is known.
    """
    return _ordered(
        *_with_facts(_compare(Aspect.WEIGHTS, old.weights, new.weights), facts),
        *_compare(Aspect.ADAPTER, old.adapters, new.adapters),
        *_compare(Aspect.DRAFT, old.drafts, new.drafts),
        *_compare_common(old, new, ollama, knows_base=True),
        *_compare(Aspect.CAPABILITIES, *(tuple(side) for side in _capabilities(old, new) or ((), ()))),
        *_compare(Aspect.LICENSE, old.license, new.license),
    )


def _with_facts(weights: Iterable[Change], facts: Facts) -> Iterator[Change]:
    """Yield changes of weights and, if there are any, those of the facts that are known of both sides."""
    changes = [*weights]
    yield from changes
    old, new = facts() if changes else _no_facts()
    for aspect in sorted(old.keys() & new.keys()):
        yield from _compare(aspect, old[aspect], new[aspect])


def compare_recipes(
    old: Recipe,
    new: Recipe,
    digests: Mapping[Path, str],
    *,
    old_digests: Mapping[Path, str] | None = None,
    ollama: Version | None = None,
    facts: Facts = _no_facts,
) -> tuple[Change, ...]:
    """Return the differences between two Modelfiles as written; local files are compared by their digests.

    Args:
        old: The old recipe.
        new: The new recipe.
        digests: `sha256:…` of every local file.
        old_digests: Those of the files of the old one, if they were others.
        ollama: The version of Ollama whose defaults count (default: the newest known).
        facts: Returns what the local weights of both tell of themselves, as far as it is known.
    """
    before = digests if old_digests is None else old_digests
    return _ordered(
        *_with_facts(_compare(Aspect.BASE, _base(old, before), _base(new, digests)), facts),
        *_compare(Aspect.ADAPTER, _adapters(old, before), _adapters(new, digests)),
        *_compare(Aspect.DRAFT, _digests(old.drafts, before), _digests(new.drafts, digests)),
        *_compare_common(old, new, ollama, knows_base=old.base is new.base is None),
        *_compare(Aspect.LICENSE, "\n".join(old.licenses), "\n".join(new.licenses)),
    )


def _ordered(*changes: Change) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: _ORDER.index(change.category)))


def _compare(aspect: Aspect, old: str | tuple[str, ...], new: str | tuple[str, ...]) -> Iterator[Change]:
    if old != new:
        yield Change(aspect=aspect, old=old or None, new=new or None)


def _compare_common(
    old: Model | Recipe, new: Model | Recipe, ollama: Version | None, *, knows_base: bool
) -> Iterator[Change]:
    """Yield the differences that models and Modelfiles have alike.

    Args:
        old: The old side.
        new: The new side.
        ollama: The version whose defaults count.
        knows_base: Whether what is absent is absent, and not what a base has.
    """
    for name in sorted(old.parameters.keys() | new.parameters.keys()):
        before, after = old.parameters.get(name), new.parameters.get(name)
        if _comparable(before) != _comparable(after):
            yield _parameter(name, before, after, ollama, knows_base=knows_base)
    for change in _compare(Aspect.TEMPLATE, old.template, new.template):
        yield replace(change, no_effect=_no_effect(old, new))
    yield from _compare(Aspect.RENDERER, old.renderer, new.renderer)
    yield from _compare(Aspect.PARSER, old.parser, new.parser)
    yield from _compare(Aspect.SYSTEM, old.system, new.system)
    yield from compare_messages(old.messages, new.messages)
    yield from _compare(Aspect.REQUIRES, old.requires, new.requires)


def _parameter(
    name: str, old: ParameterValue | None, new: ParameterValue | None, ollama: Version | None, *, knows_base: bool
) -> Change:
    facts = catalog(ollama)
    if name not in facts.parameters:
        return Change(aspect=Aspect.PARAMETER, name=name, old=old, new=new)
    default = facts.default(name)
    effective, new_effective = (_comparable(default if value is None else value) for value in (old, new))
    is_default = knows_base and default is not None and effective == new_effective
    return Change(
        aspect=Aspect.PARAMETER,
        name=name,
        old=old,
        new=new,
        default=default,
        ollama=facts.version,
        no_effect=NoEffect.DEFAULT if is_default else None,
    )


def _comparable(value: ParameterValue | None) -> tuple[bool, ParameterValue | None]:
    """Return a form of a value that is equal only for values equal to a server; in Python, 1 equals True."""
    return isinstance(value, bool), value if value is None else canonical(value)


def _no_effect(old: Model | Recipe, new: Model | Recipe) -> NoEffect | None:
    """Return the reason why another template has no effect."""
    if old.renderer and new.renderer:  # Ollama never uses a TEMPLATE beside a RENDERER (measured on 0.33)
        return NoEffect.UNUSED
    from modelfile.gotemplate.parser import parse_template
    from modelfile.gotemplate.trees import shape

    parsed = [parse_template(side.template) for side in (old, new)]
    if any(each.diagnostics for each in parsed) or not old.template or not new.template:
        return None
    return NoEffect.SAME_NODES if shape(parsed[0].nodes, old.template) == shape(parsed[1].nodes, new.template) else None


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
