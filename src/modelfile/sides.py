"""The sides of `mf diff`: a Modelfile, a model in a store, or a tag of this project's model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from modelfile.builder.forecast import expected_model
from modelfile.differ import Change, compare_models, compare_recipes
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.library import show
from modelfile.names import ModelName, digest_start, model_for
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.recipe.model import Model
from modelfile.stores.protocol import Store


def diff(
    a: str, b: str, project: Project, store: Store, check: Callable[[Target], object] = lambda _: None
) -> tuple[Change, ...]:
    r"""Return the changes between two models, by meaning.

    Two Modelfiles are compared as written, without the store.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> modelfile.diff("llama3.2:3b", "Modelfile", modelfile.Project(), store)
    (Change(aspect=<Aspect.SYSTEM: 'system'>, name='', old=None, new='Be brief.'),)

    Args:
        a: A Modelfile, a model in the store or the start of its digest, or a tag of the project's only model.
        b: The same.
        project: The project that tags and paths belong to.
        store: The store of the models.
        check: Called with each Modelfile; raises an error if it cannot be used.

    Raises:
        InputError: A Modelfile does not exist or is rejected.
        NotFound: A side is neither a file nor a model in the store.
        ServerError: The store cannot answer.
    """
    old, new = _target(a, project), _target(b, project)
    for side in filter(None, (old, new)):
        check(side)
    if old and new:
        return compare_recipes(old.recipe(), new.recipe(), {**old.digests(), **new.digests()})
    if old:
        model = _stored(b, project, store)
        return compare_models(_expected(old, model, store), model)
    model = _stored(a, project, store)
    return compare_models(model, _expected(new, model, store) if new else _stored(b, project, store))


def _target(text: str, project: Project) -> Target | None:
    path = Path(text)
    if path.is_dir() and (path / "Modelfile").is_file():
        path /= "Modelfile"
    if path.is_file():
        return Target(project, path)
    if text.startswith((".", "/", "~")):
        raise InputError(f"file not found: `{text}`")
    return None


def _expected(target: Target, other: Model, store: Store) -> Model:
    """Return the model that a build would create now; parts that only the store knows are taken from `other`."""
    recipe, base = target.recipe(), None
    if recipe.base:
        name = ModelName.parse(recipe.base)
        base = store.find(name)
        if base is None:
            hint = f"run `mf pull {name}`; two Modelfiles can be compared without a server"
            raise NotFound(f"base {name} of `{target.path}` not found on {store.location}", hint=hint)
    base_model = base.model if base else None
    return expected_model(recipe, target.digests(), base=base_model, created=other, version=store.ollama)


def _stored(text: str, project: Project, store: Store) -> Model:
    names = _names(text, project)
    for name in names:
        if found := store.find(name):
            return found.model
    if digest_start(text):
        with contextlib.suppress(NotFound):
            return show(text, store).model
    tried = " or ".join(str(name) for name in names) or "its digest"
    hint = "name a Modelfile, a model, or a tag of this folder's model"
    raise NotFound(f"no file or model `{text}` (looked for {tried} on {store.location})", hint=hint)


def _names(text: str, project: Project) -> list[ModelName]:
    """Return the names that a side may mean: first a tag of the project's only model, then a model."""
    if digest_start(text) and "…" in text:
        return []
    names = [name for name in [tag_here(text, project)] if name]
    try:
        names.append(ModelName.parse(text))
    except UsageError:
        if not names:
            raise
    return names


def tag_here(text: str, project: Project) -> ModelName | None:
    """Return the tag of the project's only model that a word may mean, as `bot:v1` for `v1` in the folder `bot`.

    Args:
        text: A word without `/` and `:`; any other means no tag.
        project: The project whose current folder or lock names the model.

    Returns:
        None if the text is no tag, or the project has no only model.
    """
    if {"/", ":"} & set(text) or not (model := _project_model(project)):
        return None
    try:
        return ModelName.parse(f"{model}:{text}")
    except UsageError:  # a folder may have a name that no model can have
        return None


def _project_model(project: Project) -> str | None:
    """Return the model of this folder's Modelfile, or of the only Modelfile in the lock."""
    if Path("Modelfile").is_file():
        return model_for(Path("Modelfile"))
    lock = project.find_lock(project.start)
    keys = list(lock.lock.modelfiles) if lock else []
    return model_for(lock.path.parent / keys[0]) if lock and len(keys) == 1 else None
