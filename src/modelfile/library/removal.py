"""Remove models, in two steps: which, and then the removal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from modelfile.errors import NotFound, ServerError
from modelfile.immutable import record
from modelfile.library.lookup import find_named, matches, name_in
from modelfile.names import ModelName
from modelfile.stores.backups import Backups, is_internal
from modelfile.stores.protocol import ListedModel, Store


@record(kw_only=True, slots=False)
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
        others = self._remaining.get(model.digest, [])
        return tuple(name for name in others if not is_internal(name)) or tuple(others[:1])

    @cached_property
    def _remaining(self) -> dict[str, list[ModelName]]:
        """The remaining names by digest."""
        removed, remaining = {*self.models}, dict[str, list[ModelName]]()
        for model in self.listed:
            if model not in removed:
                remaining.setdefault(model.digest, []).append(model.name)
        return remaining


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
    old: list[ListedModel] = []
    by_name = {model.name.full.lower(): model for model in reversed(listed)}
    by_name |= {model.name.full: model for model in listed}
    backups_of = Backups(listed).of
    for text in dict.fromkeys(names):
        name = None if _is_pattern(text) else name_in(text)
        try:
            known = by_name.get(name.full, by_name.get(name.full.lower())) if name else None
            named = [known] if known else find_models(text, listed, store)
        except NotFound as error:
            orphans = backups_of(name) if name else ()
            if not (orphans and backups):
                missing.append((str(name or text), _with_backups(error, name, len(orphans)) if orphans else error))
            old += orphans
        else:
            found += named
            old += [backup for model in named for backup in backups_of(model.name)]
    models = tuple(dict.fromkeys((*found, *(old if backups else ()))))
    left = {backup.name for backup in old} - {model.name for model in models}
    return Removal(models=models, missing=tuple(missing), backups_left=len(left), listed=listed)


def _is_pattern(text: str) -> bool:
    return not {"*", "?", "["}.isdisjoint(text)  # no name contains them


def find_models(text: str, listed: Sequence[ListedModel], store: Store) -> list[ListedModel]:
    """Return the listed models that a name, the start of a digest or a glob means; internal ones only by name.

    Raises:
        UsageError: The name is invalid, or several models have a digest with this start.
        NotFound: There is none.
    """
    if not _is_pattern(text):
        return [find_named(text, listed, store, one_name=True)]
    matching = [model for model in listed if not is_internal(model.name) and matches(model.name, text)]
    if not matching:
        raise NotFound(f"no model {store.location.where} matches `{text}`", hint="run `mf ls` to list its models")
    return matching


def _with_backups(error: NotFound, name: ModelName | None, count: int) -> NotFound:
    """Return the error for a model of which only backups are left."""
    backups = f"{count} backup{'s' * (count != 1)}"
    hint = f"it has {backups}: restore one with `mf rollback {name}`, or pass --backups to remove them"
    return NotFound(error.message, hint=hint)


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
