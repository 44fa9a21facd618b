"""Changes: the differences between two models as typed values, in categories that reviewers know."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from modelfile.immutable import record, replace
from modelfile.recipe.recipe import Message
from modelfile.recipe.values import ParameterValue

if TYPE_CHECKING:
    from modelfile.catalog.versions import Version

Value: TypeAlias = str | ParameterValue | Message | None
"""A side of a change: a text, a list of texts, the value of a parameter, or a message; None if it is absent."""


class Impact(StrEnum):
    """The effect of a change on users of the model, the gravest first."""

    ANSWERS = "answers"
    INTERFACE = "interface"
    """Programs that use the model may have to change: what it can do, and where its answers end."""
    TEXT = "text"
    """The model behaves as before."""

    @property
    def phrase(self) -> str:
        """The impact in words."""
        return {"answers": "may change answers", "interface": "changes the interface", "text": "text only"}[self]


class Category(StrEnum):
    """A group of aspects, in the order of reports."""

    WEIGHTS = "weights"
    BEHAVIOR = "behavior"
    """The parameters, except for `stop`."""
    TEMPLATE = "template"
    """TEMPLATE, RENDERER and PARSER."""
    STOP = "stop"
    PROMPT = "prompt"
    """SYSTEM and MESSAGE."""
    CAPABILITIES = "capabilities"
    """Those that the template gives, and the version of Ollama that the model requires."""
    LICENSE = "license"
    LOCK = "lock"
    """The pins of mf.lock."""
    FILE = "file"
    """The text of a Modelfile or a lock that cannot be compared by meaning."""
    COSMETIC = "cosmetic"
    """Comments, order and quoting of a Modelfile, and what a lock records besides: no part of the model."""

    @property
    def impact(self) -> Impact:
        """The impact of its changes, unless a change has no effect."""
        return _IMPACTS.get(self, Impact.ANSWERS)


_IMPACTS: Final = {
    Category.STOP: Impact.INTERFACE,
    Category.CAPABILITIES: Impact.INTERFACE,
    Category.LICENSE: Impact.TEXT,
    Category.COSMETIC: Impact.TEXT,
}


class Aspect(StrEnum):
    """A part of a model that can differ."""

    BASE = "base"
    WEIGHTS = "weights"
    ARCHITECTURE = "architecture"
    SIZE = "size"
    """The number of parameters in the weights, in the store's words, such as `3.2B`."""
    QUANTIZATION = "quantization"
    CONTEXT = "context"
    """The number of tokens that the weights were trained for."""
    TENSORS = "tensors"
    """The tensors that differ, by type."""
    CHAT_TEMPLATE = "chat-template"
    """The Jinja in the weights."""
    TURNS = "turns"
    """The format of turns that the chat template in the weights writes."""
    WEIGHTS_LICENSE = "weights-license"
    """The license that the weights name."""
    ADAPTER = "adapter"
    DRAFT = "draft"
    PARAMETER = "parameter"
    TEMPLATE = "template"
    RENDERER = "renderer"
    PARSER = "parser"
    SYSTEM = "system"
    MESSAGE = "message"
    CAPABILITIES = "capabilities"
    """Those that the template gives."""
    REQUIRES = "requires"
    LICENSE = "license"
    FINGERPRINT = "fingerprint"
    """Of the whole model, where it is known to differ, but not in which part."""
    COMMENTS = "comments"
    ORDER = "order"
    """The order of instructions."""
    NOTATION = "notation"
    """The letters, quotes and spaces in which instructions of the same value are written."""
    PIN = "pin"
    """An entry of mf.lock, with its fingerprint."""
    PINNED_BASE = "pinned-base"
    PINNED_FILE = "pinned-file"
    PINNED_WEIGHTS = "pinned-weights"
    """Digests of the weights that Ollama made of local ones."""
    PINNED_QUANTIZATION = "pinned-quantization"
    PINNED_FINGERPRINT = "pinned-fingerprint"
    PIN_RECORD = "pin-record"
    """Facts on an entry that decide on no model: the time, the source, and the digest of a text."""
    TEXT = "text"
    """The whole text of a file."""


_CATEGORIES: Final = {
    Aspect.PARAMETER: Category.BEHAVIOR,
    Aspect.TEMPLATE: Category.TEMPLATE,
    Aspect.RENDERER: Category.TEMPLATE,
    Aspect.PARSER: Category.TEMPLATE,
    Aspect.SYSTEM: Category.PROMPT,
    Aspect.MESSAGE: Category.PROMPT,
    Aspect.CAPABILITIES: Category.CAPABILITIES,
    Aspect.REQUIRES: Category.CAPABILITIES,
    Aspect.LICENSE: Category.LICENSE,
    Aspect.COMMENTS: Category.COSMETIC,
    Aspect.ORDER: Category.COSMETIC,
    Aspect.NOTATION: Category.COSMETIC,
    Aspect.PIN: Category.LOCK,
    Aspect.PINNED_BASE: Category.LOCK,
    Aspect.PINNED_FILE: Category.LOCK,
    Aspect.PINNED_WEIGHTS: Category.LOCK,
    Aspect.PINNED_QUANTIZATION: Category.LOCK,
    Aspect.PINNED_FINGERPRINT: Category.LOCK,
    Aspect.PIN_RECORD: Category.COSMETIC,
    Aspect.TEXT: Category.FILE,
}
"""The categories of the aspects that are not of the weights."""
FACTS: Final = frozenset(
    {
        Aspect.ARCHITECTURE,
        Aspect.SIZE,
        Aspect.QUANTIZATION,
        Aspect.CONTEXT,
        Aspect.TENSORS,
        Aspect.CHAT_TEMPLATE,
        Aspect.TURNS,
        Aspect.WEIGHTS_LICENSE,
    }
)
"""Aspects that weights tell of themselves."""
DERIVED: Final = FACTS | {Aspect.CAPABILITIES, Aspect.FINGERPRINT}
"""Aspects that follow from others, and never differ alone."""
TEXTS: Final = frozenset(
    {
        Aspect.TEMPLATE,
        Aspect.CHAT_TEMPLATE,
        Aspect.SYSTEM,
        Aspect.MESSAGE,
        Aspect.LICENSE,
        Aspect.COMMENTS,
        Aspect.NOTATION,
        Aspect.TEXT,
    }
)
"""Aspects that are texts, to be compared line by line and word by word."""


class NoEffect(StrEnum):
    """A reason why a change has no effect."""

    DEFAULT = "default"
    """A parameter is set to the value that it has if it is not set."""
    SAME_NODES = "same-nodes"
    """A template is written otherwise, but has the same nodes."""
    UNUSED = "unused"
    """A template is not used, because a RENDERER takes its place."""


@record(kw_only=True)
class Change:
    """A difference in one aspect; None stands for an absent value."""

    aspect: Aspect
    name: str = ""
    """The name of a parameter, or the key of an entry of mf.lock; empty for other aspects."""
    old: Value
    new: Value
    positions: tuple[int | None, int | None] = (None, None)
    """The old and the new position of a message, from 0; None where it is absent."""
    default: ParameterValue | None = None
    """The value of a parameter that is not set; None if the server decides, or it is not known."""
    ollama: Version | None = None
    """The version of Ollama that has the default; None if the change is not of a parameter that it knows."""
    no_effect: NoEffect | None = None
    """The reason why both sides behave the same; None if they may not."""

    @property
    def category(self) -> Category:
        """The category of its aspect."""
        if self.name == "stop":
            return Category.STOP
        return _CATEGORIES.get(self.aspect, Category.WEIGHTS)

    @property
    def impact(self) -> Impact:
        """The impact of its category; `TEXT` if it has no effect."""
        return Impact.TEXT if self.no_effect else self.category.impact

    @property
    def title(self) -> str:
        """The aspect in words, with the name of a parameter or the number of a message."""
        if self.aspect is Aspect.MESSAGE:
            old, new = self.positions
            return f"message {1 + (new if new is not None else old or 0)}"
        return f"{self.aspect} {self.name}".rstrip()

    @property
    def is_moved(self) -> bool:
        """True if a message is elsewhere among the messages that both models have, with the same text."""
        return self.aspect is Aspect.MESSAGE and self.old == self.new

    @property
    def texts(self) -> tuple[str | None, str | None]:
        """Both sides of a text; of a message, the contents."""
        old, new = (side.content if isinstance(side, Message) else side for side in (self.old, self.new))
        return (old if isinstance(old, str) else None), (new if isinstance(new, str) else None)

    @property
    def shown(self) -> tuple[str | None, str | None]:
        """Both sides as texts: the value of a parameter as in a Modelfile, of a message role and content."""
        old, new = map(self._show, (self.old, self.new))
        return old, new

    def _show(self, value: Value) -> str | None:
        match value:
            case None | str():
                return value
            case Message(role, content):
                return f"{role}: {content}"
            case tuple() if self.aspect is not Aspect.PARAMETER:
                return ", ".join(value)
            case _:
                return show_value(value)

    def as_json(self) -> dict[str, Any]:
        """Return the change as JSON, as docs/schema/diff.schema.json has it."""
        old_position, new_position = (None if position is None else position + 1 for position in self.positions)
        return {
            "category": str(self.category),
            "impact": str(self.impact),
            "aspect": str(self.aspect),
            "name": self.name,
            "old": _as_json(self.old),
            "new": _as_json(self.new),
            "old_position": old_position,
            "new_position": new_position,
            "default": _as_json(self.default),
            "ollama": str(self.ollama) if self.ollama else None,
            "no_effect": str(self.no_effect) if self.no_effect else None,
        }

    def mirrored(self) -> Change:
        """Return the change in the other direction."""
        return replace(self, old=self.new, new=self.old, positions=self.positions[::-1])


def impact_of(changes: Iterable[Change]) -> Impact:
    """Return the gravest impact of changes, of which there is at least one."""
    return min((change.impact for change in changes), key=[*Impact].index)


@record(kw_only=True)
class ComparedSide:
    """A side of a comparison: a Modelfile or a model."""

    name: str
    """The side as it was named."""
    fingerprint: str | None = None
    """None if it is not known: that of a Modelfile whose base or weights only the server knows."""
    digest: str | None = None
    """Ollama's digest; None for a Modelfile."""


@record(kw_only=True)
class Comparison:
    """Two sides and their differences."""

    old: ComparedSide
    new: ComparedSide
    changes: tuple[Change, ...]
    same: bool | None
    """True if both are the same model; None if only parts that are not compared may differ."""
    undecided: tuple[str, ...] = ()
    """Parts that are not compared, because only the server knows them, as titles of changes."""
    dropped_capabilities: tuple[str, ...] = ()
    """Capabilities that the TEMPLATE of a Modelfile takes from its base."""
    path: str = ""
    """The path of a file of a project from the current folder, the old one if it was deleted; otherwise empty."""
    note: str = ""
    """A note that two files are compared by line, and why; empty if they are compared by meaning."""

    def mirrored(self) -> Comparison:
        """Return the comparison in the other direction."""
        return replace(self, old=self.new, new=self.old, changes=tuple(change.mirrored() for change in self.changes))


def show_value(value: ParameterValue | None) -> str | None:
    """Return a parameter's value as it is written in a Modelfile."""
    match value:
        case None:
            return None
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(json.dumps(text, ensure_ascii=False) for text in value)
        case _:
            return repr(value).removesuffix(".0")


def _as_json(value: Value) -> Any:
    if isinstance(value, Message):
        return {"role": value.role, "content": value.content}
    return int(value) if isinstance(value, float) and value.is_integer() else value
