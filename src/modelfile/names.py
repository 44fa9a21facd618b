"""Model names, read as Ollama reads them (types/model/name.go, 0.33), and short forms of digests."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from modelfile.errors import InputError, UsageError
from modelfile.filesystem import real_path
from modelfile.immutable import record, replace

DEFAULT_HOST: Final = "registry.ollama.ai"
DEFAULT_NAMESPACE: Final = "library"
DEFAULT_TAG: Final = "latest"

_PARTS: Final = {
    "host": re.compile(r"\w[\w.:-]{0,349}", re.ASCII),
    "namespace": re.compile(r"\w[\w-]{0,79}", re.ASCII),
    "model": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
    "tag": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
}
_DIGEST_DIGITS: Final = 12
"""Hexadecimal digits of a digest that is printed in its short form."""
_MIN_DIGITS: Final = 6
"""Digits that the start of a digest needs to name a model: with fewer, a name with a typo may match a digest."""
_DIGEST_START: Final = re.compile(rf"(?:sha256[:-])?([0-9a-f]{{{_MIN_DIGITS},64}})…?", re.IGNORECASE)
_SHAPE: Final = "a name is [host/][namespace/]model[:tag], with up to 80 of A-Z a-z 0-9 _ . - in each part"


@record(kw_only=True)
class ModelName:
    """`[host/][namespace/]model[:tag]`, with the defaults filled in."""

    host: str = DEFAULT_HOST
    namespace: str = DEFAULT_NAMESPACE
    model: str
    tag: str = DEFAULT_TAG
    tagged: bool = False
    """True if the tag was written."""

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Parse a name.

        Raises:
            UsageError: Ollama would reject it.
        """
        path, tag, tagged = text, DEFAULT_TAG, text.rfind(":") > text.rfind("/")
        if tagged:
            path, _, tag = text.rpartition(":")
        host, namespace = DEFAULT_HOST, DEFAULT_NAMESPACE
        rest, slash, model = path.rpartition("/")
        if slash:
            rest, slash, namespace = rest.rpartition("/")
            if slash:
                scheme, separator, host = rest.partition("://")
                host = (host if separator else scheme) or (DEFAULT_HOST if separator else "")
        parts = {"host": host, "namespace": namespace, "model": model, "tag": tag}
        for kind, part in parts.items():
            if not _PARTS[kind].fullmatch(part):
                raise UsageError(f"invalid model name `{text}`", hint=_explain(kind, part))
        return cls(host=host, namespace=namespace, model=model, tag=tag, tagged=tagged)

    @property
    def has_moving_tag(self) -> bool:
        """True if the tag is missing or `latest`, so that the name can change its meaning."""
        return self.tag.lower() == DEFAULT_TAG

    @property
    def full(self) -> str:
        """The name with all its parts."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def __str__(self) -> str:
        """Return the name as Ollama shows it: without default host and namespace, always with the tag."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        namespace = "" if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/"
        return f"{namespace}{self.model}:{self.tag}"

    def same_as(self, other: ModelName) -> bool:
        """Return whether both names are the same to Ollama, which ignores case."""
        return self.full.lower() == other.full.lower()

    @property
    def untagged(self) -> str:
        """The name as Ollama shows it, without its tag."""
        return str(self).rpartition(":")[0]

    def same_model_as(self, other: ModelName) -> bool:
        """Return whether both names are the same to Ollama but for their tags."""
        return self.same_as(replace(other, tag=self.tag))


def _explain(kind: str, part: str) -> str:
    if "@" in part:
        return "Ollama cannot pull by digest: write a tag, and record its digest with `mf pin`"
    return f"invalid {kind} `{part}`: {_SHAPE}" if part else f"the {kind} is empty: {_SHAPE}"


def registry_host(host: str) -> str:
    """Return the host of a registry as it is compared: in lower case, and `hf.co` for `huggingface.co`."""
    return {"huggingface.co": "hf.co"}.get(host.lower(), host.lower())


class Prefix(StrEnum):
    """The kinds of things that an argument can name, each written before it with a colon, as in `registry:llama3.2`."""

    FILE = "file"
    """A Modelfile."""
    MODEL = "model"
    """A model of the server, or of the folder that stands for it."""
    LOCK = "lock"
    """A base as mf.lock has it."""
    REGISTRY = "registry"
    """A model of a registry."""
    STORE = "store"
    """A model of a folder."""
    GIT = "git"
    """A Modelfile at a revision of git, as in `git:v1.0:bot/Modelfile`; without a path, all of the project."""


_PREFIXES: Final = frozenset(Prefix)


def split_prefix(text: str) -> tuple[Prefix | None, str]:
    """Return the prefix of an argument, if it has one, and what it names; a prefix wins over a model of that name.

    >>> split_prefix("registry:llama3.2:3b")
    (<Prefix.REGISTRY: 'registry'>, 'llama3.2:3b')
    >>> split_prefix("llama3.2:3b"), split_prefix("model:registry:3b")[1]
    ((None, 'llama3.2:3b'), 'registry:3b')

    Raises:
        UsageError: Nothing follows the prefix.
    """
    word, colon, rest = text.partition(":")
    if not colon or word not in _PREFIXES:
        return None, text
    if not rest:
        example = "git:HEAD:Modelfile" if word == Prefix.GIT else f"{word}:bot"
        raise UsageError(f"missing name after `{text}`", hint=f"write it behind the colon, as in `{example}`")
    return Prefix(word), rest


def name_on_server(text: str, *, in_folder: bool = False) -> str:
    """Return the name of a model of the store that a command works on, without the prefix `model:` or `store:`.

    >>> name_on_server("model:bot:v1"), name_on_server("store:bot:v1", in_folder=True)
    ('bot:v1', 'bot:v1')

    Args:
        text: The argument.
        in_folder: Whether the store is a folder, which `store:` means.

    Raises:
        UsageError: It has another prefix.
    """
    prefix, name = split_prefix(text)
    if prefix in (None, Prefix.MODEL) or (prefix is Prefix.STORE and in_folder):
        return name
    if prefix is Prefix.STORE:
        raise UsageError(f"no folder for `{text}`", hint=f"write `--store DIR {name}`, or set MF_STORE")
    hint = f"write `{name}`, or `model:{text}` if its name is `{text}`"
    raise UsageError(f"`{text}` does not name a model {'in a store' if in_folder else 'on a server'}", hint=hint)


def is_untagged(text: object) -> bool:
    """Return whether a value is the name of a model without a tag."""
    try:
        return isinstance(text, str) and not ModelName.parse(text).tagged
    except UsageError:
        return False


def short_digest(digest: str) -> str:
    """Return the first 12 digits of a digest or a fingerprint, without its kind.

    >>> short_digest("sha256:" + "0123456789abcdef" * 4)
    '0123456789ab'
    """
    return digest.rpartition(":")[2][:_DIGEST_DIGITS]


def shorten_digest(digest: str) -> str:
    """Return a digest or a fingerprint with its kind and its first 12 digits, as messages show it.

    >>> shorten_digest("mf1:" + "0123456789abcdef" * 4)
    'mf1:0123456789ab…'
    """
    return f"{digest.partition(':')[0]}:{short_digest(digest)}…"


def is_path(text: str) -> bool:
    """Return whether a text can only be a path, not the name of a model.

    >>> is_path("./bot"), is_path("bot/"), is_path("team/bot")
    (True, True, False)
    """
    return text.startswith((".", "/", "~")) or text.endswith("/")


def modelfile_at(text: str, *, folder_is_model: bool = False) -> Path | None:
    """Return the Modelfile that an argument names; None if it is the name of a model.

    Args:
        text: The argument; after `file:` it is a path, after any other prefix a name.
        folder_is_model: Whether the name of a folder with a Modelfile is that of a model.

    Raises:
        InputError: It can only be a path, and there is no file.
        UsageError: Nothing follows its prefix.
    """
    prefix, rest = split_prefix(text)
    if prefix not in (None, Prefix.FILE):
        return None
    path, only_path = Path(rest), prefix is Prefix.FILE or is_path(rest)
    if path.is_dir() and (path / "Modelfile").is_file() and (only_path or not folder_is_model):
        return path / "Modelfile"
    if path.is_file():
        return path
    if only_path:
        raise InputError(f"file not found: `{rest}`")
    return None


def join_words(texts: Sequence[str]) -> str:
    """Return texts as a list in a sentence.

    >>> join_words(["a", "b", "c"]), join_words(["a"])
    ('a, b and c', 'a')
    """
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def join_alternatives(texts: Sequence[str]) -> str:
    """Return texts as alternatives.

    >>> join_alternatives(["a", "b", "c"]), join_alternatives(["a"])
    ('a, b or c', 'a')
    """
    *others, last = texts
    return f"{', '.join(others)} or {last}" if others else last


def digest_start(text: str) -> str | None:
    """Return the digits of what may be a digest or the start of one; None if it cannot be.

    At least 6 digits are needed, with or without `sha256:`.

    >>> digest_start("sha256:0123456789AB…"), digest_start("bot:v1")
    ('0123456789ab', None)
    """
    found = _DIGEST_START.fullmatch(text)
    return found[1].lower() if found else None


def model_for(modelfile: Path) -> str:
    """Return the model name that a path suggests: `bot` for `bot/Modelfile`, `Modelfile.bot` and `bot.Modelfile`."""
    stem, _, suffix = modelfile.name.partition(".")
    if stem.lower() == "modelfile":
        return suffix or real_path(modelfile).parent.name
    return modelfile.name.rpartition(".")[0]
