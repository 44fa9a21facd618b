"""`mf show`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from modelfile.cli.locations import Location, Use, folder_of, location_of, open_folder, open_prefixed, open_store
from modelfile.cli.options import load_project, open_registry
from modelfile.cli.parameters import AsJson, Host, StoreFolder
from modelfile.errors import InputError, NotFound, ServerError, TemplateError, UsageError
from modelfile.library.lookup import find_named
from modelfile.library.lookup import show as find_model
from modelfile.names import Prefix, join_alternatives, modelfile_at, split_prefix
from modelfile.report.json_output import model_as_json, print_json
from modelfile.report.models import print_model
from modelfile.report.terminal import current
from modelfile.stores.protocol import Store, StoredModel

if TYPE_CHECKING:  # a plain `mf show` does not need them
    from modelfile.catalog.versions import Version
    from modelfile.manifest import Manifest
    from modelfile.names import ModelName
    from modelfile.prediction import ExpectedModel
    from modelfile.project.target import Target
    from modelfile.recipe.recipe import Recipe

_Options: TypeAlias = tuple[str | None, str | None]
"""The values of --host and --store."""


def show(  # noqa: PLR0913  # each is an option
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Model, digest, tag of the model here, Modelfile or registry:NAME.")
    ],
    host: Host = None,
    store: StoreFolder = None,
    *,
    modelfile: Annotated[
        bool, typer.Option("--modelfile", help="Print a Modelfile that builds the same model from this one.")
    ] = False,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Print the prompt that Ollama makes of TEXT.")
    ] = None,
    messages: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Print the prompt of the messages, or /api/chat request, in FILE or -."),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Print digest, config and layers of a model in a registry or a folder.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the manifest of a model in a registry or a folder, to the byte.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the contents of a model, or the exact prompt that its template makes of a request.

    NAME may be a Modelfile too: printed is what a build would create on the base that the server has, or without a
    server on the base in mf.lock, with a warning if its TEMPLATE drops capabilities of the base, such as tools. What
    only a build can tell is not printed: a model of local weights has to be built first.

    registry:NAME is a model in its registry: no server is asked, and the weights are not read. lock:NAME is a base as
    mf.lock has it, model:NAME a model on the server, store:NAME a model in a folder, file:PATH a Modelfile. They win
    over a model of that name.

    For a prompt, NAME may be a folder with a Modelfile too; without a server, the base is that of mf.lock, and a
    warning says if it cannot be read, which may change the prompt. A Modelfile is rendered as the configured version of
    Ollama does (default: the server's, or the newest if no server answers), a model as the server's version does.
    Ollama drops the oldest messages, but for system messages and the last one, if the prompt has more tokens than
    num_ctx; that is not shown, because `mf` has no tokenizer.

    With --prompt or --messages and --json: {"prompt", "ollama", "dropped_capabilities"}; ollama is the version that it
    is rendered for.

    With --json: {"name", "fingerprint", "digest", "weights", "adapters", "drafts", "parameters", "template", "system",
    "messages", "license", "renderer", "parser", "requires", "dropped_capabilities"}; all keys are always there. Of a
    Modelfile, name is its path and digest is null. With --layers: {"name", "digest", "registry", "size", "config",
    "layers"}, where config and each layer are {"kind", "media_type", "digest", "size"}; of a model in a folder, it is
    "store" instead of "registry".
    """
    if modelfile and as_json:
        raise UsageError("--modelfile cannot be used with --json")
    if layers or raw:
        if (modelfile, prompt, messages, raw and (layers or as_json)) != (False, None, None, False):
            raise UsageError("--layers and --raw cannot be used together or with another form of output")
        _show_manifest(name, (host, store), raw=raw, as_json=as_json)
        return
    if prompt is not None or messages is not None:
        if modelfile or (prompt is not None and messages is not None):
            raise UsageError("--prompt, --messages and --modelfile cannot be used together")
        _show_prompt(name, (host, store), prompt=prompt, messages=messages, as_json=as_json)
        return
    if path := modelfile_at(name, folder_is_model=True):
        if modelfile:
            raise UsageError(f"--modelfile needs a model: `{name}` is a file")
        _show_expected(load_project().at(path), (host, store), as_json=as_json)
        return
    with _opened(name, (host, store)) as (stored, _):
        pass
    if as_json:
        print_json(model_as_json(stored.name, stored.model, stored.fingerprint, stored.digest), current.get())
    elif modelfile:
        from modelfile.importer import export

        current.get().write_content(export(stored))
    else:
        print_model(stored.name, stored.model, stored.fingerprint, stored.digest, current.get())


def _show_expected(target: Target, options: _Options, *, as_json: bool) -> None:
    """Print the model that a build of a Modelfile would create."""
    from modelfile.catalog.versions import release
    from modelfile.prediction import expect, version_for
    from modelfile.recipe.model import fingerprint
    from modelfile.report.plans import print_dropped_capabilities

    terminal = current.get()
    project = target.project
    with open_store(*options, use=Use.READ) as store, open_registry(project.config) as registry:
        _recipe_of(target, release(version_for(target, store)))
        expected = expect(target, store, registry)
    if expected is None:
        raise UsageError(
            f"cannot show `{target.path}`: only a build can tell what Ollama makes of the local files",
            hint="build it, and pass the name of the model",
        )
    print_dropped_capabilities(f"`{target.path}`", expected, terminal)
    made = fingerprint(expected.model)
    if as_json:
        dropped = [name for name, _ in expected.dropped_capabilities]
        print_json(model_as_json(target.path, expected.model, made, dropped=dropped), terminal)
    else:
        print_model(target.path, expected.model, made, None, terminal)


def _show_manifest(name: str, options: _Options, *, raw: bool, as_json: bool) -> None:
    """Print the layers of a model in a registry or a folder, or its manifest as it is."""
    from modelfile.report.json_output import manifest_as_json
    from modelfile.report.models import print_layers

    shown, manifest, kind, location = _manifest_of(name, options, "raw" if raw else "layers")
    if raw:
        current.get().write_content(manifest.text)
    elif as_json:
        print_json(manifest_as_json(shown, manifest, kind, location), current.get())
    else:
        print_layers(shown, manifest, kind, location, current.get())


def _manifest_of(name: str, options: _Options, option: str) -> tuple[ModelName, Manifest, str, str]:
    """Return the name of a model, its manifest, and the kind and the location of what has it.

    Raises:
        UsageError: It is neither in a registry nor in a folder: a server does not give out manifests.
    """
    from modelfile.library.published import resolve_published
    from modelfile.names import ModelName

    prefix, rest = split_prefix(name)
    if prefix is Prefix.REGISTRY:
        parsed = ModelName.parse(rest)
        with open_registry(load_project().config) as registry:
            return parsed, resolve_published(parsed, registry), "registry", registry.url(parsed)
    if prefix is Prefix.STORE:
        location: Location | None = folder_of(options[1], Use.READ)
    else:
        location = location_of(*options) if prefix in (None, Prefix.MODEL) else None
    if not isinstance(location, Path):
        hint = f"write `registry:{rest}`, or name a folder with --store" if location else "write `registry:NAME`"
        raise UsageError(f"--{option} needs a model in a registry or a folder", hint=hint)
    with open_folder(location, use=Use.READ) as store:
        found = find_named(rest, store.list(), store)
        if manifest := store.manifest(found.name):
            return found.name, manifest, "store", str(store.location)
        raise NotFound(f"{found.name} not found {store.location.where}")


def _show_prompt(  # as of the command
    name: str, options: _Options, *, prompt: str | None, messages: str | None, as_json: bool
) -> None:
    from modelfile.library.requests import prompt_of, read_chat, reject_jinja
    from modelfile.prediction import ExpectedModel
    from modelfile.report.plans import print_dropped_capabilities

    request = read_chat(Path(messages), current.get().stdin.buffer) if messages is not None else prompt or ""
    path = modelfile_at(name)
    target = load_project().at(path) if path else None
    if target:
        expected, version, family, warnings = _model_of(target, options)
        own_name = target.name
    else:
        with _opened(name, options) as (stored, store):
            version = _rendered_version(store)
        expected, warnings = ExpectedModel(model=stored.model, base=None, version=str(version)), []
        family, own_name = stored.family, stored.name
    server_model = expected.base.model if expected.base else None if target else expected.model
    try:
        if server_model and server_model.template == expected.model.template:
            reject_jinja(server_model.template, version)
        text = prompt_of(expected.model, request, version, family=family, name=own_name.model if own_name else "")
    except TemplateError as error:
        where, reason = _locate(error, target) if target else (name, error.message)
        raise TemplateError(reason, where=where, span=error.span, hint=error.hint) from error
    except InputError as error:
        raise InputError(f"`{messages}`: {error.message}", hint=error.hint) from error
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", hint=error.hint) from error
    for warning in warnings:
        current.get().print_warning(warning)
    print_dropped_capabilities(f"`{path}`", expected, current.get())
    if as_json:
        dropped = [name for name, _ in expected.dropped_capabilities]
        print_json({"prompt": text, "ollama": str(version), "dropped_capabilities": dropped}, current.get())
    else:
        ends_line = text.endswith("\n") or not current.get().is_tty()
        if not current.get().write_without_commands(text if ends_line else f"{text}\n"):
            current.get().print_note("commands to the CI system are escaped in the prompt; `--json` prints it exactly")


def _locate(error: TemplateError, target: Target) -> tuple[str, str]:
    """Return the location of an error in a Modelfile, and its reason; the path alone if the base has the template."""
    from modelfile.syntax.nodes import Template

    template = target.modelfile.last(Template)
    if template is None or not template.value.text:
        return str(target.path), error.message
    position = target.source.position(target.modelfile.locate(template.value, error.span.start))
    return f"{target.path}:{position.line}:{position.column}", error.reason


def _model_of(target: Target, options: _Options) -> tuple[ExpectedModel, Version, str, list[str]]:
    """Return the model that a Modelfile makes, without its files, and how to render it.

    Returns:
        The model, the version to render it for, the architecture of its weights, and reasons for which Ollama may send
        another prompt.
    """
    from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES
    from modelfile.catalog.versions import NEWEST, Version
    from modelfile.prediction import ExpectedModel
    from modelfile.recipe.model import Model

    configured = target.config.ollama
    version = Version.parse(configured) if configured else None
    recipe = _recipe_of(target, version)
    if not recipe.template and recipe.base is None:
        raise UsageError(
            f"`{target.path}` has no TEMPLATE: Ollama takes one from the weights when it creates the model",
            hint="build it, and pass the name of the model",
        )
    base, family, stored, warnings = Model(), "", None, list[str]()
    if recipe.base is None:
        family = _family_of(recipe.files)
    else:
        try:
            with open_store(*options, use=Use.READ) as store:
                version = version or _rendered_version(store)
                stored = find_model(recipe.base, store)
        except (ServerError, UsageError) as error:
            stored = _locked_base(target, options)
            if stored is None and not recipe.template:
                raise
            words = [word for word, value in (("SYSTEM", recipe.system), ("MESSAGE", recipe.messages)) if not value]
            changes = " or ".join((", ".join(words), "RENDERER") if words else ("RENDERER",))
            if stored is None:
                warnings.append(f"the base may change this prompt by its {changes}: {error.message}")
        if stored:
            base, family = stored.model, stored.family
    version = version or NEWEST
    model = base.with_recipe(replace(recipe, files=(), adapters=(), drafts=()), {}, version)
    renderer, since = RENDERERS_OF_ARCHITECTURES.get(family, ("", version))
    if not model.renderer and version >= since:
        model = replace(model, renderer=renderer)
    if preferred := _preferred(target, version):
        reason = f"the chat template inside the weights supports {preferred}, and this one does not"
        warnings.append(f"Ollama {version} ignores this TEMPLATE and sends another prompt: {reason}")
    return ExpectedModel(model=model, base=stored, version=str(version)), version, family, warnings


def _locked_base(target: Target, options: _Options) -> StoredModel | None:
    """Return the base as mf.lock has it; None if it does not, or if its layers cannot be read."""
    from modelfile.prediction import find_locked_base

    with (
        suppress(ServerError),
        open_store(*options, use=Use.READ) as store,
        open_registry(target.project.config) as registry,
    ):
        return find_locked_base(target, store, registry)
    return None


def _preferred(target: Target, version: Version) -> str | None:
    """Return what the chat template inside local weights supports in addition, if Ollama prefers it to TEMPLATE."""
    from modelfile.catalog.catalog import catalog
    from modelfile.linter.context import context_of
    from modelfile.linter.rules.template.template_ignored import find_preferred

    return find_preferred(target.modelfile, context_of(target, catalog(version), has_folder=target.has_folder))


def _family_of(files: Iterable[Path]) -> str:
    """Return the architecture of the first model in local files; empty if there is none."""
    from modelfile.weights.gguf import read_header

    for path in files:
        with suppress(InputError):
            if (architecture := read_header(path).architecture) != "clip":
                return architecture
    return ""


def _recipe_of(target: Target, version: Version | None) -> Recipe:
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


def _rendered_version(store: Store | None) -> Version:
    """Return the version of a store's Ollama, or without one the configured version; default: the newest."""
    from modelfile.catalog.versions import NEWEST, Version, release

    if store:
        return release(store.ollama) or NEWEST
    configured = load_project().config.ollama
    return Version.parse(configured) if configured else NEWEST


@contextmanager
def _opened(name: str, options: _Options) -> Iterator[tuple[StoredModel, Store | None]]:
    """Yield a model, and the store that has it; None if it is in a registry."""
    prefix, rest = split_prefix(name)
    if prefix is Prefix.REGISTRY:
        from modelfile.library.published import show_published

        with open_registry(load_project().config) as registry:
            yield show_published(rest, registry), None
        return
    if prefix is Prefix.LOCK:
        from modelfile.sides import show_locked

        project = load_project()
        with open_store(*options, use=Use.READ) as store, open_registry(project.config) as registry:
            yield show_locked(rest, project, store, registry), None
        return
    if prefix is Prefix.STORE:
        with open_prefixed(options[1]) as store:
            yield find_model(rest, store), store
        return
    with open_store(*options, use=Use.READ) as store:
        yield find_model(rest, store) if prefix is Prefix.MODEL else _find(name, store), store


def _find(name: str, store: Store) -> StoredModel:
    """Return a model of the server, or where there is none, the tag of the model here that a word means."""
    try:
        return find_model(name, store)
    except NotFound as error:
        from modelfile.sides import find_models, tags_here

        project = load_project()
        found = find_models([name], project, store, current.get().print_note)
        if name in found and (stored := store.find(found[name])):
            return stored
        if name not in found and (tried := tags_here(name, project)):
            raise NotFound(f"{error.message}, nor {join_alternatives(tried)}", hint=error.hint) from error
        raise
