"""The effective model: every value of a model, or of what a Modelfile gives, and where it comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from modelfile.catalog.behaviors import PREFERS_CHAT_TEMPLATES
from modelfile.catalog.catalog import catalog
from modelfile.catalog.licenses import license_names
from modelfile.catalog.renderers import RENDERERS
from modelfile.catalog.versions import NEWEST, Version, release
from modelfile.gotemplate.capabilities import FIELDS_OF_CAPABILITIES, preferred_over, template_capabilities
from modelfile.gotemplate.parser import parse_template
from modelfile.immutable import record
from modelfile.recipe.model import DEFAULT_TEMPLATE, Model
from modelfile.recipe.values import ParameterValue

TEXTS: Final = ("template", "system", "messages", "renderer", "parser", "requires")
"""The fields of a model of which each has one origin, beside its parameters."""
FILES: Final = ("weights", "adapters", "drafts")
"""The fields of a model that are digests, each of which has an origin."""
_ADDED: Final = ("license", "adapters", "drafts")
"""The fields that a Modelfile adds to, and never replaces (measured on 0.9.3 and 0.33)."""


class OriginKind(StrEnum):
    """The kinds of sources of values."""

    MODELFILE = "modelfile"
    """An instruction in a Modelfile."""
    MODEL = "model"
    """A model of which no Modelfile is known."""
    WEIGHTS = "weights"
    """Ollama takes it from the weights: from their metadata, or because it recognizes their chat template."""
    DEFAULT = "default"
    """Nothing sets it: it is what a version of Ollama uses then."""


@record(kw_only=True)
class Origin:
    """The source of a value."""

    kind: OriginKind
    name: str
    """The path of the Modelfile, the name of the model, or the version of Ollama."""
    line: int | None = None
    """The line in the Modelfile."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"kind": str(self.kind), "name": self.name, "line": self.line}


@record(kw_only=True)
class Written:
    """The content of a Modelfile itself, without its base."""

    path: str
    model: Model
    lines: Mapping[str, int]
    """The lines of its instructions, by a field of `Model`, where `weights` stands for FROM, or `parameter NAME`."""


@record(kw_only=True)
class Level:
    """A model in a chain of bases: the one that is shown, its base, the base of that, and so on."""

    name: str
    """The name of the model, or the path of a Modelfile that is not built."""
    model: Model
    """Its contents."""
    modelfile: Written | None = None
    """Its Modelfile, if that is known."""
    is_built: bool = True
    """False for the model that a build of a Modelfile would give."""
    capabilities: tuple[str, ...] | None = None
    """The capabilities that a server reports; None if none does."""


@record(kw_only=True)
class KnownWeights:
    """Facts about the weights of a model."""

    family: str = ""
    """The architecture, such as `qwen3`; empty if unknown."""
    size: str = ""
    """The number of parameters, such as `3.2B`; empty if unknown."""
    quantization: str = ""
    """The type of most weights, such as `Q4_K_M`; empty if unknown."""
    context_length: int = 0
    """The number of tokens that they were trained for; 0 if unknown."""
    chat_template: str | None = None
    """Their chat template, in Jinja; None if it is not known whether there is one."""
    recognized: str | None = ""
    """Ollama's name of the chat template that it recognizes in theirs; empty: none, None: only a server can tell."""
    has_projector: bool | None = None
    """True if a projector is among them; None if their headers are not read: then the second file is one."""


class PromptKind(StrEnum):
    """The kinds of makers of prompts."""

    TEMPLATE = "template"
    RENDERER = "renderer"
    """Code in Ollama."""
    CHAT_TEMPLATE = "chat-template"
    """The chat template inside the weights, in Jinja."""
    NONE = "none"
    """Prompts are sent to the weights as they are."""
    UNKNOWN = "unknown"
    """Only a build can tell."""


@record(kw_only=True)
class PromptMaker:
    """The maker of the prompts of a model, and why it makes them."""

    kind: PromptKind
    name: str = ""
    """The name of a renderer, or of a template that Ollama recognized in the weights."""
    reason: str = ""


@record(kw_only=True)
class Capability:
    """A capability of a model, and why it has it."""

    name: str
    reason: str = ""


@record(kw_only=True)
class Effective:
    """A model with the origin of every value."""

    levels: tuple[Level, ...]
    """The model itself, then its base, and so on, as far as they are known."""
    ollama: Version
    """The version of Ollama whose defaults and behavior count."""
    weights: KnownWeights
    undecided: tuple[str, ...]
    """Parts that only a build can tell, as titles of changes."""
    origins: Mapping[str, Origin]
    """The origins of the fields that are not empty, by name."""
    files: Mapping[str, Origin]
    """The origins of weights, adapters and drafts, by digest."""
    licenses: Mapping[str, Origin]
    """The origins of the licenses, by name."""
    parameters: Mapping[str, tuple[ParameterValue, Origin]]
    """The parameters that are set, by name."""
    defaults: Mapping[str, ParameterValue | None]
    """The parameters that are not set, with the default of the version; None if the server decides."""
    prompt: PromptMaker
    capabilities: tuple[Capability, ...]
    added: tuple[str, ...]
    """The inherited parts that stay: a Modelfile can only add to them."""
    replaceable: tuple[str, ...]
    """The inherited parts that can be replaced, but not cleared."""
    end: str = ""
    """Why the base of the last level is not one, with its name; empty if it is built from files, or unknown."""

    @property
    def model(self) -> Model:
        """The contents of the model."""
        return self.levels[0].model


def effective_model(
    levels: Sequence[Level],
    *,
    ollama: Version | str | None = None,
    weights: KnownWeights | None = None,
    undecided: Iterable[str] = (),
    end: str = "",
) -> Effective:
    """Return a model with the origin of every value.

    >>> base = Level(name="base:v1", model=Model(system="Be brief.", parameters={"top_k": 5}))
    >>> bot = Level(name="bot:v1", model=Model(system="Be brief.", parameters={"top_k": 7}))
    >>> found = effective_model([bot, base])
    >>> found.origins["system"].name, found.parameters["top_k"][1].name
    ('base:v1', 'bot:v1')

    Args:
        levels: The model, its base, and so on.
        ollama: The version of Ollama (default: the newest known).
        weights: Facts about the weights.
        undecided: Parts that only a build can tell, as titles of changes.
        end: Why the chain ends, if its last level has a base that is not known.
    """
    version = (release(ollama) if isinstance(ollama, str) else ollama) or NEWEST
    model, chain, known = levels[0].model, tuple(levels), weights or KnownWeights()
    facts, open_parts = catalog(version), tuple(undecided)
    origins = {name: _trace(chain, _getter(name), name) for name in TEXTS if _is_set(model, name)}
    prompt = _prompt_of(model, known, version, open_parts)
    added, replaceable = _inherited(chain)
    return Effective(
        levels=chain,
        ollama=version,
        weights=known,
        undecided=open_parts,
        origins=origins,
        files={digest: _trace(chain, _has(name, digest), name) for name in FILES for digest in getattr(model, name)},
        licenses={name: _trace(chain, _has_license(name), "license") for name in licenses_of(model.license)},
        parameters={
            name: (value, _trace(chain, _parameter(name), f"parameter {name}"))
            for name, value in sorted(model.parameters.items())
        },
        defaults={
            name: facts.default(name)
            for name in sorted(facts.parameters)
            if name not in model.parameters and f"parameter {name}" not in open_parts
        },
        prompt=prompt,
        capabilities=_capabilities(chain, prompt, known),
        added=added,
        replaceable=replaceable,
        end=end,
    )


def _trace(levels: Sequence[Level], value: Callable[[Model], Any], key: str) -> Origin:
    """Return where a value of the first level comes from: the deepest level that has it unchanged all the way down."""
    for at, level in enumerate(levels):
        written = level.modelfile
        if written and key in written.lines and value(written.model) == value(level.model):
            return _in_modelfile(written, key)
        below = levels[at + 1] if at + 1 < len(levels) else None
        if below is None or value(below.model) != value(level.model):
            break
    return Origin(kind=OriginKind.MODEL if level.is_built else OriginKind.WEIGHTS, name=level.name)


def _in_modelfile(written: Written, key: str) -> Origin:
    return Origin(kind=OriginKind.MODELFILE, name=written.path, line=written.lines[key])


def _getter(name: str) -> Callable[[Model], Any]:
    return lambda model: getattr(model, name)


def _has(name: str, digest: str) -> Callable[[Model], bool]:
    return lambda model: digest in getattr(model, name)


def _has_license(name: str) -> Callable[[Model], bool]:
    return lambda model: name in licenses_of(model.license)


def _parameter(name: str) -> Callable[[Model], ParameterValue | None]:
    return lambda model: model.parameters.get(name)


def _is_set(model: Model, name: str) -> bool:
    return bool(getattr(model, name)) and (name, model.template) != ("template", DEFAULT_TEMPLATE)


@lru_cache(maxsize=16)  # the same texts for each license and level
def licenses_of(text: str) -> tuple[str, ...]:
    r"""Return the names of the licenses in a text, or its first line if it has no known title.

    >>> licenses_of("Ours alone.\nDo not share.")
    ('Ours alone.',)
    """
    return license_names(text) or tuple(text.strip().splitlines()[:1])


def _inherited(levels: Sequence[Level]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what a model has from its base and cannot lose, and what it can only replace."""
    if len(levels) == 1:
        return (), ()
    model, base = levels[0].model, levels[1].model
    added = tuple(name.removesuffix("s") for name in _ADDED if getattr(base, name))
    texts = [name for name in TEXTS if _is_set(model, name) and getattr(model, name) == getattr(base, name)]
    same = [name for name, value in model.parameters.items() if base.parameters.get(name) == value]
    return added, (*texts, *sorted(same))


def _prompt_of(model: Model, weights: KnownWeights, version: Version, undecided: Sequence[str]) -> PromptMaker:
    """Return what makes the prompts (`chatModeForModel` in server/routes.go, `GetModel` in server/images.go, 0.33)."""
    if model.renderer:
        built_in = RENDERERS.get(model.renderer)
        reason = "it is code in Ollama" + (", and replaces the template" if _is_set(model, "template") else "")
        if not built_in or not built_in.is_in(version):
            reason = f"Ollama {version} does not have it, so that chats fail"
        return PromptMaker(kind=PromptKind.RENDERER, name=model.renderer, reason=reason)
    if version >= PREFERS_CHAT_TEMPLATES and (reason := _why_chat_template(model, weights, undecided)):
        return PromptMaker(kind=PromptKind.CHAT_TEMPLATE, reason=reason)
    if "template" in undecided:
        return _made_at_build(weights)
    if _is_set(model, "template"):
        return PromptMaker(kind=PromptKind.TEMPLATE)
    return PromptMaker(kind=PromptKind.NONE, reason="the model has no template")


def _made_at_build(weights: KnownWeights) -> PromptMaker:
    """Return what makes the prompts of local weights that have no TEMPLATE."""
    if weights.recognized:
        reason = "Ollama's own, because it recognizes the chat template inside the weights"
        return PromptMaker(kind=PromptKind.TEMPLATE, name=weights.recognized, reason=reason)
    if weights.recognized is None or weights.chat_template is None:
        return PromptMaker(kind=PromptKind.UNKNOWN, reason="only a build can tell what Ollama takes from the weights")
    what = (
        "recognizes no chat template in the weights"
        if weights.chat_template
        else "finds no chat template in the weights"
    )
    return PromptMaker(kind=PromptKind.NONE, reason=f"the Modelfile has no TEMPLATE, and Ollama {what}")


def _why_chat_template(model: Model, weights: KnownWeights, undecided: Sequence[str]) -> str:
    """Return why Ollama 0.30 and later render by the chat template inside the weights; empty if they do not."""
    if "{%" in model.template:
        return "the server shows it in place of a template"
    if not weights.chat_template or model.parser:
        return ""
    if _is_set(model, "template"):
        lost = preferred_over(weights.chat_template, parse_template(model.template))
        return f"it supports {lost}, and the template of the model does not" if lost else ""
    return "" if "template" in undecided and weights.recognized != "" else "the model has no other template"


def _capabilities(levels: Sequence[Level], prompt: PromptMaker, weights: KnownWeights) -> tuple[Capability, ...]:
    """Return the capabilities: those that a server reports, or else those that the contents and the base give.

    Source: `Capabilities` in server/images.go, v0.9.3 to v0.33.0-rc2.
    """
    model = levels[0].model
    reasons, reported = _reasons(model, prompt, weights), levels[0].capabilities
    if reported is None:
        base, base_reported = (levels[1].model, levels[1].capabilities) if len(levels) > 1 else (None, None)
        same = base and (base.template, base.renderer, base.parser) == (model.template, model.renderer, model.parser)
        kept = [name for name in base_reported or () if same or name not in FIELDS_OF_CAPABILITIES]
        is_known = kept or prompt.kind is not PromptKind.UNKNOWN
        reported = tuple(dict.fromkeys((*(kept or (("completion",) if is_known else ())), *reasons)))
    other = f"from PARSER {model.parser}" if model.parser else "from the weights"
    plain = ("completion", "embedding")
    return tuple(Capability(name=name, reason="" if name in plain else reasons.get(name, other)) for name in reported)


def _reasons(model: Model, prompt: PromptMaker, weights: KnownWeights) -> dict[str, str]:
    """Return the capabilities that the contents of a model give, each with the reason."""
    found = {}
    if prompt.kind is PromptKind.TEMPLATE and not prompt.name:
        has = template_capabilities(parse_template(model.template))
        found = {
            name: f"the template uses .{variable}" for name, variable in FIELDS_OF_CAPABILITIES.items() if name in has
        }
    if len(model.weights) > 1 if weights.has_projector is None else weights.has_projector:
        found["vision"] = "the model has a projector"
    return found
