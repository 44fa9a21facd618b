"""Failures of the connection and refusals of the server, translated into our errors: the only place that does so."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from modelfile.errors import DiskFull, NotFound, RegistryUnreachable, ServerError, ServerUnreachable
from modelfile.immutable import field, record
from modelfile.stores.network.credentials import Credentials
from modelfile.stores.network.deadline import Expired, expired_in
from modelfile.stores.network.retry import is_tls, is_unknown_host
from modelfile.stores.ollama.wire import ProgressWire

if TYPE_CHECKING:
    import httpx

_ADDRESS: Final = "check --host or OLLAMA_HOST"
_LOG: Final = "see the server's log, then run the command again"
_FULL: Final = "no space left on device"
_SILENT: Final = "has stopped answering"


class _Kind(NamedTuple):
    """A kind of failure in a network, as Go words it."""

    pattern: re.Pattern[str]
    verb: str
    reason: str
    """Empty if the pattern's group is it, if it has one."""
    hint: str


_NETWORK: Final = "check the server's network and its proxy (HTTPS_PROXY), then run the command again"
_TROUBLES: Final = (
    _Kind(
        re.compile(r"dial (?:tcp|udp): lookup"),
        "resolve",
        "",
        "check the server's DNS and network, then run the command again",
    ),
    _Kind(
        re.compile(r"(?:x509|tls): (.*)"),
        "verify",
        "",
        "check the server's certificates, clock and proxy, then run the command again",
    ),
    _Kind(
        re.compile(r"http: server gave HTTP response to HTTPS client"),
        "reach",
        "it does not speak HTTPS",
        "put a proxy with TLS before that registry, or list it in `insecure-registries` of the configuration",
    ),
    _Kind(re.compile(r"connect: connection refused"), "reach", "connection refused", _NETWORK),
    _Kind(re.compile(r"connect: (?:no route to host|network is unreachable)"), "reach", "no route to it", _NETWORK),
    _Kind(re.compile(r"proxyconnect tcp: "), "reach", "its proxy does not answer", _NETWORK),
    _Kind(
        re.compile(r"TLS handshake timeout|i/o timeout|context deadline exceeded|Client\.Timeout exceeded"),
        "reach",
        "no answer in time",
        _NETWORK,
    ),
    _Kind(re.compile(r"connection reset by peer|unexpected EOF|: EOF$"), "reach", "the connection broke", _NETWORK),
)
"""In order: a lookup may time out, too."""
_HOSTS: Final = (
    re.compile(r"dial (?:tcp|udp): lookup ([^\s:]+)"),
    re.compile(r"https?://(?:[^/\s\"@]*@)?([^/\s\"?]+)"),
    re.compile(r"(?:dial (?:tcp|udp) |read tcp \S+->)(\S+): "),
)
"""Names of the other side in errors of Go: `Get "https://r.example/v2/": dial tcp: lookup r.example: no such host`."""


@record(kw_only=True, frozen=False)
class Failures:
    """The failures of one server, as errors with a hint."""

    url: str
    key: str = field(default="", repr=False)
    """Never shown."""
    withheld: str = ""
    """The reason and the remedy if the key is not sent."""
    answered: bool = False
    """True once the server has answered."""
    _credentials: Credentials = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._credentials = Credentials(self.key)

    def clean(self, text: str) -> str:
        """Return a server's message without secrets and control characters: all that is shown passes here."""
        return self._credentials.clean(text)

    def check_answer(self, answer: bytes) -> None:
        """Reject an answer that repeats the key.

        Raises:
            ServerError: It does.
        """
        if self._credentials.is_in(answer):
            hint = "use another server, and replace the key: whoever sees its answers may know it"
            raise ServerError(f"{self.url} repeats the key in OLLAMA_API_KEY", hint=hint)

    @property
    def sends_key(self) -> bool:
        """True if there is a key, and it is sent."""
        return bool(self.key) and not self.withheld

    def not_ollama(self, status: str = "") -> ServerError:
        """Return the error for an answer that Ollama would not give."""
        return ServerError(
            f"{self.url} does not answer as Ollama does" + (f": {self.clean(status)}" if status else ""),
            hint=f"{_ADDRESS}: it may be the address of another program",
        )

    def refused(self, message: str) -> ServerError:
        """Return the error for a request that the server rejects with a message."""
        message = self.clean(message)
        if _FULL in message:
            hint = "free space on the server's disk, for example with `mf rm`, then run the command again"
            return DiskFull(f"{self.url} refused: {message}", hint=hint)
        if trouble := trouble_of(message):
            return RegistryUnreachable(f"the server at {self.url} {trouble.what}", hint=trouble.hint)
        return ServerError(f"{self.url} refused: {message}", hint="see the server's log")

    def ended_early(self, status: str) -> ServerError:
        """Return the error for a stream that ended early, after `status`."""
        return ServerError(
            f"{self.url} ended its answer early" + (f", after: {self.clean(status)}" if status else ""), hint=_LOG
        )

    @contextlib.contextmanager
    def translated(self, doing: str = "") -> Iterator[None]:
        """Raise what httpx raises as one of our errors.

        Args:
            doing: A clause on what is being done, as in `w.gguf was being sent`.
        """
        import httpx

        try:
            yield
        except httpx.HTTPStatusError as error:
            raise self._status(error.response) from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if is_unknown_host(error):
                hint = f"{_ADDRESS}, and the proxies in the environment"
                raise ServerUnreachable(f"host `{httpx.URL(self.url).host}` not found", hint=hint) from error
            if is_tls(error):
                hint = f"{_ADDRESS}, and the server's certificate; a server without TLS needs http://"
                raise ServerUnreachable(
                    f"no secure connection to {self.url}: {self.clean(str(error))}", hint=hint
                ) from error
            raise self._absent(doing) from error
        except (httpx.TimeoutException, Expired) as error:
            expired = expired_in(error)
            message, hint = (str(expired), f"see the server's log; {expired.hint}") if expired else (_SILENT, _LOG)
            raise ServerUnreachable(f"{self.url} {message}", hint=hint) from error
        except (httpx.HTTPError, httpx.StreamError) as error:
            broke = f"the connection to {self.url} broke" + (f" while {doing}" if doing else "")
            raise ServerUnreachable(f"{broke}: {self.clean(str(error))}", hint=_LOG) from error
        except httpx.InvalidURL:  # its message may quote a part of a password in a proxy's address
            hint = "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: in a password, write %2F for / and %40 for @"
            raise ServerUnreachable(
                f"cannot connect to {self.url}: invalid server or proxy address", hint=hint
            ) from None
        except (UnicodeError, ImportError, OSError) as error:
            hint = f"{_ADDRESS}, and the proxies and certificates in the environment"
            raise ServerUnreachable(f"cannot connect to {self.url}: {self.clean(str(error))}", hint=hint) from error

    def _status(self, response: httpx.Response) -> ServerError:
        try:
            message = self.clean(ProgressWire.parse(response.content).error or "")
        except ValueError:
            message = ""
        status = f"HTTP {response.status_code} {self.clean(response.reason_phrase)}".rstrip()
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

    def _absent(self, doing: str) -> ServerUnreachable:
        if self.answered and doing:
            hint = "start it again, then run the command again: finished uploads are reused"
            return ServerUnreachable(f"{self.url} went away while {doing}", hint=hint)
        return ServerUnreachable(
            f"no Ollama server answers at {self.url}" + (" any longer" if self.answered else ""),
            hint="start one with `ollama serve`, name another with --host or OLLAMA_HOST, or use a folder with --store",
        )


class _Trouble(NamedTuple):
    """A failure of the server's own network."""

    what: str
    """Completes "the server at …"."""
    hint: str


def trouble_of(message: str) -> _Trouble | None:
    """Return the failure of a server's own network that its message is about, if it is."""
    host = next((found[1] for pattern in _HOSTS if (found := pattern.search(message))), None)
    matches = ((kind, kind.pattern.search(message)) for kind in _TROUBLES)
    kind, found = next(((kind, match) for kind, match in matches if match), (None, None))
    if host is None or kind is None or found is None:
        return None
    reason = kind.reason or (found.groups() and found[1])
    return _Trouble(f"cannot {kind.verb} {host}" + (f": {reason}" if reason else ""), kind.hint)
