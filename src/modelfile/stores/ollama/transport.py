"""A first look at a server on this machine, without what httpx and pydantic take to import (100 ms of a start).

Only an answer that is as it should be counts. Whatever else happens is no answer, and the client is to be asked, which
tries again and can say what is wrong.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
from typing import Any, Final
from urllib.parse import urlsplit

_TIMEOUT: Final = 5.0
"""In seconds."""
MOST: Final = 16 << 20
"""In bytes: more is no answer."""


class Glance:
    """Questions to one server that change nothing; None is no answer."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        self.answered = False
        """Whether anybody ever did."""
        self._path = at.path
        self._connection: http.client.HTTPConnection | None = None
        if at.scheme == "http" and is_loopback(at.hostname or ""):
            self._connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=_TIMEOUT)

    def get(self, path: str) -> Any:
        """The JSON at a path."""
        status, body = self._ask("GET", path)
        try:
            return json.loads(body) if status == http.client.OK else None
        except (ValueError, RecursionError):
            return None

    def head(self, path: str) -> bool | None:
        """Whether there is something at a path."""
        status, _ = self._ask("HEAD", path)
        return {http.client.OK: True, http.client.NOT_FOUND: False}.get(status)

    def close(self) -> None:
        """End the connection."""
        if self._connection:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, path: str) -> tuple[int, bytes]:
        if self._connection is None:
            return 0, b""
        try:
            self._connection.request(method, self._path + path)
            with self._connection.getresponse() as response:
                self.answered = True
                body = response.read(MOST)
                if response.isclosed():
                    return response.status, body
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.close()
        return 0, b""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
