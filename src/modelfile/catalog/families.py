"""The families of models: turn markers, stops, capabilities, context and license, by the name of a base.

The facts are in families.json, which is read on first use. Add a model there, one a line; its `sources` say where the
facts come from, and a model's `verified` lists the fields whose bytes were compared with the library's layers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from modelfile.errors import UsageError
from modelfile.immutable import field, record
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE, ModelName

_HUGGING_FACE: Final = frozenset({"hf.co", "huggingface.co"})
_UNTUNED: Final = frozenset({"base", "pt", "text"})
"""Parts of a tag that name weights which were not trained on conversations."""

_NO_PARAMETERS: Final[Mapping[str, Any]] = MappingProxyType({})
_LONGEST_NAME: Final = 255
"""Characters of the longest file name."""
_SHARD: Final = r"-\d{5}-of-\d{5}$"
_QUANTIZATION: Final = re.compile(
    r"i?q\d\w*|tq\d\w*|[be]?f16|fp16|f32|mxfp4(?:_moe)?|[kmsl]|xl|x?xs|nl|gguf|ggml|i1|ud|mlx|imat(?:rix)?|qat"
)
"""The parts at the end of a name that tell only how the weights are stored."""
_MAKER: Final = (
    r"^(?:(?:allenai|coherelabs|cohereforai|deepseek-ai|google|ibm-granite|meta-llama|microsoft|mistralai|openai|qwen)_)?"
    r"(?:meta-(?=llama))?"
)
_USUAL_BILLIONS: Final = 9
_SIZE: Final = r"(?:[ae]?\d+(?:\.\d+)?[bm]|\d+x\d+b)"


@record(kw_only=True)
class TurnFormat:
    """The markers that a family writes around the turns of a conversation."""

    name: str
    title: str
    """Its name in messages, such as `ChatML`."""
    markers: tuple[str, ...]
    """The texts that mark turns, in the order in which a turn has them."""
    opens: tuple[str, ...] = ()
    """The markers that a turn begins with; empty if turns have no headers."""
    ends: tuple[str, ...] = ()
    """The texts that end a turn; empty if the next turn's marker does."""
    roles: tuple[str, ...] = ()
    """The names of the roles between the markers."""
    plain: bool = False
    """True if the markers are ordinary words to the tokenizer, such as `USER:`."""


@record(kw_only=True)
class Family:
    """The facts about a base: a model of Ollama's library, or weights of the same model."""

    name: str
    """Its name in Ollama's library, without a tag."""
    library: bool
    """True if the base is the library's build; False for weights that a file or a Hugging Face repository names."""
    turns: TurnFormat | None = None
    """None if it was not trained on conversations, or if the markers are not known."""
    other_formats: tuple[str, ...] = ()
    """The names of other formats of turns that it knows too."""
    roles: tuple[str, ...] = ()
    """The names of the roles that its turns have."""
    architecture: str | None = None
    """The architecture in the header of the library's weights."""
    stops: tuple[str, ...] | None = None
    """The stops of the library's build; None if not known."""
    capabilities: frozenset[str] = frozenset()
    """`tools`, `thinking`, `vision`, `insert`, `embedding` and `audio`."""
    sizes: tuple[str, ...] = ()
    """The library's tags that name its sizes, such as `3b`; empty if not known."""
    context: int | None = None
    """The longest context that it was trained on, in tokens; None if not known."""
    license: str | None = None
    """The name of its license; None if not known."""
    parameters: Mapping[str, Any] = field(default_factory=lambda: _NO_PARAMETERS)
    """The parameters that the library's build sets, without stops."""
    renderer: str | None = None
    parser: str | None = None
    since: str | None = None
    """The first release of Ollama that runs it, if it is known to be newer than 0.6."""
    verified: frozenset[str] = frozenset()
    """The fields whose bytes were compared with the layers of the library."""

    @property
    def usual_size(self) -> str | None:
        """The tag of the largest size up to 9 billion parameters, or of the smallest; None if none is known."""
        usual = [size for size in self.sizes if _billions(size) <= _USUAL_BILLIONS]
        return max(usual, key=_billions) if usual else min(self.sizes, key=_billions, default=None)


def _billions(size: str) -> float:
    experts, _, each = size.rpartition("x")
    return float(experts or 1) * float(each.strip("ebm")) / (1000 if size.endswith("m") else 1)


class _Facts(NamedTuple):
    formats: Mapping[str, TurnFormat]
    models: Mapping[str, dict[str, Any]]
    files: Mapping[str, str]
    """Names of weights without size, quantization and maker, and the model of the library that they are."""


def turn_formats() -> Mapping[str, TurnFormat]:
    """Return all known formats of turns, by name."""
    return _facts().formats


def turns_in(text: str) -> TurnFormat | None:
    """Return the format of turns that a chat template writes: that with most markers, all of which are in the text.

    Markers that are ordinary words prove nothing.

    >>> turns_in("<|im_start|>{{ role }} {{ content }}<|im_end|>").title
    'ChatML'
    """
    found = [each for each in turn_formats().values() if not each.plain and all(map(text.__contains__, each.markers))]
    return max(found, key=lambda each: len(each.markers), default=None)


def library_models() -> Iterable[str]:
    """Return the names of the known models of Ollama's library."""
    return _facts().models.keys()


def family_of(name: ModelName) -> Family | None:
    """Return the family of a model by its name.

    Ollama's library is known by its names. Repositories of Hugging Face are known if they are named as unmistakably as
    the files that `find_family` knows. None for all others.

    >>> family_of(ModelName.parse("gpt-oss:20b")).turns.title
    'Harmony'
    """
    if (name.host.lower(), name.namespace.lower()) == (DEFAULT_HOST, DEFAULT_NAMESPACE):
        model, parts = name.model.lower(), frozenset(name.tag.lower().split("-"))
        return _family(model, parts, library=True) if model in _facts().models else None
    return _family_of_weights(name.model.lower()) if name.host.lower() in _HUGGING_FACE else None


@lru_cache(maxsize=1 << 10)
def find_family(base: str) -> Family | None:
    """Return the family of a base, as FROM writes it: a model's name or the path of a file.

    A file is known by its name, and only if that is one of a maker's own weights that were trained on conversations, up
    to size and quantization. Fine-tunes have other names; None for them.

    >>> find_family("./Qwen2.5-7B-Instruct-Q4_K_M.gguf").name
    'qwen2.5'
    """
    file = re.split(r"[/\\]", base)[-1].lower()
    if file.endswith(".gguf"):
        return _family_of_weights(file)
    try:
        return family_of(ModelName.parse(base))
    except UsageError:
        return None


def _family_of_weights(name: str) -> Family | None:
    if len(name) > _LONGEST_NAME:
        return None
    stem = re.sub(_SHARD, "", name.removesuffix(".gguf"))
    while (end := max(map(stem.rfind, ("-", ".", "_q", "_iq", "_f")))) > 0 and _QUANTIZATION.fullmatch(stem, end + 1):
        stem = stem[:end]
    parts = re.sub(_MAKER, "", stem, count=1).replace("_", "-").split("-")
    model = _facts().files.get("-".join(part for part in parts if not re.fullmatch(_SIZE, part)))
    return _family(model, frozenset(parts), library=False) if model else None


@lru_cache(maxsize=1 << 10)
def _family(model: str, parts: frozenset[str], *, library: bool) -> Family:
    facts = dict(_facts().models[model])
    for part, others in facts.pop("tags", {}).items():
        if part in parts:
            facts.update(others)
    if parts & _UNTUNED:
        facts.update(format=None, capabilities=[each for each in facts.get("capabilities", ()) if each == "insert"])
    turns = _facts().formats.get(facts.get("format") or "")
    stops = facts.get("stops")
    return Family(
        name=model,
        library=library,
        turns=turns,
        other_formats=tuple(facts.get("other_formats", ())),
        roles=tuple(facts.get("roles") or (turns.roles if turns else ())),
        architecture=facts.get("architecture"),
        stops=None if stops is None else tuple(stops),
        capabilities=frozenset(facts.get("capabilities", ())),
        sizes=tuple(facts.get("sizes", ())),
        context=facts.get("context"),
        license=facts.get("license"),
        parameters=MappingProxyType(facts.get("parameters", {})),
        renderer=facts.get("renderer"),
        parser=facts.get("parser"),
        since=facts.get("since"),
        verified=frozenset(facts.get("verified", ())),
    )


@cache
def _facts() -> _Facts:
    read = json.loads(Path(__file__).with_name("families.json").read_text(encoding="utf-8"))
    formats = {name: _format(name, each) for name, each in read["formats"].items()}
    files = {file: model for model, each in read["models"].items() for file in each.get("files", ())}
    return _Facts(MappingProxyType(formats), MappingProxyType(read["models"]), MappingProxyType(files))


def _format(name: str, facts: Mapping[str, Any]) -> TurnFormat:
    return TurnFormat(
        name=name,
        title=facts["title"],
        markers=tuple(facts["markers"]),
        opens=tuple(facts.get("opens", ())),
        ends=tuple(facts["ends"]),
        roles=tuple(facts["roles"]),
        plain=facts.get("plain", False),
    )
