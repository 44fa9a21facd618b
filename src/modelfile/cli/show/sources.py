"""The models and Modelfiles that `mf show` can print."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelfile.cli.locations import Use, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.errors import InputError, NotFound, ServerError, ServerUnreachable, UsageError
from modelfile.immutable import record, replace
from modelfile.library.lookup import show as find_model
from modelfile.names import Prefix, is_path, join_alternatives, modelfile_at, split_prefix
from modelfile.report.terminal import current
from modelfile.stores.protocol import Store, StoredModel

if TYPE_CHECKING:  # a plain `mf show` does not need them
    from modelfile.catalog.versions import Version
    from modelfile.project.target import Target
    from modelfile.recipe.recipe import Recipe
    from modelfile.weights.reading import Weights

Options: TypeAlias = tuple[str | None, str | None]
"""The values of --host and --store."""


_REPOSITORIES: Final = ("hf.co/", "huggingface.co/")
_SUFFIXES: Final = (".gguf", ".safetensors")


@record(kw_only=True)
class WeightsOptions:
    """The options of `mf show` that are about weights."""

    tensors: bool = False
    values: bool = False
    template: bool = False
    sha256: bool = False
    as_json: bool = False

    @property
    def asked(self) -> bool:
        """True if an option asks for weights, whatever the argument names."""
        return self.tensors or self.values or self.template or self.sha256


def names_weights(name: str, options: Options) -> bool:
    """Return whether an argument names weights, and not a model or a Modelfile."""
    return names_local_weights(name) or names_repository(name, options)


def names_local_weights(name: str) -> bool:
    """Return whether an argument is the path of weights: a GGUF or safetensors file, or a folder of them.

    What can only be the path of weights is, if there is nothing or no file, so that an error says that.
    """
    prefix, rest = split_prefix(name)
    if prefix not in (None, Prefix.FILE) or rest.lower().startswith(_REPOSITORIES):
        return False
    if rest.lower().endswith(_SUFFIXES):
        return True
    if not os.path.exists(rest):  # noqa: PTH110  # quicker than a Path
        return False
    from modelfile.weights.reading import is_weights

    path = Path(rest)
    is_other = not path.is_file() and is_path(rest) and not (path / "Modelfile").is_file()
    return is_other or is_weights(path)


def names_repository(name: str, options: Options) -> bool:
    """Return whether an argument names weights that are read from their repository, because no store is named."""
    return name.lower().startswith(_REPOSITORIES) and options == (None, None)


def read_name(name: str) -> Weights | None:
    """Return the weights of a model as its tag names their size and quantization; None if it does not name both."""
    from modelfile.catalog.families import family_of
    from modelfile.catalog.file_types import read_tag
    from modelfile.names import ModelName
    from modelfile.weights.facts import facts_of, header_from_info
    from modelfile.weights.reading import Weights
    from modelfile.weights.types import FILE_TYPES

    try:
        parsed = ModelName.parse(name)
    except UsageError:
        return None
    if (found := read_tag(parsed.tag)) is None:
        return None
    parameters, kind = found
    number = next(number for number, each in FILE_TYPES.items() if each == kind.name)
    info: dict[str, Any] = {"general.parameter_count": parameters, "general.file_type": number}
    if (family := family_of(parsed)) and family.architecture:
        info["general.architecture"] = family.architecture
        info[f"{family.architecture}.context_length"] = family.context
    header = header_from_info(info)
    return Weights(name=str(parsed), facts=replace(facts_of(header), chat_template=None), header=header)


def name_only(name: str, error: ServerError, option: str = "") -> Weights:
    """Return the weights of a model as its tag names them, with a warning that nothing else could be read.

    Args:
        name: The argument.
        error: The reason for which the model cannot be read; its hint is kept if the store does not have the model.
        option: The option of the form of output, for the hint.

    Raises:
        ServerError: The error that is given, if the tag does not name size and quantization.
    """
    prefix, rest = split_prefix(name)
    if prefix not in (None, Prefix.MODEL, Prefix.STORE) or (named := read_name(rest)) is None:
        raise error
    hint = error.hint if isinstance(error, NotFound) else f"`mf show registry:{rest}{option}` reads more"
    current.get().print_warning(f"only the name is read: {error.message}", hint)
    return named


def target_of(name: str, options: Options, *, folder_is_model: bool = True) -> Target | None:
    """Return the Modelfile that an argument names, also at a revision of git; None if it names a model.

    Args:
        name: The argument.
        options: The values of --host and --store.
        folder_is_model: Whether the name of a folder with a Modelfile is that of a model.
    """
    if split_prefix(name)[0] is not Prefix.GIT:
        path = modelfile_at(name, folder_is_model=folder_is_model)
        return load_project().at(path) if path else None
    from modelfile.comparisons.sides import ModelfileSide, Sources, read_side

    with open_store(*options, use=Use.READ) as store:
        side = read_side(name, Sources(project=load_project(), store=store))
    return side.target if isinstance(side, ModelfileSide) else None


def recipe_of(target: Target, version: Version | None) -> Recipe:
    """Return the recipe of a Modelfile that Ollama accepts."""
    if first := target.modelfile.first_error:
        reason = f"line {target.source.line_of(first.span.start)}: {first.message}"
    else:
        try:
            return target.recipe(version)
        except InputError as error:
            reason = error.message
    message = f"cannot show `{target.path}`: Ollama would reject it ({reason})"
    raise InputError(message, hint=f"run `mf lint {target.path}` for all errors")


def rendered_version(store: Store | None) -> Version:
    """Return the version of a store's Ollama, or without one the configured version; default: the newest."""
    from modelfile.catalog.versions import NEWEST, Version, release

    if store:
        return release(store.ollama) or NEWEST
    configured = load_project().config.ollama
    return Version.parse(configured) if configured else NEWEST


@contextmanager
def open_model(name: str, options: Options) -> Iterator[tuple[StoredModel, Store | None]]:
    """Yield a model, and the store that has it; None if it is in a registry or a lock."""
    host, folder = options
    prefix = split_prefix(name)[0]
    if prefix is Prefix.GIT:
        raise UsageError(f"`{name}` is no model: `git:` is for Modelfiles", hint="name a model")
    if prefix in (None, Prefix.FILE):
        try:
            with open_store(host, folder, use=Use.READ) as store:
                yield _find(name, store), store
        except ServerUnreachable as error:
            _suggest_folder(name, error)
            raise
        return
    from modelfile.comparisons.sides import Sources, read_prefixed

    project = load_project()
    with (
        open_store(host, None if host else folder, use=Use.READ) as store,
        open_prefixed(folder) as opened,
        open_registry(project.config) as registry,
    ):
        yield read_prefixed(name, Sources(project=project, store=store, folder=opened, registry=registry))


def _suggest_folder(name: str, error: ServerError) -> None:
    """Suggest the folder of a Modelfile that has the name of the model that cannot be had, if no model is suggested."""
    is_suggested = (error.hint or "").startswith("did you mean")
    if not is_suggested and (Path(name) / "Modelfile").is_file():
        error.hint = f"write `./{name}` for the folder"


def _find(name: str, store: Store) -> StoredModel:
    """Return a model of the server, or where there is none, the tag of the model here that a word means."""
    try:
        return find_model(name, store)
    except NotFound as error:
        _suggest_folder(name, error)
        from modelfile.library.tags import find_models, tags_here

        project = load_project()
        found = find_models([name], project, store, current.get().print_note)
        if name in found and (stored := store.find(found[name])):
            return stored
        if name not in found and (tried := tags_here(name, project)):
            raise NotFound(f"{error.message}, nor {join_alternatives(tried)}", hint=error.hint) from error
        raise
