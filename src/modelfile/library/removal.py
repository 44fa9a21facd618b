"""Remove models, in two steps: which, and then the removal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from modelfile.errors import NotFound, ServerError
from modelfile.library.lookup import find, find_named, matches, name_in
from modelfile.names import ModelName
from modelfile.stores.backups import backups_of, is_internal
from modelfile.stores.protocol import ListedModel, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """The models that `remove` would remove."""

    models: tuple[ListedModel, ...]
    missing: tuple[tuple[str, NotFound], ...]
    """Names and patterns of which the store has no model; if there are any, nothing is removed."""
    backups_left: int
    """The number of backups that are not removed."""
    listed: tuple[ListedModel, ...]
    """All models of the store."""

    def sharing(self, model: ListedModel) -> tuple[ModelName, ...]:
        """Return the remaining names of the same model, which keep its layers."""
        others = [other.name for other in self.listed if other.digest == model.digest and other not in self.models]
        return tuple(name for name in others if not is_internal(name)) or tuple(others[:1])


def plan_removal(names: Iterable[str], store: Store, *, backups: bool = False) -> Removal:
    """Return the models that `remove` would remove for these names; nothing is removed.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> removal = modelfile.plan_removal(["qwen3:8b", "bot"], MemoryStore.with_models("qwen3:8b"))
    >>> [str(model.name) for model in removal.models], [str(name) for name, _ in removal.missing]
    (['qwen3:8b'], ['bot:latest'])

    Args:
        names: Names of models, starts of their digests, or globs as `list_models` takes them.
        store: The store.
        backups: Whether to include their backups.

    Raises:
        UsageError: A name is invalid, or a digest is ambiguous.
        ServerError: The store cannot answer.
    """
    listed = store.list()
    found: list[ListedModel] = []
    missing: list[tuple[str, NotFound]] = []
    tags: list[ModelName] = []
    for text in dict.fromkeys(names):
        try:
            for name in _names_to_remove(text, listed, store):
                tags.append(name)
                found += _models_to_remove(name, listed, store, backups=backups)
        except NotFound as error:
            name_or_text = None if _is_pattern(text) else name_in(text)
            missing.append((str(name_or_text or text), error))
    old = [backup for name in tags for backup in backups_of(name, listed)]
    models = tuple(dict.fromkeys((*found, *(old if backups else ()))))
    left = {backup.name for backup in old} - {model.name for model in models}
    return Removal(models=models, missing=tuple(missing), backups_left=len(left), listed=listed)


def _is_pattern(text: str) -> bool:
    return not {"*", "?", "["}.isdisjoint(text)  # no name contains them


def _names_to_remove(text: str, listed: Sequence[ListedModel], store: Store) -> list[ModelName]:
    if _is_pattern(text):
        matching = [model.name for model in listed if not is_internal(model.name) and matches(model.name, text)]
        if not matching:
            raise NotFound(f"no model on {store.location} matches `{text}`", hint="run `mf ls` to list its models")
        return matching
    try:
        return [find_named(text, listed, store, one_name=True).name]
    except NotFound:
        if name := name_in(text):
            return [name]  # its backups may be left
        raise


def _models_to_remove(
    name: ModelName, listed: Sequence[ListedModel], store: Store, *, backups: bool
) -> list[ListedModel]:
    """Return the model of a name; nothing if only its backups are left, and they are to be removed."""
    try:
        return [find(name, listed, store)]
    except NotFound as error:
        old = backups_of(name, listed)
        if not old:
            raise
        if backups:
            return []
        count = f"{len(old)} backup{'s' * (len(old) != 1)}"
        hint = f"it has {count}: restore one with `mf rollback {name}`, or pass --backups to remove them"
        raise NotFound(error.message, hint=hint) from error


def remove(removal: Removal, store: Store) -> Iterator[tuple[ListedModel, ServerError | None]]:
    """Remove models one by one, and the layers that no other name needs; this cannot be undone.

    Nothing happens until the result is iterated over. `removal.missing` is ignored.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b", "qwen3:8b")
    >>> for model, error in modelfile.remove(modelfile.plan_removal(["qwen3:8b"], store), store):
    ...     print(model.name, error or "removed")
    qwen3:8b removed

    Args:
        removal: The models, as `plan_removal` returns them.
        store: The store that they are in.

    Yields:
        Each model, and the error if the store could not remove it.
    """
    for model in removal.models:
        try:
            with contextlib.suppress(NotFound):  # another program removed it first
                store.delete(model.name)
        except ServerError as error:
            yield model, error
        else:
            yield model, None
