"""Refusals of registries, translated into our errors: the only place that does so."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any, Final

import httpx

from modelfile.errors import InvalidRegistryAnswer, RegistryRefused, RegistryUnreachable, ServerError
from modelfile.immutable import field, record
from modelfile.stores.network.credentials import Credentials
from modelfile.stores.network.deadline import Expired, expired_in
from modelfile.stores.network.retry import is_tls, is_unknown_host

_NETWORK: Final = "check the network and the proxies in the environment (HTTPS_PROXY), then run the command again"
_CERTIFICATE: Final = (
    "check its certificate: SSL_CERT_FILE names that of a private CA; a registry without TLS is listed in "
    "`insecure-registries` of the configuration, or asked with --insecure"
)
_NOT_ONE: Final = "is it a registry? A proxy or a login page may be in the way"
_LATER: Final = "it does not work now: run the command again later"
_MOST_ERRORS: Final = 3
"""Errors of an answer that a message shows."""
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_OLD: Final = 412
"""From registry.ollama.ai: the version of Ollama in User-Agent is older than the model requires."""
_TOO_MANY: Final = 429
_FIRST_OF_SERVER: Final = 500


@record(frozen=False)
class Refusals:
    """The failures of one question to a registry, as errors with a hint."""

    what: str
    """The object of the question, as in `the manifest of llama3.2:3b`."""
    host: str
    """The registry that is asked: the host of the name, or its mirror."""
    credentials: Credentials = field(default_factory=lambda: Credentials(""), repr=False)
    """Those that were sent, to keep them out of messages."""
    task: str = "read"
    """The verb of all messages."""
    hint: str = ""
    """The hint of an error about denied access."""

    def clean(self, text: str) -> str:
        """Return another's text without secrets and control characters: all that is shown passes here."""
        return self.credentials.clean(text)

    @contextlib.contextmanager
    def translated(self) -> Iterator[None]:
        """Raise what httpx raises as one of our errors."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if (expired := expired_in(error)) is not None:
                raise self._late(expired) from error
            if is_unknown_host(error):
                raise self.unreachable(f"host `{self.host}` not found", _NETWORK) from error
            if is_tls(error):
                raise self.unreachable(
                    f"no secure connection to {self.host}: {self.clean(str(error))}", _CERTIFICATE
                ) from error
            raise self.unreachable(f"no answer from {self.host}: {self.clean(str(error))}", _NETWORK) from error
        except (httpx.TimeoutException, Expired) as error:
            raise self._late(expired_in(error)) from error
        except httpx.InvalidURL:  # its message may quote a part of a password in a proxy's address
            hint = "check HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: in a password, write %2F for / and %40 for @"
            raise self.unreachable(f"cannot connect to {self.host}: invalid address", hint) from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            reason = f"the connection to {self.host} broke: {self.clean(str(error))}"
            raise self.unreachable(reason, _NETWORK) from error
        except (UnicodeError, ImportError, OSError) as error:
            hint = "check the proxies and certificates in the environment"
            raise self.unreachable(f"cannot connect to {self.host}: {self.clean(str(error))}", hint) from error

    def unreachable(self, reason: str, hint: str) -> RegistryUnreachable:
        """Return the error for a registry that cannot be reached."""
        return RegistryUnreachable(f"cannot {self.task} {self.what}: {reason}", hint=hint)

    def invalid(self, reason: str, hint: str = _NOT_ONE) -> InvalidRegistryAnswer:
        """Return the error for an answer of a registry that is not as it should be; the reason continues its name."""
        return InvalidRegistryAnswer(f"cannot {self.task} {self.what}: {self.host} {reason}", hint=hint)

    def refused(self, reason: str, hint: str | None = None) -> RegistryRefused:
        """Return the error for a request that a registry rejects; the reason continues its name."""
        return RegistryRefused(f"cannot {self.task} {self.what}: {self.host} {reason}", hint=hint)

    def of_status(self, status: int, body: bytes, hint: str, retry_after: float | None) -> ServerError:
        """Return the error for an answer that is none of 200.

        Args:
            status: Its status.
            body: Its body, possibly cut.
            hint: What to do about 401 and 403.
            retry_after: The seconds after which to ask again, if the registry has named them.
        """
        said = self.clean(message_of(body))
        reason = f"HTTP {status}" + (f": {said}" if said else "")
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            return self.refused(f"denies access ({reason})", hint)
        if status == _TOO_MANY:
            wait = f" in {retry_after:.0f} s" if retry_after else " later"
            return self.refused(f"gets too many requests ({reason})", f"run the command again{wait}")
        if status >= _FIRST_OF_SERVER:
            return self.unreachable(f"{self.host} has failed ({reason})", _LATER)
        on = "upgrade mf: the model requires a newer Ollama than it knows" if status == _TOO_OLD else "check the name"
        return self.refused(f"rejects the request ({reason})", on)

    def _late(self, expired: Expired | None) -> RegistryUnreachable:
        reason, hint = (str(expired), expired.hint) if expired else ("has stopped answering", _NETWORK)
        return self.unreachable(f"{self.host} {reason}", hint)


def message_of(body: bytes) -> str:
    """Return the message in an answer: that of the specification, of the Hub, or a plain text of one line."""
    text = body.decode(errors="replace").strip()
    if text.startswith("<"):  # a page
        return ""
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text if "\n" not in text else ""
    if not isinstance(value, dict):
        return ""
    errors = value.get("errors")
    found = [
        value.get("error"),
        value.get("message"),
        *(_error(one) for one in (errors if isinstance(errors, list) else ())),
    ]
    return "; ".join([one for one in found if isinstance(one, str) and one][:_MOST_ERRORS])


def codes_of(body: bytes) -> frozenset[str]:
    """Return the codes of the errors in an answer, as the specification has them."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    errors = value.get("errors") if isinstance(value, dict) else None
    codes = [one.get("code") for one in (errors if isinstance(errors, list) else ()) if isinstance(one, dict)]
    return frozenset(code for code in codes if isinstance(code, str))


def _error(error: object) -> str | None:
    if not isinstance(error, dict):
        return None
    parts = (error.get("code"), error.get("message"))
    return " ".join(part for part in parts if isinstance(part, str) and part) or None
