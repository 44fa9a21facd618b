"""The peculiarities of registries, in one table.

Everything else follows the OCI Distribution Specification 1.1 (`spec.md` of opencontainers/distribution-spec), as
Debian's docker-registry 2.8.2 does (measured).
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from modelfile.immutable import record
from modelfile.manifest import MEDIA_TYPE, OCI_TYPE


class Credential(Enum):
    """The credentials that a registry takes, apart from the anonymous token of a challenge."""

    NONE = auto()
    OLLAMA = auto()
    """A request for a token, signed with Ollama's key."""
    HUGGING_FACE = auto()
    """The user's token for the Hub; without one, Ollama's key, which can be added to an account."""


@record(kw_only=True)
class Quirks:
    """The peculiarities of one registry; the defaults are those of the specification."""

    source: str
    """The source of these facts."""
    lists_tags: bool = True
    """True if it answers `tags/list`."""
    accept: str = f"{MEDIA_TYPE}, {OCI_TYPE}"
    """The media types of manifests that it is asked for: Ollama's, and that which other programs give a saved model."""
    by_digest: str = "manifests"
    """The collection in which a manifest is looked up by its digest."""
    absent: tuple[tuple[int, str], ...] = ((404, ""),)
    """Statuses, each with a part of the message, that mean: there is no such model or tag."""
    ollama_agent: bool = False
    """True to call ourselves the newest known Ollama first: an older one gets 412 for models that require more."""
    credential: Credential = Credential.OLLAMA
    realms: frozenset[str] = frozenset()
    """Further hosts that give out tokens for it; any other host gets no credentials."""
    parted_uploads: bool = False
    """True if it redirects the parts of an upload, and wants a digest of them (server/upload.go, v0.9.3)."""
    hides: bool = False
    """True if it answers 401 for models that do not exist, too."""


STANDARD: Final = Quirks(source="distribution-spec 1.1; docker-registry 2.8.2 (measured)")
_HUGGING_FACE: Final = Quirks(
    source="Hub documentation; ollama/ollama#15661, #10195, #7240; huggingface/hub-docs#2702 (issue trackers)",
    accept=MEDIA_TYPE,
    lists_tags=False,  # a tag is a quantization or a file name, in any case, and is not listed
    absent=((404, ""), (400, "tag is not available")),
    credential=Credential.HUGGING_FACE,
    realms=frozenset({"huggingface.co", "hf.co"}),
    hides=True,
)
QUIRKS: Final = {
    "registry.ollama.ai": Quirks(
        source="ollama/ollama#5021, #5298, #6396, #6510; server/internal/client/ollama/registry.go, v0.9.3",
        accept=MEDIA_TYPE,
        lists_tags=False,
        by_digest="blobs",  # `manifests/sha256:…` is not served; Ollama 0.9.3 looks manifests up among the blobs
        ollama_agent=True,
        parted_uploads=True,
        realms=frozenset({"ollama.com"}),
    ),
    "hf.co": _HUGGING_FACE,
    "huggingface.co": _HUGGING_FACE,
}
"""Peculiarities by host, in lower case."""


def quirks_of(host: str) -> Quirks:
    """Return the peculiarities of a host, whose name may have a port."""
    return QUIRKS.get(host.lower(), STANDARD)
