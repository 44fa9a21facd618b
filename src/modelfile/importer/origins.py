"""The names that FROM may have for a stored model: its origin, and what else has the same weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from modelfile.catalog.families import library_models
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE, ModelName
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import ListedModel, StoredModel

_SIZE: Final = re.compile(r"(?<![a-z0-9.])\d+(?:\.\d+)?[bm](?![a-z0-9])", re.IGNORECASE)
"""A number of parameters in a tag, as the tags of Ollama's library have it, and those that people give do not."""


def possible_bases(
    stored: StoredModel, listed: Sequence[ListedModel], locked: Iterable[ModelName]
) -> Iterator[ModelName]:
    """Yield the names that a base of a model may have, as people would write them first.

    Args:
        stored: The model; its own name is the last one, if it was pulled.
        listed: The models in its store.
        locked: The names of bases in mf.lock.
    """
    was_pulled = _was_pulled(stored)
    if was_pulled and is_library(stored.name):
        same = (each.name for each in listed if each.digest == stored.digest and stored.name.same_model_as(each.name))
        if stored.name.has_moving_tag:
            yield from (name for name in same if not (is_internal(name) or name.has_moving_tag))
    else:
        library = (model.name for model in listed if is_library(model.name))
        parents = [parent] if (parent := stored.base_name) else []
        aliases = [name for name in parents if is_internal(name)]  # that `mf` made of a base: they are its last names
        digests = {model.digest for model in listed if any(map(model.name.same_as, aliases))}
        same = (model.name for model in listed if model.digest in digests)
        for name in (*parents, *same, *locked, *library):
            if not (is_internal(name) or name.same_as(stored.name)):
                yield name
        yield from aliases
    if was_pulled:
        yield stored.name


def is_library(name: ModelName) -> bool:
    """Return whether a name is that of a known model in Ollama's library, and no alias of one."""
    return _is_local(name) and name.model.lower() in library_models() and not is_internal(name)


def _is_local(name: ModelName) -> bool:
    """Return whether a name has no host and no namespace, as those of the library and those that people give."""
    return (name.host.lower(), name.namespace.lower()) == (DEFAULT_HOST, DEFAULT_NAMESPACE)


def _was_pulled(stored: StoredModel) -> bool:
    """Return whether a model was pulled, as far as can be told: of weights that it converts, a server notes nothing."""
    name = stored.name
    return not stored.parent and (not _is_local(name) or is_library(name) or bool(_SIZE.search(name.tag)))
