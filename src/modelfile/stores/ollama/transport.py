"""HTTP to one server: a `Connection` for small requests to this machine, httpx once more is needed.

Importing httpx takes 70 ms, which a listing or a build with nothing to do need not pay. So a request that may be made
twice goes to a loopback server over a `Connection` first. Only a good answer counts; after anything else, httpx makes
the request again, and all that follow, as it can retry and report what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from modelfile.addresses import ServerAddress
from modelfile.errors import UsageError
from modelfile.immutable import record
from modelfile.stores.network.deadline import TIMEOUTS, Deadline, Timeouts
from modelfile.stores.network.retry import BACKOFF, IDEMPOTENT, Backoff, OnRetry, Retry, ignore_retry
from modelfile.stores.ollama.connection import Connection
from modelfile.stores.ollama.failures import Failures

if TYPE_CHECKING:
    from modelfile.stores.ollama.session import Session

_OK: Final = 200
_NOT_FOUND: Final = 404
_UNENCRYPTED: Final = "http:// does not encrypt it: use an https:// address"


@record(kw_only=True)
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
        self._lock = Lock()
        """Held to change what follows."""
        self._light = local and not self.failures.sends_key
        """True while a `Connection` is enough."""
        self._idle: list[Connection] = []
        self._session: Session | None = None
        self._closed = False
        self._deadlines = WeakSet[Deadline]()
        """Those of the requests under way."""

    def close(self) -> None:
        """Close all connections; a `Connection` in use is closed when it is no longer."""
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
        fine = (_OK, _NOT_FOUND) if missing_ok else (_OK,)
        deadline = self._deadline(self._timeouts.work, idle=True) if slow else self._deadline(self._timeouts.answer)
        if self._light and retry is IDEMPOTENT:
            reply = self._ask_lightly(method, path, body, deadline.within(self._timeouts.first))
            if reply and reply.status in fine:
                return reply
        return self._full().ask(method, path, body, deadline, retry=retry, missing_ok=missing_ok)

    def warm_up(self) -> None:
        """Import httpx in the background, for a request that will follow other work."""
        if self._session is None:
            Thread(target=import_module, args=("modelfile.stores.ollama.session",), daemon=True).start()

    def exists(self, path: str) -> bool:
        """Return whether there is something at a path."""
        return self.ask("HEAD", path, missing_ok=True).status != _NOT_FOUND

    def stream(
        self, path: str, body: Mapping[str, Any], deadline: Deadline, *, retry: Retry, on_retry: OnRetry = ignore_retry
    ) -> Iterator[bytes]:
        """Post a request and yield the lines of its answer, from the first again after a retry.

        Args:
            path: From the server's address on.
            body: To be sent as JSON.
            deadline: To be extended by the caller when a line shows progress; see `idle_deadline`.
            retry: After which failures to send it again.
            on_retry: Called before each retry.
        """
        return self._full().stream(path, body, deadline, retry=retry, on_retry=on_retry)

    def idle_deadline(self) -> Deadline:
        """Return the deadline for progress, from now on."""
        return self._deadline(self._timeouts.idle, idle=True)

    def interrupt(self) -> None:
        """End all requests that are under way in other threads; new ones may follow."""
        with self._lock:
            for deadline in self._deadlines:
                deadline.interrupt()

    def _deadline(self, seconds: float, *, idle: bool = False) -> Deadline:
        deadline = Deadline(seconds, idle=idle)
        with self._lock:
            self._deadlines.add(deadline)
        return deadline

    def upload(self, path: str, file: Path, on_sent: Callable[[int], None], on_retry: OnRetry = ignore_retry) -> None:
        """Post a file, never whole in memory; after a failure again, unless the server has it by then.

        Args:
            path: From the server's address on.
            file: The file.
            on_sent: Called with the size of every chunk, and, negative, with what has to be sent again.
            on_retry: Called before each retry.

        Raises:
            InputError: The file cannot be read, or is not, or is no longer, what its digest says.
        """
        self._full().upload(path, file, self.idle_deadline(), on_sent, on_retry)

    def _ask_lightly(self, method: str, path: str, body: Mapping[str, Any] | None, deadline: Deadline) -> Reply | None:
        connection = self._take()
        reply = None
        try:
            content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            status, received = connection.ask(method, self._address.quoted_path + path, content, deadline)
            reply = Reply(status=status, body=received)
            self.failures.answered = True
        except (OSError, ValueError):  # httpx asks again, and reports what is wrong
            pass
        finally:
            self._give_back(connection, reusable=reply is not None)
        return reply

    def _take(self) -> Connection:
        """Return a connection that nobody else uses."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Connection(self._address.host, self._address.port)

    def _give_back(self, connection: Connection, *, reusable: bool) -> None:
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

                self._session = Session(self._address, self.failures, self._backoff, self._timeouts)
                self._close_idle()
            return self._session

    def _close_idle(self) -> None:
        self._light = False
        while self._idle:
            self._idle.pop().close()
