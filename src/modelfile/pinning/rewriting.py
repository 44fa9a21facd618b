"""The most specific tag of a base in place of `latest` in FROM."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC
from functools import partial
from typing import Final

from modelfile.catalog.families import family_of
from modelfile.errors import InputError, ModelfileError, UsageError
from modelfile.events import Clock
from modelfile.immutable import record, replace
from modelfile.manifest import Manifest
from modelfile.names import ModelName, shorten_digest
from modelfile.project.target import Target
from modelfile.stores.protocol import Registry
from modelfile.stores.uploads import run_in_parallel
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import From

_THREADS: Final = 8
"""Tags that a registry is asked for at the same time."""
_MAX_TAGS: Final = 500
"""Most tags of a model that are compared."""
_VARIANTS: Final = ("", "-instruct", "-it", "-chat", "-text")
"""The parts between size and type in tags of Ollama's library."""


@record(kw_only=True)
class Rewriting:
    """A tag in the place of another."""

    target: Target
    previous: str
    """The base as written before."""
    current: str
    """The base as written now."""
    text: str
    """The text of the Modelfile with it."""


def rewrite(target: Target, registry: Registry, clock: Clock | None = None) -> Rewriting | None:
    """Return a Modelfile with the most specific tag of its base instead of `latest`, and a comment that says so.

    The tag has the same manifest: that of the lock, or else that of `latest` now. Nothing is written. Returns None if
    FROM has a tag or names files or a model of the project.

    Args:
        target: The Modelfile.
        registry: The registry that is asked for tags. Of one that cannot list them, those that the catalog expects of
            models in Ollama's library are tried.
        clock: The clock for the date in the comment; default: this machine's.

    Raises:
        InputError: The Modelfile cannot be read, or no other tag has the same manifest.
        ServerError: The registry cannot answer.
    """
    written, name = target.recipe().base, target.base
    if not written or not name or not name.has_moving_tag or target.project.base_of(target):
        return None
    manifest = _locked(target, name) or registry.resolve(name)
    if manifest is None:
        raise InputError(f"`{target.path}`: base {name} not found in {registry.url(name)}")
    same = _tags_with(manifest.digest, name, _candidates(name, manifest, registry), registry)
    if not same:
        message = f"`{target.path}`: no other tag of {name.untagged} is known to have what {name} has"
        raise InputError(message, hint="write the tag that you mean")
    tag = max(same, key=lambda tag: (tag.count("-"), len(tag), tag))
    today = (clock or Clock()).now().astimezone(UTC).date()
    current = f"{written.rpartition(':')[0] if name.tagged else written}:{tag}"
    comment = f"# {name} was {tag} on {today} ({shorten_digest(manifest.digest)})"
    return Rewriting(target=target, previous=written, current=current, text=_edit(target, current, comment))


def _locked(target: Target, name: ModelName) -> Manifest | None:
    base = target.pin.base if target.pin else None
    if base and base.manifest and ModelName.parse(base.name).same_as(name):
        return Manifest.parse(base.manifest, "the manifest")
    return None


def _candidates(name: ModelName, manifest: Manifest, registry: Registry) -> list[str]:
    """Return the tags that a model may have: all if the registry lists them, else those of the catalog's sizes."""
    if (listed := registry.tags(name)) is not None:
        return [tag for tag in listed if not replace(name, tag=tag).has_moving_tag][:_MAX_TAGS]
    family = family_of(name)
    kind = _file_type(registry.read(name, manifest.config))
    kind = re.sub(r"^(?=F)", "fp", kind).replace("fpF", "fp").replace("B", "b").replace("Q", "q", 1)  # fp16, q4_K_M
    types = ("", *([f"-{kind}"] if kind else []))
    sizes = family.sizes if family and family.library else ()
    return [f"{size}{variant}{end}" for size in sizes for variant in _VARIANTS for end in types][:_MAX_TAGS]


def _file_type(config: bytes) -> str:
    try:
        found = json.loads(config).get("file_type")
    except (ValueError, AttributeError, RecursionError):
        return ""
    return found if isinstance(found, str) and re.fullmatch(r"\w{1,20}", found, re.ASCII) else ""


def _tags_with(digest: str, name: ModelName, tags: Iterable[str], registry: Registry) -> list[str]:
    """Return the tags that have a manifest; several are asked for at a time."""
    found: list[str] = []
    errors: list[ModelfileError] = []

    def ask(tag: str) -> None:
        try:
            manifest = registry.resolve(replace(name, tag=tag, tagged=True))
        except ModelfileError as error:
            errors.append(error)
            return
        if manifest and manifest.digest == digest:
            found.append(tag)

    tasks = [partial(ask, tag) for tag in tags if _is_tag(name, tag)]
    if tasks:
        run_in_parallel(tasks, _THREADS)
    if errors and not found:
        raise errors[0]
    return found


def _is_tag(name: ModelName, tag: str) -> bool:
    try:
        return ModelName.parse(f"{name.untagged}:{tag}").tag == tag
    except UsageError:
        return False


def _edit(target: Target, current: str, comment: str) -> str:
    """Return the text with another base, and a comment line before it; nothing else changes."""
    modelfile, written = target.modelfile, target.recipe().base
    node = next(node for node in reversed(modelfile.nodes) if isinstance(node, From) and node.value.text == written)
    text, content, start = modelfile.text, node.value.content, node.span.start
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    ending = re.search(r"\r\n|\r|\n", text)
    edited = "".join(
        (text[:line], comment, ending[0] if ending else "\n", text[line : content.start], current, text[content.end :])
    )
    after = Modelfile.parse(replace(modelfile.source, text=edited))
    if list(after.commands) != list(_expected(modelfile, written, current)):
        raise InputError(f"`{target.path}`: FROM cannot be changed without another change", hint="edit it by hand")
    return edited


def _expected(modelfile: Modelfile, written: str | None, current: str) -> Iterator[tuple[str, str]]:
    """Yield the commands with another base in the last FROM that names it."""
    commands = list(modelfile.commands)
    last = max(index for index, command in enumerate(commands) if command == ("model", written))
    yield from ((name, current if index == last else value) for index, (name, value) in enumerate(commands))
