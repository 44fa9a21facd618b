"""Server addresses, parsed once by the rules of OLLAMA_HOST (envconfig/config.go, 0.33)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from modelfile.errors import UsageError
from modelfile.immutable import record

_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\[\]]*\]|[^\[\]:]*):(?P<port>[^:\[\]]*)")
_HIGHEST_PORT: Final = 65535
_PORT: Final = re.compile(r"(?P<sign>[+-]?)0*(?P<number>[0-9]{1,5})")
_SPACES: Final = " \t\n\v\f\r\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[^\[\]/]+\]|[^\[\]:/]+):(?P<port>[0-9]{1,5})(?P<path>(?:/.*)?)"
)
_SHAPE: Final = "write [http://|https://]host[:port][/path], as in OLLAMA_HOST=127.0.0.1:11434"


@record(kw_only=True)
class ServerAddress:
    """The address to dial for an OLLAMA_HOST; str() is its URL."""

    scheme: str
    """`http` or `https`."""
    host: str
    """A host name or an IP address; IPv6 without brackets."""
    port: int
    path: str = ""
    """Empty, or a path with `/` in front; not quoted."""

    @classmethod
    def parse(cls, text: str, on_warning: Callable[[str], None] = lambda _: None) -> ServerAddress:
        """Parse `[scheme://]host[:port][/path]`; the empty text is Ollama's default.

        An invalid port counts as the default port, and 0.0.0.0 and ::, on which servers listen, count as loopback, as
        in Ollama (ConnectableHost of envconfig, 0.32; the same from 0.9.3 on but for `ollama.com`).

        Args:
            text: The value of OLLAMA_HOST.
            on_warning: Called with a warning on an invalid port, which Ollama logs.

        Raises:
            UsageError: The scheme is neither http nor https, or the host is invalid. A possible password is not quoted.
        """
        text = text.strip(_SPACES).strip("\"'").strip(_SPACES)
        if "@" in text:
            raise UsageError(
                "the server address contains `@`, but Ollama accepts no user or password in it",
                hint="remove them; the key of a server behind a proxy is read from OLLAMA_API_KEY",
            )
        scheme, separator, rest = text.partition("://")
        if not separator:
            scheme, rest = ("https", "ollama.com:443") if text == "ollama.com" else ("http", text)
        if scheme.lower() not in _DEFAULT_PORTS:
            raise _invalid(text)
        default_port = _DEFAULT_PORTS.get(scheme, "11434") if separator else "11434"
        hostport, _, path = rest.partition("/")
        split = _HOST_AND_PORT.fullmatch(hostport)
        host, port = (split["host"], split["port"]) if split else (hostport, default_port)
        digits = _PORT.fullmatch(port)
        if not digits or not 0 <= int(digits["sign"] + digits["number"]) <= _HIGHEST_PORT:
            on_warning(f"invalid port `{port}` in `{text}`: using {default_port}, as Ollama does")
            port = default_port
        elif digits["sign"]:
            raise _invalid(text)  # Ollama takes it for a number, and then for no URL
        return cls(scheme=scheme.lower(), host=_connectable(host, text), port=int(port), path=_normalized(path))

    @classmethod
    def from_url(cls, url: str) -> ServerAddress:
        """Read back what str() wrote.

        Raises:
            ValueError: It is the URL of no address.
        """
        from urllib.parse import unquote

        parts = _URL.fullmatch(url)
        if not parts:
            raise ValueError(url)
        path = unquote(parts["path"], errors="surrogateescape")
        return cls(scheme=parts["scheme"], host=parts["host"].strip("[]"), port=int(parts["port"]), path=path)

    @property
    def is_loopback(self) -> bool:
        """True if the host is this machine."""
        import ipaddress  # 1 ms that only an address pays

        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def quoted_path(self) -> str:
        """The path as it stands in a URL, quoted as Go does."""
        if not self.path:
            return ""
        from urllib.parse import quote  # 2 ms that few addresses pay

        return quote(self.path, safe="/$&+,:;=@", errors="surrogateescape")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.quoted_path}"


def _invalid(text: str) -> UsageError:
    return UsageError(f"invalid server address `{text}`", hint=_SHAPE)


def _connectable(host: str, text: str) -> str:
    import ipaddress

    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    name, percent, zone = bare.partition("%")
    try:
        ip = ipaddress.ip_address(name if host else "127.0.0.1")
    except ValueError:
        if not re.fullmatch(r"[\w.-]+", host):
            raise _invalid(text) from None
        return host
    if percent and not (isinstance(ip, ipaddress.IPv6Address) and re.fullmatch(r"[\w.-]+", zone, re.ASCII)):
        raise _invalid(text)
    mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
    if mapped is not None and mapped.is_unspecified:
        return "127.0.0.1"
    if ip.is_unspecified:
        return "127.0.0.1" if isinstance(ip, ipaddress.IPv4Address) else "::1"
    return f"{ip}{percent}{zone}"


def _normalized(path: str) -> str:
    if not path.strip("/"):
        return ""
    import posixpath

    normalized = posixpath.normpath("/" + path.lstrip("/"))
    return "" if normalized == "/" else normalized


def is_loopback_host(host: str) -> bool:
    """Return whether the host of a name, which may have a port, is this machine.

    >>> [is_loopback_host(host) for host in ("localhost:5000", "127.0.0.1", "[::1]:5000", "registry.ollama.ai")]
    [True, True, True, False]
    """
    bare = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    return ServerAddress(scheme="http", host=bare.strip("[]"), port=80).is_loopback
