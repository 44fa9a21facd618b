"""The addresses to which registries redirect: followed to any public host, never into a private network."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Final

import httpx

from modelfile.stores.registry.refusals import Refusals

if TYPE_CHECKING:
    from modelfile.stores.registry.exchange import Question

LONGEST_URL: Final = 16_384
"""Longest address of a redirect, in characters."""
_HOST: Final = re.compile(r"[\w.-]+|[0-9a-f:.]+", re.ASCII)


def target_of(url: httpx.URL, location: str, question: Question, refusals: Refusals) -> httpx.URL:
    """Return where a redirect, a realm or the address of an upload leads.

    Raises:
        InvalidRegistryAnswer: It leads from https to http, or from the network to an address inside it.
    """
    try:
        target = url.join(location) if len(location) <= LONGEST_URL else None
    except httpx.InvalidURL:
        target = None
    if target is None or target.scheme not in ("http", "https") or not _HOST.fullmatch(target.host):
        raise refusals.invalid("redirects to an invalid address")
    shown = refusals.clean(f"{target.scheme}://{target.netloc.decode(errors='replace').rpartition('@')[2]}")
    if target.scheme == "http" and not question.plain:
        raise refusals.invalid(f"redirects from https to {shown}")
    if _is_private(target.host) and target.host != url.host and not question.loopback:
        raise refusals.invalid(f"redirects to {shown}, an address of a private network")
    return target.copy_with(userinfo=b"")


def origin(url: httpx.URL) -> tuple[str, str, int | None]:
    """Return scheme, host and port of a URL: credentials go to one origin only."""
    return url.scheme, url.host, url.port


def is_local(host: str) -> bool:
    """Return whether a host is this machine."""
    address, name = _address(host), host.lower().rstrip(".")
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def _is_private(host: str) -> bool:
    """Return whether a host is this machine or an address that only a private network has."""
    address = _address(host)
    return not address.is_global if address else is_local(host)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that a host is in any notation, also those of old, such as `127.1`; None for a name."""
    bare = host.strip("[]").rstrip(".")
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(bare)
        return (found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None) or found
    with contextlib.suppress(OSError, UnicodeError):
        return ipaddress.IPv4Address(socket.inet_aton(bare))
    return None
