"""Model names and server addresses, read as Ollama reads them (types/model/name.go and envconfig/config.go, 0.33)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modelfile.errors import UsageError

DEFAULT_HOST: Final = "registry.ollama.ai"
DEFAULT_NAMESPACE: Final = "library"
DEFAULT_TAG: Final = "latest"

_PARTS: Final = {
    "host": re.compile(r"\w[\w.:-]{0,349}", re.ASCII),
    "namespace": re.compile(r"\w[\w-]{0,79}", re.ASCII),
    "model": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
    "tag": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
}
_SHAPE: Final = "a name is [host/][namespace/]model[:tag], each part up to 80 of the characters A-Z a-z 0-9 _ . -"
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*):(?P<port>[^:\[\]]*)")
_HIGHEST_PORT: Final = 65535
_PORT: Final = re.compile(r"(?P<sign>[+-]?)0*(?P<number>[0-9]{1,5})")
_BLANKS: Final = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_ADDRESS: Final = "write [http://|https://]host[:port][/path], as in OLLAMA_HOST=127.0.0.1:11434"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelName:
    """`[host/][namespace/]model[:tag]`, with the defaults filled in."""

    host: str = DEFAULT_HOST
    namespace: str = DEFAULT_NAMESPACE
    model: str
    tag: str = DEFAULT_TAG
    tagged: bool = False
    """Whether the tag was written."""

    @classmethod
    def parse(cls, text: str) -> ModelName:
        """Read a name.

        Raises:
            UsageError: Ollama would refuse it.
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
                raise UsageError(f"`{text}` is not a model name that Ollama takes", hint=_what_is_wrong(kind, part))
        return cls(host=host, namespace=namespace, model=model, tag=tag, tagged=tagged)

    @property
    def moving(self) -> bool:
        """Whether the name means another model from time to time: it has no tag, or `latest`."""
        return self.tag.lower() == DEFAULT_TAG

    @property
    def full(self) -> str:
        """With every part."""
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"

    def __str__(self) -> str:
        """As Ollama shows it: without what is the default's, always with the tag."""
        if self.host.lower() != DEFAULT_HOST:
            return self.full
        namespace = "" if self.namespace.lower() == DEFAULT_NAMESPACE else f"{self.namespace}/"
        return f"{namespace}{self.model}:{self.tag}"

    def same_as(self, other: ModelName) -> bool:
        """Whether Ollama takes both for one: it compares without case."""
        return self.full.lower() == other.full.lower()


def _what_is_wrong(kind: str, part: str) -> str:
    if "@" in part:
        return "Ollama cannot pull by digest: name a tag, and let `mf pin` record what it holds"
    return f"its {kind} `{part}` is at fault: {_SHAPE}" if part else f"its {kind} is empty: {_SHAPE}"


def model_for(modelfile: Path) -> str:
    """The model a Modelfile is for, by its path: `bot/Modelfile`, `Modelfile.bot` and `bot.Modelfile` are for `bot`."""
    stem, _, suffix = modelfile.name.partition(".")
    if stem == "Modelfile":
        return suffix or modelfile.resolve().parent.name
    return modelfile.name.rpartition(".")[0]


def server_url(address: str, tell: Callable[[str], None] = lambda _: None) -> str:
    """The URL to dial for an OLLAMA_HOST: `[scheme://]host[:port][/path]`; empty is Ollama's default.

    A port that is none is taken for the default port, and one of 0.0.0.0 and ::, on which servers listen, for loopback,
    as Ollama does (ConnectableHost of envconfig, 0.32; the same from 0.9.3 on but for `ollama.com`).

    Args:
        address: The OLLAMA_HOST.
        tell: Is told of a port that is none, as Ollama's log is.

    Raises:
        UsageError: The scheme is neither http nor https, or the host is none. What may be a password is not repeated.
    """
    address = address.strip(_BLANKS).strip("\"'").strip(_BLANKS)
    if "@" in address:
        raise UsageError(
            "the address of the server has an `@` in it, and Ollama takes no user and no password there",
            hint="leave them out; the key of a server behind a gate is read from OLLAMA_API_KEY",
        )
    scheme, separator, rest = address.partition("://")
    if not separator:
        scheme, rest = ("https", "ollama.com:443") if address == "ollama.com" else ("http", address)
    if scheme.lower() not in _DEFAULT_PORTS:
        raise _no_address(address)
    default_port = _DEFAULT_PORTS.get(scheme, "11434") if separator else "11434"
    hostport, _, path = rest.partition("/")
    split = _HOST_AND_PORT.fullmatch(hostport)
    host, port = (split["host"], split["port"]) if split else (hostport, default_port)
    digits = _PORT.fullmatch(port)
    if not digits or not 0 <= int(digits["sign"] + digits["number"]) <= _HIGHEST_PORT:
        tell(f"`{port}` is no port: `{address}` is read with {default_port}, as Ollama does")
        port = default_port
    elif digits["sign"]:
        raise _no_address(address)  # Ollama takes it for a number, and then for no URL
    return f"{scheme.lower()}://{_dialled(host, address)}:{port}{_quoted(path)}"


def _no_address(address: str) -> UsageError:
    return UsageError(f"`{address}` is not the address of a server", hint=_ADDRESS)


def _dialled(host: str, address: str) -> str:
    import ipaddress  # 1 ms that only an address pays

    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    name, percent, zone = bare.partition("%")
    try:
        ip = ipaddress.ip_address(name if host else "127.0.0.1")
    except ValueError:
        if not re.fullmatch(r"[\w.-]+", host):
            raise _no_address(address) from None
        return host
    if percent and not (isinstance(ip, ipaddress.IPv6Address) and re.fullmatch(r"[\w.-]+", zone, re.ASCII)):
        raise _no_address(address)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if mapped is not None and mapped.is_unspecified:
        return "127.0.0.1"
    if ip.is_unspecified:
        return "127.0.0.1" if ip.version == 4 else "[::1]"  # noqa: PLR2004  # IP's two versions
    return str(ip) if ip.version == 4 else f"[{ip}{percent}{zone}]"  # noqa: PLR2004  # the same


def _quoted(path: str) -> str:
    """A path in a URL, tidied and quoted as Go does; it is never taken for quoted already."""
    if not path.strip("/"):
        return ""
    import posixpath
    from urllib.parse import quote  # 2 ms for what few addresses have

    tidied = posixpath.normpath("/" + path.lstrip("/"))
    return "" if tidied == "/" else quote(tidied, safe="/$&+,:;=@", errors="surrogateescape")
