"""Modelfiles of stored models: each builds the same model again, which is proved before it is returned."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.catalog.behaviors import KEEPS_WEIGHTS
from modelfile.catalog.catalog import catalog
from modelfile.catalog.versions import NEWEST, Version, release
from modelfile.characters import escape_controls
from modelfile.differ.comparison import DERIVED, Aspect, Change
from modelfile.differ.models import compare_models
from modelfile.errors import InputError, ModelfileError
from modelfile.filesystem import expand
from modelfile.immutable import record, replace
from modelfile.importer.first import modelfile_on
from modelfile.importer.origins import is_library, possible_bases
from modelfile.manifest import digest_of
from modelfile.names import ModelName, join_words, shorten_digest
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Recipe, resolve
from modelfile.recipe.values import canonical
from modelfile.source import Source
from modelfile.stores.protocol import Store, StoredModel
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.quoting import quote

if TYPE_CHECKING:
    from modelfile.manifest import Layer
    from modelfile.recipe.values import ParameterValue
    from modelfile.weights.header import GGUFHeader

FindBase: TypeAlias = Callable[[ModelName], StoredModel | None]
"""Returns the model of a name, as a build would have it as a base; None if there is none."""
_Line: TypeAlias = tuple[str, str]
"""The words of an instruction before its value, and the value."""
_BLOB_NOTE: Final = (
    "# The weights have no name, and this path is on this machine only: `--weights DIR` takes a copy along."
)
_TOO_LARGE: Final = 2**63
"""The smallest whole number that does not fit in 64 bits."""
_TEXTS: Final = ("template", "system")
_WORDS: Final = ("renderer", "parser", "requires")


@record(kw_only=True)
class _Base:
    """A base that FROM may name."""

    written: tuple[str, ...]
    """The values of FROM."""
    model: Model
    """The model to which the other instructions are added."""
    files: Mapping[str, str]
    """Paths of files by digest, as written."""
    name: ModelName | None = None
    """Its name; None for weights."""
    note: str = ""
    explicit: frozenset[str] = frozenset()
    """The names of what is to be written in any case."""


def export(
    stored: StoredModel,
    store: Store,
    *,
    find: FindBase | None = None,
    locked: Iterable[ModelName] = (),
    files: Mapping[str, str] | None = None,
    folder: Path = Path(),
) -> str:
    r"""Return a Modelfile that builds the same model; only what its base does not have is written.

    The base is the first of these that is proved to give the model: the one that it was created from; one in mf.lock,
    or a model of Ollama's library in the store, with the same weights; the model itself, if it was pulled; the weights;
    and the model itself, if it may have been pulled.

    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> recipe = modelfile.resolve(modelfile.parse("FROM llama3.2:3b\nSYSTEM Be brief."), Path())
    >>> store.create(ModelName.parse("bot:v1"), recipe, {}, lambda _: None)
    >>> export(modelfile.show("bot:v1", store), store).splitlines()[1:]
    ['FROM llama3.2:3b', '', 'SYSTEM Be brief.']

    Args:
        stored: The model.
        store: The store that has it, and that is to build it.
        find: Returns a base by its name (default: from the store).
        locked: The names of bases in mf.lock.
        files: Paths of its weights, adapters and drafts by digest, as they are to be written in the place of a base
            (default: a base or, if none will do, the blobs of the store).
        folder: The folder that the Modelfile is for.

    Raises:
        InputError: No Modelfile builds the model; the message names what it cannot express.
        ServerError: The store cannot answer.
    """
    search, known = find or store.find, blobs_of(stored) if files is None else files
    errors: list[InputError] = []
    for name in dict.fromkeys(possible_bases(stored, store.list(), locked)) if files is None else ():
        try:
            if base := _named(stored, name, search, known):
                return _write(stored, base, folder, release(store.for_base(is_named=True).ollama))
        except InputError as error:
            if name in (stored.base_name, stored.name):  # what only has the same weights may be no base of it
                errors.append(error)
    if {*stored.model.weights} <= known.keys():
        try:
            version = release(store.for_base(is_named=False).ollama)
            base = _weights(stored, known, folder, version, _BLOB_NOTE if files is None else "")
            return _write(stored, base, folder, version)
        except InputError as error:
            errors.append(error)
    if errors:
        raise InputError(f"cannot write a Modelfile of {stored.name}: {errors[0].message}", hint=errors[0].hint)
    if not stored.parent or is_library(stored.name):
        return modelfile_on(stored.name, stored)
    raise _without_base(stored, store)


def _without_base(stored: StoredModel, store: Store) -> InputError:
    parent, name, where = stored.base_name, stored.name, store.location.where
    reason = f"its base {parent} not found {where}" if parent else f"its weights have no name {where}"
    hint = f"on the machine of the server, take them along: `mf init {name} --store DIR --weights DIR`"
    hint = f"pull the base: `mf pull {parent}`" if parent else hint
    return InputError(f"cannot write a Modelfile of {name}: {reason}", hint=hint)


def _named(stored: StoredModel, name: ModelName, find: FindBase, files: Mapping[str, str]) -> _Base | None:
    base = stored if name.same_as(stored.name) else find(name)
    weights = base.model.weights if base else ()
    if base is None or not weights or weights != stored.model.weights[: len(weights)]:
        return None
    return _Base(written=(str(name),), model=base.model, name=name, files=files)


def blobs_of(stored: StoredModel) -> Mapping[str, str]:
    """Return the paths of the blobs of a model's files by digest, as far as they are on this machine."""
    if stored.blobs is None or not stored.blobs.is_absolute():
        return {}
    paths = {digest: stored.blobs / digest.replace(":", "-") for digest in stored.model.files}
    return {digest: str(path) for digest, path in paths.items() if path.is_file()}


def _weights(stored: StoredModel, files: Mapping[str, str], folder: Path, version: Version | None, note: str) -> _Base:
    """Return the weights as a base: the model that Ollama makes of them, with what it detects in them.

    Newer versions may rewrite weights, but not those that Ollama has in a store (measured on 0.33).

    Raises:
        InputError: That cannot be known without a build.
    """
    from modelfile.stores.disk.create import model_of_files

    model, (first, *projectors) = stored.model, stored.model.weights
    if len(projectors) > 1:
        raise InputError(f"{len(projectors)} projectors, which Ollama takes from files in no fixed order")
    path, stop = expand(files[first], folder), {key: value for key, value in model.parameters.items() if key == "stop"}
    problem: ModelfileError
    for explicit in ((), ("template",), ("template", *stop)):
        recipe = Recipe(
            files=(path,),
            template=model.template if "template" in explicit else "",
            parameters=stop if "stop" in explicit else {},
        )
        try:
            made = model_of_files(
                recipe, {path: first}, _Translation(model.template), min(version or NEWEST, KEEPS_WEIGHTS)
            )
        except ModelfileError as error:
            problem = error
            continue
        return _Base(
            written=tuple(files[digest] for digest in model.weights),
            model=replace(made, weights=model.weights),
            files=files,
            note=note,
            explicit=frozenset(explicit),
        )
    raise InputError(problem.message, hint=problem.hint)


@record()
class _Translation:
    """The blobs of a store, of which only the model's template counts: it may be what Ollama makes of the weights'."""

    template: str

    def size(self, digest: str) -> int | None:
        """Return the size of the template."""
        content = self.template.encode()
        return len(content) if digest == digest_of(content) else None

    def path(self, digest: str) -> Path:
        """Return a path that nothing reads."""
        return Path(digest)

    def header(self, digest: str) -> GGUFHeader:
        """Reject what is not among the files."""
        raise InputError(f"blob {digest} is missing")

    def read(self, layer: Layer) -> bytes:
        """Return the template."""
        del layer
        return self.template.encode()


def _write(stored: StoredModel, base: _Base, folder: Path, version: Version | None) -> str:
    """Return the Modelfile of a model on a base.

    Raises:
        InputError: It would build another model.
    """
    if base.name and stored.name.same_as(base.name):
        return modelfile_on(base.name, stored)
    inherited = base.model.with_recipe(Recipe(base=str(base.name) if base.name else None), {}, version)
    groups = [
        "\n".join(_instruction(words, value, version) for words, value in group)
        for group in _groups(stored.model, inherited, base)
        if group
    ]
    head = [f"# Written by `mf init` from {stored.name} ({shorten_digest(stored.fingerprint)})", base.note]
    text = "\n".join(filter(None, head)) + "\n" + "\n\n".join(groups) + "\n"
    made = _built(text, base, folder, version)
    changes = [change for change in compare_models(made, stored.model) if change.aspect not in DERIVED]
    if changes:
        raise InputError(_reason(changes, base))
    return text


def _groups(model: Model, inherited: Model, base: _Base) -> Iterator[list[_Line]]:
    """Yield the instructions that turn a base into a model, in groups, with an empty line between them."""
    yield [("FROM", value) for value in base.written]
    added = {"ADAPTER": model.adapters[len(inherited.adapters) :], "DRAFT": model.drafts[len(inherited.drafts) :]}
    yield [(word, _path(word, digest, base.files)) for word, digests in added.items() for digest in digests]
    yield [
        (f"PARAMETER {name}", text)
        for name, value in sorted(model.parameters.items())
        if name in base.explicit or _is_other(value, inherited.parameters.get(name))
        for text in _texts(value)
    ]
    for name in _TEXTS:
        yield _changed(name, model, inherited, base.explicit)
    yield [line for name in _WORDS for line in _changed(name, model, inherited)]
    if model.license != inherited.license:
        yield [("LICENSE", model.license.removeprefix(f"{inherited.license}\n" if inherited.license else ""))]
    if model.messages != inherited.messages:
        yield [(f"MESSAGE {message.role}", message.content) for message in model.messages]


def _changed(name: str, model: Model, inherited: Model, explicit: frozenset[str] = frozenset()) -> list[_Line]:
    value = getattr(model, name)
    return [(name.upper(), value)] if value and (name in explicit or value != getattr(inherited, name)) else []


def _is_other(value: ParameterValue, inherited: ParameterValue | None) -> bool:
    return inherited is None or type(canonical(value)) is not type(canonical(inherited)) or value != inherited


def _path(word: str, digest: str, files: Mapping[str, str]) -> str:
    if digest not in files:
        hint = "on the machine of the server, pass the folder of its models: `--store DIR`"
        raise InputError(f"its {word} has no name, and its file is not on this machine", hint=hint)
    return files[digest]


def _texts(value: ParameterValue) -> tuple[str, ...]:
    match value:
        case tuple():
            return value
        case bool():
            return (str(value).lower(),)
        case _:
            # a store has 2^63 for the largest number of 64 bits, which it rounds
            return (str(int(value) - (value == _TOO_LARGE)) if float(value).is_integer() else repr(value),)


def _instruction(words: str, value: str, version: Version | None) -> str:
    word = words.partition(" ")[0]
    if word not in catalog(version).instructions:
        raise InputError(f"Ollama {version} does not support {word}")
    if not re.fullmatch(r"[A-Z]+(?: \w+)?", words, re.ASCII):
        raise InputError(f"no Modelfile can write {word} `{escape_controls(words.removeprefix(f'{word} '))}`")
    try:
        return f"{words} {quote(value)}"
    except InputError as error:
        raise InputError(f"{words}: {error.message}") from error


def _built(text: str, base: _Base, folder: Path, version: Version | None) -> Model:
    """Return the model that a Modelfile builds.

    Raises:
        InputError: Ollama would reject it, or FROM would mean something else than the base.
    """
    modelfile = Modelfile.parse(Source(text=text))
    if first := modelfile.first_error:
        word = text[: first.span.end].rpartition("\n")[2].partition(" ")[0]
        raise InputError(f"{word}: {first.message}")
    recipe = resolve(modelfile, folder, version)
    digests = {expand(path, folder): digest for digest, path in base.files.items()}
    if recipe.base != (str(base.name) if base.name else None):
        what = f"FROM would mean the file `{recipe.files[0]}`" if recipe.files else "FROM would mean another model"
        raise InputError(what, hint="write the Modelfile to another folder")
    if not {*recipe.local_files} <= digests.keys():
        raise InputError("the paths of its weights cannot be written in a Modelfile")
    return base.model.with_recipe(recipe, digests, version)


def _reason(changes: Iterable[Change], base: _Base) -> str:
    """Return why a Modelfile cannot make changes to a base."""
    where = f"its base {base.name}" if base.name else "the model that Ollama makes of its weights"
    words: dict[str, dict[str, None]] = {}
    for change in changes:
        is_parameter = change.aspect is Aspect.PARAMETER
        if change.new is None:
            reason = f"{where} has {{}}, which no instruction removes"
        elif change.old is None or is_parameter:
            reason = "no instruction gives it its {}"
        else:
            reason = f"{where} has another {{}}, which no instruction replaces"
        word = f"PARAMETER {escape_controls(change.name)}" if is_parameter else change.aspect.upper()
        words.setdefault(reason, {})[word] = None
    return "; ".join(reason.format(join_words([*each])) for reason, each in words.items())
