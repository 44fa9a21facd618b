"""Failures of the connection and refusals of the server, translated into our errors: the only place that does so."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modelfile.errors import DiskFull, NotFound, ServerError, ServerUnreachable
from modelfile.stores.ollama.wire import ProgressWire

if TYPE_CHECKING:
    import httpx

_UNKNOWN_HOST: Final = (
    "Name or service not known",
    "No address associated with hostname",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
    "nodename nor servname",
)
"""Found in the errors of Linux, Windows and macOS."""
_TLS: Final = "[SSL"
"""Found in the errors of TLS, also of certificates."""
_ADDRESS: Final = "check --host or OLLAMA_HOST"
_LOG: Final = "see the server's log, then run the command again"
_FULL: Final = "no space left on device"
_LOOKUP: Final = re.compile(r"dial tcp: lookup (?P<host>[^\s:]+)")
"""Found where Go cannot resolve a name: `dial tcp: lookup registry.ollama.ai on 127.0.0.53:53: no such host`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """The failures of one server, as errors with a hint."""

    url: str
    key: str = field(default="", repr=False)
    """Never shown."""
    withheld: str = ""
    """The reason and the remedy if the key is not sent."""

    @property
    def sends_key(self) -> bool:
        """True if there is a key, and it is sent."""
        return bool(self.key) and not self.withheld

    def not_ollama(self, status: str = "") -> ServerError:
        """Return the error for an answer that Ollama would not give."""
        return ServerError(
            f"{self.url} does not answer as Ollama does" + (f": {status}" if status else ""),
            hint=f"{_ADDRESS}: it may be the address of another program",
        )

    def refused(self, message: str) -> ServerError:
        """Return the error for a request that the server rejects with a message."""
        message = self._without_key(message)
        if _FULL in message:
            hint = "free space on the server's disk, for example with `mf rm`, then run the command again"
            return DiskFull(f"{self.url} refused: {message}", hint=hint)
        if lookup := _LOOKUP.search(message):
            hint = "check the server's DNS and network, then run the command again"
            return ServerError(f"the server at {self.url} cannot resolve {lookup['host']}", hint=hint)
        return ServerError(f"{self.url} refused: {message}", hint="see the server's log")

    def ended_early(self, status: str) -> ServerError:
        """Return the error for a stream that ended early, after `status`."""
        return ServerError(f"{self.url} ended its answer early" + (f", after: {status}" if status else ""), hint=_LOG)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what httpx raises as one of our errors."""
        import httpx

        try:
            yield
        except httpx.HTTPStatusError as error:
            raise self._status(error.response) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if any(cause in str(error) for cause in _UNKNOWN_HOST):
                hint = f"{_ADDRESS}, and the proxies in the environment"
                raise ServerUnreachable(f"host `{httpx.URL(self.url).host}` not found", hint=hint) from error
            if _TLS in str(error):
                hint = f"{_ADDRESS}, and the server's certificate; a server without TLS needs http://"
                raise ServerUnreachable(f"no secure connection to {self.url}: {error}", hint=hint) from error
            raise ServerUnreachable(
                f"no Ollama server answers at {self.url}",
                hint="start one with `ollama serve`, or name another with --host or OLLAMA_HOST",
            ) from error
        except httpx.TimeoutException as error:
            raise ServerUnreachable(f"{self.url} has stopped answering", hint=_LOG) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise ServerUnreachable(f"the connection to {self.url} broke: {error}", hint=_LOG) from error
        except httpx.InvalidURL:  # its message may quote a part of a password in a proxy's address
            hint = "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: in a password, write %2F for / and %40 for @"
            raise ServerUnreachable(
                f"cannot connect to {self.url}: invalid server or proxy address", hint=hint
            ) from None
        except (UnicodeError, ImportError, OSError) as error:
            hint = f"{_ADDRESS}, and the proxies and certificates in the environment"
            raise ServerUnreachable(f"cannot connect to {self.url}: {error}", hint=hint) from error

    def _status(self, response: httpx.Response) -> ServerError:
        try:
            message = self._without_key(ProgressWire.parse(response.content).error or "")
        except ValueError:
            message = ""
        status = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        match response.status_code:
            case 404 if message:
                return NotFound(f"{self.url} refused: {message}")
            case 404:
                return self.not_ollama(status)
            case 401 | 403:
                return ServerError(f"{self.url} refused: {message or status}", hint=self._about_key())
            case _ if response.has_redirect_location:
                return ServerError(f"{self.url} redirects elsewhere: {status}", hint="use the address it redirects to")
            case _ if message:
                return self.refused(message)
            case _:
                return ServerError(
                    f"{self.url} refused: {status}", hint="look at the log of the server, or of its proxy"
                )

    def _about_key(self) -> str:
        if self.withheld:
            return f"OLLAMA_API_KEY was not sent, as {self.withheld}"
        return "it rejects the key in OLLAMA_API_KEY" if self.key else "set OLLAMA_API_KEY to a key for it"

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "[the key]") if self.key else text
