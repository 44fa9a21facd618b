"""HTTP to one server: http.client for small requests to this machine, httpx once more is needed.

Importing httpx takes 70 ms, which a listing or a build with nothing to do need not pay. So a request that may be made
twice goes to a loopback server over http.client first. Only a good answer counts; after anything else, httpx makes the
request again, and all that follow, as it can retry and report what is wrong.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from modelfile.addresses import ServerAddress
from modelfile.errors import UsageError
from modelfile.stores.ollama.failures import Failures
from modelfile.stores.ollama.retry import BACKOFF, IDEMPOTENT, Backoff, Retry

if TYPE_CHECKING:
    from modelfile.stores.ollama.session import Session

LARGEST_ANSWER: Final = 16 << 20
"""In bytes; whatever answers more is not Ollama."""
_UNENCRYPTED: Final = "http:// does not encrypt it: use an https:// address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a server may be silent, in seconds."""

    first: float = 5
    """Before httpx takes over."""
    connect: float = 10
    answer: float = 30
    work: float = 600
    """While it checks 40 GB of weights, or removes them."""


TIMEOUTS: Final = Timeouts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer."""

    status: int
    body: bytes


class Transport:
    """Requests to one server, from any number of threads; a connection is used by one of them at a time."""

    def __init__(
        self,
        address: ServerAddress,
        *,
        key: str = "",
        withheld: str = "",
        backoff: Backoff = BACKOFF,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        """Connect to nothing yet.

        Args:
            address: The server.
            key: The key of a proxy in front of the server. It is sent over https and to this machine only: many
                environments have a key for ollama.com, which nobody must read on the way to a server in the next room.
            withheld: Why the key is not sent, if it is not, and what to do.
            backoff: How to retry.
            timeouts: How long to wait for it.

        Raises:
            UsageError: The key is invalid.
        """
        key = key.strip()
        if not (key.isascii() and key.isprintable()):
            raise UsageError("OLLAMA_API_KEY contains invalid characters", hint="copy the key again")
        local = address.scheme == "http" and address.is_loopback
        self.url = str(address)
        if address.scheme == "http" and not address.is_loopback:
            withheld = withheld or _UNENCRYPTED
        self.failures = Failures(url=self.url, key=key, withheld=withheld if key else "")
        self._address = address
        self._backoff = backoff
        self._timeouts = timeouts
        self._answered = False
        self._lock = Lock()
        """Held to change what follows."""
        self._light = local and not self.failures.sends_key
        """True while http.client is enough."""
        self._idle: list[http.client.HTTPConnection] = []
        self._session: Session | None = None
        self._closed = False

    def close(self) -> None:
        """Close all connections; those in use when they are no longer."""
        with self._lock:
            self._closed = True
            self._close_idle()
            if self._session:
                self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        retry: Retry = IDEMPOTENT,
        slow: bool = False,
        missing_ok: bool = False,
    ) -> Reply:
        """Send a small request and return its whole answer.

        Args:
            method: As in HTTP.
            path: From the server's address on.
            body: To be sent as JSON.
            retry: After which failures to send it again.
            slow: Whether the server may work for minutes before it answers.
            missing_ok: Whether 404 is an answer, not an error.
        """
        fine = (http.client.OK, http.client.NOT_FOUND) if missing_ok else (http.client.OK,)
        if self._light and retry is IDEMPOTENT:
            reply = self._ask_lightly(method, path, body)
            if reply and reply.status in fine:
                return reply
        return self._full().ask(method, path, body, retry=retry, slow=slow, missing_ok=missing_ok)

    def exists(self, path: str) -> bool:
        """Return whether there is something at a path."""
        return self.ask("HEAD", path, missing_ok=True).status != http.client.NOT_FOUND

    def stream(self, path: str, body: Mapping[str, Any], *, retry: Retry) -> Iterator[bytes]:
        """Post a request and yield the lines of its answer, from the first again after a retry."""
        return self._full().stream(path, body, retry=retry)

    def upload(self, path: str, file: Path, on_sent: Callable[[int], None]) -> None:
        """Post a file, never whole in memory; after a failure again, unless the server has it by then.

        Args:
            path: From the server's address on.
            file: The file.
            on_sent: Called with the size of every chunk, and, negative, with what has to be sent again.

        Raises:
            InputError: The file cannot be read, or is not, or is no longer, what its digest says.
        """
        self._full().upload(path, file, on_sent)

    def _ask_lightly(self, method: str, path: str, body: Mapping[str, Any] | None) -> Reply | None:
        connection = self._take()
        reply = None
        try:
            content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            headers = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, self._address.quoted_path + path, content, headers)
            with connection.getresponse() as response:
                self._answered = True
                received = response.read(LARGEST_ANSWER)
                if response.isclosed() and response.getheader("Content-Encoding", "identity") == "identity":
                    reply = Reply(status=response.status, body=received)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        finally:
            self._give_back(connection, reusable=reply is not None)
        return reply

    def _take(self) -> http.client.HTTPConnection:
        """Return a connection that nobody else uses."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return http.client.HTTPConnection(self._address.host, self._address.port, timeout=self._timeouts.first)

    def _give_back(self, connection: http.client.HTTPConnection, *, reusable: bool) -> None:
        with self._lock:
            if reusable and self._light:
                self._idle.append(connection)
            else:
                connection.close()

    def _full(self) -> Session:
        """Return the session that all further requests go through."""
        with self._lock:
            if self._closed:
                raise RuntimeError(f"the store at {self.url} has been closed")
            if self._session is None:
                from modelfile.stores.ollama.session import Session

                self._session = Session(
                    self._address, self.failures, self._backoff, self._timeouts, answered=self._answered
                )
                self._close_idle()
            return self._session

    def _close_idle(self) -> None:
        self._light = False
        while self._idle:
            self._idle.pop().close()
