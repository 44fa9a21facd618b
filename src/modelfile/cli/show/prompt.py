"""`mf show --prompt` and `--messages`: the prompt that Ollama makes of a request."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from modelfile.cli.locations import Use, open_store
from modelfile.cli.options import open_registry
from modelfile.cli.show.sources import Options, open_model, recipe_of, rendered_version, target_of
from modelfile.errors import InputError, ServerError, TemplateError, UsageError
from modelfile.immutable import replace
from modelfile.library.lookup import show as find_model
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:  # only types, imported where they are used
    from modelfile.catalog.versions import Version
    from modelfile.prediction import ExpectedModel
    from modelfile.project.target import Target
    from modelfile.stores.protocol import StoredModel


def show_prompt(name: str, options: Options, *, prompt: str | None, messages: str | None, as_json: bool) -> None:
    """Print the prompt that Ollama makes of a text, or of the messages in a file."""
    from modelfile.library.requests import prompt_of, read_chat, reject_jinja
    from modelfile.prediction import ExpectedModel
    from modelfile.report.plans import print_dropped_capabilities

    request = read_chat(Path(messages), current.get().stdin.buffer) if messages is not None else prompt or ""
    target = target_of(name, options, folder_is_model=False)
    if target:
        expected, version, family, warnings = _model_of(target, options)
        own_name = target.name
    else:
        with open_model(name, options) as (stored, store):
            version = rendered_version(store)
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
    print_dropped_capabilities(f"`{target.path if target else name}`", expected, current.get())
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


def _model_of(target: Target, options: Options) -> tuple[ExpectedModel, Version, str, list[str]]:
    """Return the model that a Modelfile makes, without its files, and how to render it.

    Returns:
        The model, the version to render it for, the architecture of its weights, and reasons for which Ollama may send
        another prompt.
    """
    from modelfile.catalog.renderers import RENDERERS_OF_ARCHITECTURES
    from modelfile.catalog.versions import NEWEST, Version
    from modelfile.prediction import ExpectedModel
    from modelfile.recipe.model import Model
    from modelfile.weights.reading import model_facts

    configured = target.config.ollama
    version = Version.parse(configured) if configured else None
    recipe = recipe_of(target, version)
    if not recipe.template and recipe.base is None:
        raise UsageError(
            f"`{target.path}` has no TEMPLATE: Ollama takes one from the weights when it creates the model",
            hint="build it, and pass the name of the model",
        )
    base, family, stored, warnings = Model(), "", None, list[str]()
    if recipe.base is None:
        facts = model_facts(recipe.files)
        family = facts.architecture if facts else ""
    else:
        try:
            with open_store(*options, use=Use.READ) as store:
                version = version or rendered_version(store)
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


def _locked_base(target: Target, options: Options) -> StoredModel | None:
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
