"""Tags without a model: the models that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from modelfile.errors import InputError, UsageError
from modelfile.names import ModelName, join_alternatives
from modelfile.project.project import Project
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import ListedModel, Store, find_listed


def tags_here(text: str, project: Project) -> tuple[str, ...]:
    """Return the names that a text means as a tag of the models here; none if it cannot be a tag alone."""
    return tuple(f"{model}:{text}" for model in project.models_here()) if is_word(text) else ()


def is_word(text: str) -> bool:
    """Return whether a text can be a tag alone: it has no `/` and no `:`."""
    return not {"/", ":"} & set(text)


def visible_models(store: Store) -> tuple[ListedModel, ...]:
    """Return the models of a store without backups and staging tags."""
    return tuple(model for model in store.list() if not is_internal(model.name))


def find_models(
    texts: Iterable[str], project: Project, store: Store, on_note: Callable[[str], object] = lambda _: None
) -> dict[str, ModelName]:
    """Return the models that texts mean: tags of one model of the project, if all are, or else each by itself.

    A word without `/` and `:` is a tag of a model of the project before it is a model of the store. If it is neither,
    and a single model of the store has all such tags, it is a tag of that model, which is reported.

    Args:
        texts: Names, or tags alone.
        project: The project whose models the tags may belong to.
        store: The store of the models.
        on_note: Receives a note if the tags are those of a model that the project does not know, or of one of several
            that the configuration lists here.

    Returns:
        The models by text; without those that are not found.

    Raises:
        InputError: Several models that the configuration lists here have the tags, or each a different one.
        ServerError: The store cannot answer.
    """
    texts = tuple(dict.fromkeys(texts))
    if not texts:
        return {}
    listed, words = visible_models(store), [*filter(is_word, texts)]
    here = project.models_here() if words else ()
    if words and (complete := _having_all(here, words, listed)):
        configured = {target.named.untagged for target in project.targets} & {*here}
        if len(rivals := [name for name in complete if name in configured]) > 1:
            tags = [f"`{name}:{word}`" for word in words for name in rivals]
            raise InputError(f"{_tags(words)} of several models", hint=f"name the model: {join_alternatives(tags)}")
        if len(configured) > 1:
            on_note(f"{_tags(words)} of {complete[0]}")
        return _by_themselves(texts, listed) | _tags_of(complete[0], words, listed)
    found = _by_themselves(texts, listed) | _tags_of_one(here, words, listed)
    unknown = [word for word in words if word not in found]
    for wanted in (words, unknown) if unknown else ():
        names = dict.fromkeys(model.name.untagged for model in listed if model.name.tag in wanted)
        if len(complete := _having_all(names, wanted, listed)) == 1:
            on_note(f"{_tags(wanted)} of {complete[0]}")
            return found | _tags_of(complete[0], wanted, listed)
    others = {word: name for model in reversed(here) for word, name in _tags_of(model, words, listed).items()}
    if len(others) > 1 and not found.keys() & others.keys():
        by_word = {word: f"`{others[word]}`" for word in words if word in others}
        hint = f"name the models: {' and '.join(by_word.values())}"
        raise InputError(f"{_tags(by_word)} of different models", hint=hint)
    return found


def _having_all(names: Iterable[str], words: Sequence[str], listed: Sequence[ListedModel]) -> list[str]:
    """Return the models that have all words as tags."""
    return [name for name in names if len(_tags_of(name, words, listed)) == len(words)]


def _tags(words: Collection[str]) -> str:
    """Return the subject and the verb of a message on tags."""
    return f"{' and '.join(f'`{word}`' for word in words)} {'are tags' if len(words) > 1 else 'is a tag'}"


def _by_themselves(texts: Iterable[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    return {text: found for text in texts if (found := _listed(text, listed))}


def _tags_of_one(here: Sequence[str], words: Sequence[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    """Return the models of which words are a tag each; none if they were tags of different models."""
    tags: dict[str, ModelName] = {}
    for name in reversed(here):
        tags |= _tags_of(name, words, listed)
    return tags if len({tag.untagged for tag in tags.values()}) == 1 else {}


def _tags_of(model: str, words: Iterable[str], listed: Sequence[ListedModel]) -> dict[str, ModelName]:
    """Return the tags of a model that are listed, by word."""
    return {word: found for word in words if (found := _listed(f"{model}:{word}", listed))}


def _listed(text: str, listed: Sequence[ListedModel]) -> ModelName | None:
    try:
        found = find_listed(ModelName.parse(text), listed)
    except UsageError:  # a folder may have a name that no model can have
        return None
    return found.name if found else None
