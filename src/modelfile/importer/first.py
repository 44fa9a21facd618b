"""First Modelfiles: on a base, or on weights that have none yet, with what is known of their family."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from modelfile.catalog.families import Family, family_of, find_family, library_models
from modelfile.catalog.licenses import license_names
from modelfile.errors import InputError
from modelfile.immutable import replace
from modelfile.importer.weights import path_from
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE, ModelName, join_words, registry_host
from modelfile.syntax.quoting import quote
from modelfile.weights.content_type import MAGICS, read_head
from modelfile.weights.folder import resolve_folder
from modelfile.weights.reading import read_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelfile.stores.protocol import StoredModel
    from modelfile.weights.facts import WeightsFacts

_HUGGING_FACE: Final = "hf.co"
_QUANTIZATION: Final = "Q4_K_M"
"""The quantization that Ollama takes of a Hugging Face repository if none is named, and the repository has it."""
_NO_LICENSES: Final = frozenset({"", "other", "unknown"})
"""Values of `general.license` that name no license, in lower case."""
_FIRST: Final = "# A first Modelfile on "
_LONGEST: Final = 100
"""Most characters of a text of a GGUF file that a comment or LICENSE shows."""


def pinnable(name: ModelName) -> ModelName:
    """Return the name of a base with a tag that says more than `latest`, where one is known.

    >>> str(pinnable(ModelName.parse("llama3.2"))), str(pinnable(ModelName.parse("hf.co/team/bot-GGUF")))
    ('llama3.2:3b', 'hf.co/team/bot-GGUF:Q4_K_M')
    """
    if not name.has_moving_tag:
        return name
    family = family_of(name)
    tag = family.usual_size if family and family.library else None
    if registry_host(name.host) == _HUGGING_FACE:
        tag = _QUANTIZATION
    return replace(name, tag=tag, tagged=True) if tag else name


def is_known_base(name: ModelName) -> bool:
    """Return whether a name is one that Ollama can pull: of a model in its library, or on Hugging Face."""
    return registry_host(name.host) == _HUGGING_FACE or (name.host.lower() == DEFAULT_HOST and bool(family_of(name)))


def similar_bases(name: ModelName) -> list[str]:
    """Return the models of Ollama's library with a similar name, the most similar first.

    >>> similar_bases(ModelName.parse("lama3.2"))[0]
    'llama3.2:3b'
    """
    from difflib import get_close_matches

    if name.host.lower() != DEFAULT_HOST or name.namespace.lower() != DEFAULT_NAMESPACE:
        return []
    found = get_close_matches(name.model.lower(), library_models(), cutoff=0.75)
    return [str(pinnable(replace(name, model=model))) for model in found]


def is_first(text: str) -> bool:
    """Return whether a Modelfile is one of those that this module writes."""
    return text.startswith(_FIRST)


def modelfile_on(name: ModelName, stored: StoredModel | None = None) -> str:
    r"""Return a first Modelfile on a base.

    >>> print(modelfile_on(ModelName.parse("llama3.2")), end="")
    # A first Modelfile on llama3.2:3b: add PARAMETER, SYSTEM and MESSAGE as you need them.
    # License: Llama 3.2 Community License. Context: up to 131,072 tokens. Capabilities: tools.
    # Inherited: its template, and the stops <|start_header_id|>, <|end_header_id|>, <|eot_id|>.
    FROM llama3.2:3b

    Args:
        name: The base.
        stored: The same in a store, if it is in one.
    """
    base = name if stored else pinnable(name)
    family = family_of(base)
    licenses = license_names(stored.model.license) if stored else ()
    facts = [*_facts(family, licenses or _known(family.license if family else None))]
    stops = family.stops if family else None
    instructions: list[str] = []
    inherited = ["its template"]
    if stored:
        model, value = stored.model, stored.model.parameters.get("stop", ())
        stops = value if isinstance(value, tuple) else None
        inherited += ["its system prompt"] if model.system else []
        inherited += ["its messages"] if model.messages else []
        inherited += [f"its {_line(name)}" for name in sorted(model.parameters) if name != "stop"]
    if stops and family and not family.library and not stored:
        instructions = [f"PARAMETER stop {quote(stop)}" for stop in stops]
    elif stops:
        inherited.append(f"the stops {', '.join(map(_line, stops))}")
    if stored or len(inherited) > 1:
        facts.append(f"Inherited: {join_words(inherited)}.")
    if base.has_moving_tag:
        facts.append("Its tag moves: write one that names a version, or record what it is now with `mf pin`.")
    return _text(str(base), facts, [instructions])


def modelfile_of_weights(path: Path, folder: Path) -> str:
    """Return a first Modelfile on local weights.

    Args:
        path: A GGUF file, or a folder of weights.
        folder: The folder of the Modelfile.

    Raises:
        InputError: It is neither, it cannot be read, or it holds an adapter or a projector.
    """
    if path.is_dir():
        resolve_folder(path)
    elif not read_head(path).startswith(MAGICS):
        hint = "name its folder" if path.suffix == ".safetensors" else "name one, a folder of weights, or a model"
        raise InputError(f"`{path}` is not a GGUF file", hint=hint)
    read = [weights.facts for weights in read_weights(path)]
    facts = next((each for each in read if each.kind == "model"), read[0])
    if facts.kind != "model":
        word = "ADAPTER" if facts.kind == "adapter" else "a second FROM"
        hint = f"name it in the Modelfile of its model, with {word}"
        raise InputError(f"`{path}` is no model, but its {facts.kind}", hint=hint)
    family = find_family(path.name)
    if family and family.architecture and facts.architecture not in ("", family.architecture):
        family = None  # a name proves less than a header
    licenses = _known(family.license if family else facts.license)
    described = _weights(facts)
    if facts.format == "gguf" and not facts.chat_template:
        described.append("They have no chat template: write the TEMPLATE that they were trained on.")
    described += _facts(family, licenses, facts)
    stops = [f"PARAMETER stop {quote(stop)}" for stop in (family.stops if family else None) or ()]
    return _text(path_from(folder, path), described, [stops, [f"LICENSE {quote(text)}" for text in licenses]])


def _facts(family: Family | None, licenses: Iterable[str], facts: WeightsFacts | None = None) -> list[str]:
    context = family.context if family else facts.context_length if facts else None
    sentences = [f"License: {', '.join(licenses)}."] if licenses else []
    sentences += [f"Context: up to {context:,} tokens."] if context else []
    sentences += [f"Capabilities: {', '.join(sorted(family.capabilities))}."] if family and family.capabilities else []
    sentences += [f"Needs Ollama {family.since} or later."] if family and family.since else []
    return [" ".join(sentences)] if sentences else []


def _weights(facts: WeightsFacts) -> list[str]:
    words = [facts.architecture, f"{facts.parameter_size} parameters" if facts.parameters else "", facts.file_type]
    named = [_line(word) for word in words if word and word != "unknown"]
    return [f"Weights: {', '.join(named)}."] if named else []


def _known(license_name: str | None) -> tuple[str, ...]:
    text = _line(license_name or "")
    return (license_names(text) or (text,)) if text.lower() not in _NO_LICENSES else ()


def _line(text: str) -> str:
    """Return a text that a file gives as part of one line."""
    return "".join(each if each.isprintable() else " " for each in text[:_LONGEST]).strip()


def _text(base: str, facts: Iterable[str], groups: Iterable[list[str]]) -> str:
    head = f"{_FIRST}{_line(base)}: add PARAMETER, SYSTEM and MESSAGE as you need them."
    lines = [head, *(f"# {fact}" for fact in facts), f"FROM {quote(base)}"]
    parts = ["\n".join(lines), *map("\n".join, filter(None, groups))]
    return "\n\n".join(parts) + "\n"
