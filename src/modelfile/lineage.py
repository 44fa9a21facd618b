"""The bases of a model, as far as a project, a store and a lock know them, and the effective model that they give."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.catalog.versions import NEWEST, Version, release
from modelfile.effective import Effective, KnownWeights, Level, Written, effective_model
from modelfile.errors import InputError, ServerError, UsageError
from modelfile.immutable import replace
from modelfile.names import ModelName
from modelfile.prediction import ExpectedModel, expect, version_for
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import is_internal, is_pin_alias
from modelfile.stores.protocol import ListedModel, Registry, Store, StoredModel, find_listed
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction, License, Message, Parameter, command_name

if TYPE_CHECKING:
    from modelfile.weights.facts import WeightsFacts

_MOST_LEVELS: Final = 20
"""Number of bases below a model that are looked at."""
_QUICK: Final = 256 << 20
"""Size of local files, in bytes, that are hashed within a second; larger ones only if a build has hashed them."""
_FIELDS: Final = {
    From: "weights",
    Adapter: "adapters",
    Draft: "drafts",
    Message: "messages",
}
"""The keys of lines whose instruction has another name."""


def trace_target(
    target: Target, store: Store, registry: Registry | None = None
) -> tuple[Effective, ExpectedModel | None]:
    r"""Return what a build of a Modelfile would give, with the origin of every value.

    Of local weights, the parts that only a build can tell are undecided, and no large file is read.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> found, _ = modelfile.trace_target(modelfile.Project().target("bot:v1"), store)
    >>> origin = found.origins["system"]
    >>> f"{origin.name}:{origin.line}"
    'Modelfile:2'

    Args:
        target: The Modelfile.
        store: The store of its base; if it does not answer, the base is that of mf.lock.
        registry: The registries of layers of a locked base that are not in the cache.

    Returns:
        The effective model, and the expected one, which is None if parts of it are undecided.

    Raises:
        ModelfileError: As `prediction.expect`.
    """
    version = release(version_for(target, store)) or NEWEST
    recipe = target.recipe(version)
    expected = expect(target, store, registry) if _is_quick(target, recipe, version) else None
    base = expected.base if expected else _base_of(recipe, store)
    weights = _weights_of(base, store) if base else _local_weights(recipe)
    if expected:
        model, undecided = expected.model, tuple[str, ...]()
    else:
        digests, on = _digests(target, recipe, version), base.model if base else None
        model, undecided = _undecided_model(recipe, digests, on, weights, version)
    first = Level(name=target.source.path, model=model, modelfile=_written(target, version), is_built=False)
    bases, end = _bases(ModelName.parse(recipe.base) if recipe.base else None, base, target.project, store)
    levels = [first, *bases]
    return effective_model(levels, ollama=version, weights=weights, undecided=undecided, end=end), expected


def _base_of(recipe: Recipe, store: Store) -> StoredModel | None:
    return store.find(ModelName.parse(recipe.base)) if recipe.base else None


def trace_model(
    stored: StoredModel, project: Project, store: Store | None, version: Version | None = None
) -> Effective:
    """Return a model with the origin of every value, as far as its bases are known.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> found = modelfile.trace_model(modelfile.show("llama3.2:3b", store), modelfile.Project(isolated=True), store)
    >>> found.prompt.reason
    'the model has no template'

    Args:
        stored: The model.
        project: The project, whose Modelfiles say in which line a value stands.
        store: The store of the model; None if it is in a registry or a lock.
        version: The version of Ollama (default: the newest known).
    """
    first = _level(stored, project, version)
    bases, end = _bases(stored.base_name, None, project, store, child=stored)
    return effective_model([first, *bases], ollama=version, weights=_weights_of(stored, store), end=end)


def _is_quick(target: Target, recipe: Recipe, version: Version) -> bool:
    """Return whether the digests of the local files are known, or are soon."""
    from modelfile.weights.digests import size_of

    return target.is_hashed(version) or sum(map(size_of, recipe.local_files)) <= _QUICK


def _digests(target: Target, recipe: Recipe, version: Version) -> Mapping[Path, str]:
    return target.digests(version) if _is_quick(target, recipe, version) else {}


def _bases(
    name: ModelName | None,
    known: StoredModel | None,
    project: Project,
    store: Store | None,
    child: StoredModel | None = None,
) -> tuple[list[Level], str]:
    """Return the levels below a model, and why they end, if the last one has a base that is not known.

    Args:
        name: The name of its base; None if it has none.
        known: The base, if it has been read.
        project: The project.
        store: The store of the bases; None if nothing is known but what the project says.
        child: The model itself, if it is stored.
    """
    levels, seen, listed = list[Level](), set[str](), _Listing(store)
    while name and len(levels) < _MOST_LEVELS:
        if name.full.lower() in seen:
            return levels, f"{name}, which is built on itself"
        seen.add(name.full.lower())
        stored = known or listed.read(name)
        if stored is None:
            where = store.location.where if store else ""
            return levels, f"{name}, which is not found {where}" if where else str(name)
        if child and not {*stored.model.weights} & {*child.model.weights}:
            return levels, f"{name}, which has other weights now"
        target = _targets(project).get(stored.name.full.lower())
        levels.append(_level(stored, project))
        name, known, child = stored.base_name or (target.base if target else None), None, stored
    return levels, ""


class _Listing:
    """The models of a store, listed when the first is looked for; nothing is found where it does not answer."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._listed: tuple[ListedModel, ...] | None = None

    def read(self, name: ModelName) -> StoredModel | None:
        if self._store is None:
            return None
        try:
            self._listed = self._store.list() if self._listed is None else self._listed
            listed = find_listed(name, self._listed)
            return self._store.read(_without_alias(listed, self._listed)) if listed else None
        except ServerError:
            self._store = None
            return None


def _without_alias(model: ListedModel, listed: Iterable[ListedModel]) -> ListedModel:
    """Return the tag that a pinned base has now, for its alias; the alias itself if it has none."""
    if not is_pin_alias(model.name):
        return model
    same = (each for each in listed if each.digest == model.digest and each.name.same_model_as(model.name))
    return next((each for each in same if not is_internal(each.name)), model)


def _targets(project: Project) -> Mapping[str, Target]:
    with contextlib.suppress(UsageError, InputError):  # another command reports a damaged configuration
        return {target.named.full.lower(): target for target in project.targets}
    return {}


def _level(stored: StoredModel, project: Project, version: Version | None = None) -> Level:
    target = _targets(project).get(stored.name.full.lower())
    written = _written(target, version) if target else None
    return Level(name=str(stored.name), model=stored.model, modelfile=written, capabilities=stored.capabilities)


def _written(target: Target, version: Version | None) -> Written | None:
    """Return what a Modelfile says, and in which lines; None if Ollama rejects it."""
    try:
        recipe = target.recipe(version)
        digests = _digests(target, recipe, version or NEWEST)
    except InputError:
        return None
    if not digests:
        recipe = replace(recipe, files=(), adapters=(), drafts=(), misplaced=frozenset())
    model = Model(weights=tuple(digests[path] for path in recipe.model_files)).with_recipe(recipe, digests, version)
    lines: dict[str, int] = {}
    for node in target.modelfile.of_type(Instruction):
        key = (
            f"parameter {node.name.text}"
            if isinstance(node, Parameter)
            else _FIELDS.get(type(node), command_name(node))
        )
        line = target.source.line_of(node.span.start)
        if node.value.text and (key not in lines or not _adds_up(node)):
            lines[key] = line
    return Written(path=target.source.path, model=model, lines=lines)


def _adds_up(node: Instruction) -> bool:
    """Return whether several instructions of a kind add up, so that the first one is where they start."""
    stops = isinstance(node, Parameter) and node.name.text == "stop"
    return stops or isinstance(node, License | Message | Adapter | Draft | From)


def _weights_of(stored: StoredModel, store: Store | None = None) -> KnownWeights:
    """Return what a model's store says of its weights; a folder, what their header says."""
    found = KnownWeights(
        family=stored.family,
        size=stored.size,
        quantization=stored.quantization,
        context_length=stored.context_length,
    )
    if store is None or not store.location.is_folder:  # a server has said it
        return found
    with contextlib.suppress(InputError):  # `mf store check` reports damaged weights
        for each in store.weights(stored):
            if each.facts.kind == "model":
                return _known(each.facts, found)
    return found


def _known(facts: WeightsFacts, said: KnownWeights) -> KnownWeights:
    """Return facts in a header as far as something else has not said them."""
    from modelfile.catalog.chat_templates import recognize

    known, is_proved = recognize(facts.chat_template) if facts.chat_template else (None, True)
    return KnownWeights(
        family=said.family or facts.architecture,
        size=said.size or (facts.parameter_size if facts.parameters else ""),
        quantization=said.quantization or facts.file_type,
        context_length=said.context_length or facts.context_length or 0,
        chat_template=facts.chat_template,
        recognized=known.name if known else "" if is_proved else None,
        has_projector=said.has_projector,
    )


def _local_weights(recipe: Recipe) -> KnownWeights:
    """Return the facts in the headers of local files: those of the first model, and whether there is a projector."""
    from modelfile.weights.reading import list_facts

    found = [*list_facts(recipe.weight_files)]
    known = KnownWeights(has_projector=any(facts.kind == "projector" for facts in found))
    for facts in found:
        if facts.kind == "model":
            return _known(facts, replace(known, quantization=recipe.quantize.upper()))
    return known


def _undecided_model(
    recipe: Recipe, digests: Mapping[Path, str], base: Model | None, weights: KnownWeights, version: Version
) -> tuple[Model, tuple[str, ...]]:
    """Return what is known before a build of a model of local files, and the parts that are not."""
    from modelfile.catalog.chat_templates import recognize

    if not digests:
        recipe = replace(recipe, files=(), adapters=(), drafts=(), misplaced=frozenset())
    is_unhashed = not digests
    if base:
        undecided = {"weights": bool(recipe.quantize), "adapter": is_unhashed or recipe.converts_adapters}
    else:
        known = recognize(weights.chat_template)[0] if weights.chat_template else None
        files = tuple(dict.fromkeys(digests[path] for path in recipe.weight_files))
        stop = {"stop": known.stop} if known and known.stop else {}
        base = Model(weights=files, family=weights.family, parameters=stop)
        is_unknown = weights.chat_template is None or weights.recognized is None
        undecided = {
            "weights": is_unhashed or bool(recipe.quantize),
            "template": not recipe.template,
            "parameter stop": is_unknown and "stop" not in recipe.parameters,
        }
    model = base.with_recipe(recipe, digests, version)
    return model, tuple(title for title, is_open in undecided.items() if is_open)
