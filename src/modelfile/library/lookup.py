"""Find models in a store by name, pattern or digest: list and show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Final

from modelfile.errors import NotFound, UsageError
from modelfile.names import ModelName, digest_start, join_alternatives, short_digest
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import ListedModel, Store, StoredModel, find_listed

_MIN_LENGTH: Final = 3
"""Length below which a name resembles too many others to suggest one."""


def list_models(store: Store, pattern: str | None = None, *, internal: bool = False) -> tuple[ListedModel, ...]:
    """Return the models of a store, the newest first.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b", "qwen3:8b")
    >>> [str(model.name) for model in modelfile.list_models(store, "qwen*")]
    ['qwen3:8b']

    Args:
        store: The store.
        pattern: A glob that the name has to match, with or without its tag, in any case; None: all models.
        internal: Whether to include backups and staging tags.

    Raises:
        ServerError: The store cannot answer.
    """
    return tuple(
        model
        for model in store.list()
        if (internal or not is_internal(model.name)) and (pattern is None or matches(model.name, pattern))
    )


def matches(name: ModelName, pattern: str) -> bool:
    """Return whether a name matches a glob, with or without its tag, in any case."""
    shown = str(name).lower()
    return any(fnmatchcase(text, pattern.lower()) for text in (shown, shown.rpartition(":")[0]))


def show(name: str, store: Store) -> StoredModel:
    """Return a model with its contents.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> modelfile.show("llama3.2:3b", MemoryStore.with_models("llama3.2:3b")).model.template
    '{{ .Prompt }}'

    Args:
        name: The name of the model, where no tag means `latest`, or the start of its digest.
        store: The store.

    Raises:
        UsageError: The name is invalid, or several models have a digest with this start.
        NotFound: The store has no such model, or lists it but cannot read it.
        ServerError: The store cannot answer.
    """
    wanted = name_in(name)
    if wanted and (stored := store.find(wanted)):
        return stored
    model = find_named(name, store.list(), store).name
    if not (wanted and wanted.same_as(model)) and (stored := store.find(model)):
        return stored
    removal, repair = f"remove it with `mf rm {model}`", "restore it with `mf store check --repair`"
    hint = repair if store.location.is_folder else removal
    raise NotFound(f"{model} is listed {store.location.where}, but cannot be read", hint=hint)


def name_in(text: str) -> ModelName | None:
    """Return a text as a name; None if it can only be the start of a digest.

    Raises:
        UsageError: It is neither.
    """
    try:
        return ModelName.parse(text)
    except UsageError:
        if digest_start(text):
            return None
        raise


def find_named(text: str, listed: Sequence[ListedModel], store: Store, *, one_name: bool = False) -> ListedModel:
    """Return the listed model that a text names: by its name, or else by the start of its digest.

    Backups and staging tags count only where no other name has the digest.

    Args:
        text: A name, where no tag means `latest`, or at least 6 digits of a digest, with or without `sha256:`.
        listed: The models of the store.
        store: The store, for messages.
        one_name: Whether to reject a digest that several names have.

    Raises:
        UsageError: The name is invalid, or the digest is ambiguous.
        NotFound: There is no such model.
    """
    name, start = name_in(text), digest_start(text)
    if name and (named := find_listed(name, listed)):
        return named
    found = [model for model in listed if start and model.digest.removeprefix("sha256:").startswith(start)]
    found = [model for model in found if not is_internal(model.name)] or found
    if not found:
        if name:
            return find(name, listed, store)  # its error suggests similar names
        raise NotFound(f"no model {store.location.where} has a digest starting with {start}", hint="run `mf ls -a`")
    several = len({model.digest for model in found}) > 1
    if several or (one_name and len(found) > 1):
        names = ", ".join(f"{model.name} ({short_digest(model.digest)})" for model in found)
        which = "models have digests" if several else "names have a digest"
        raise UsageError(
            f"several {which} starting with {start} {store.location.where}",
            hint=f"{'give more digits, or name one' if several else 'name one'}: {names}",
        )
    return found[0]


def find(name: ModelName, listed: Sequence[ListedModel], store: Store) -> ListedModel:
    """Return the listed model of a name.

    Raises:
        NotFound: There is none; the hint suggests similar names.
    """
    if found := find_listed(name, listed):
        return found
    hint = _suggestion(name, [model.name for model in listed])
    raise NotFound(f"{name} not found {store.location.where}", hint=hint)


def _suggestion(name: ModelName, listed: Iterable[ModelName]) -> str:
    from difflib import get_close_matches

    shown = [other for other in listed if not is_internal(other)]
    wanted = name.model.lower()
    models = {other.model.lower() for other in shown}
    similar = {wanted, *(get_close_matches(wanted, models, cutoff=0.75) if len(wanted) >= _MIN_LENGTH else ())}
    likely = [str(other) for other in shown if other.model.lower() in similar]
    if close := get_close_matches(str(name), likely, cutoff=0):
        return f"did you mean {join_alternatives([f'`{other}`' for other in close])}?"
    return "run `mf ls` to list its models" if shown else "it has no models: run `mf pull` or `mf build`"
