"""Requests to registries, over httpx: redirects, retries, tokens, and limits of time and size."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from threading import Lock
from typing import Final
from weakref import WeakSet

import httpx

from modelfile.immutable import field, record, replace
from modelfile.stores.network.connections import BoundedClient, limits
from modelfile.stores.network.credentials import Credentials
from modelfile.stores.network.deadline import Deadline, Timeouts
from modelfile.stores.network.retry import Backoff, Retry
from modelfile.stores.registry.auth import (
    EXTRA,
    access_hint,
    cannot_sign,
    first_challenge,
    hugging_face_token,
    may_sign,
    ollama_key,
    sign,
    token_in,
    token_url,
)
from modelfile.stores.registry.quirks import Credential, Quirks
from modelfile.stores.registry.redirects import is_local, origin, target_of
from modelfile.stores.registry.refusals import Refusals

LARGEST_TOKEN: Final = 65_536
"""Largest answer with a token, or with an error, in bytes."""
_MOST_REDIRECTS: Final = 10
RETRY: Final = Retry(statuses=frozenset({429, 500, 502, 503, 504}), dropped=True)
"""The failures that pass."""
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_SAME_METHOD: Final = frozenset({307, 308})
"""Redirects after which a request that is not one for reading may be sent again."""
NEXT_UPLOAD: Final = "Docker-Upload-Location"
"""Header of an answer that redirects a part of an upload, which takes another request."""
_NAP: Final = 0.1
"""Longest part of a wait in which an interrupt is not noticed, in seconds."""
_LOCATION: Final = "location"
"""Extension of a response with the header Location."""


@record(kw_only=True)
class Question:
    """A request to a registry."""

    url: str
    host: str
    """The registry's host, for messages and tokens; with a port if it has one."""
    repository: str
    """The model's path; tokens are good for one."""
    quirks: Quirks
    plain: bool
    """True if plain http is allowed."""
    loopback: bool
    what: str
    """The object of the question, as in `the manifest of llama3.2:3b`."""
    limit: int = LARGEST_TOKEN
    """Largest answer that is read, in bytes."""
    size: int | None = None
    """Size of the answer in bytes, if it is known."""
    accept: str = "*/*"
    deadline: Deadline | None = None
    """The moment until which it may take, together with others; default: as long as an answer may."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further headers."""
    content: Callable[[], Iterable[bytes]] | None = None
    """Returns the body, which may have to be sent again; its length is in `headers`."""
    base: str = ""
    """The registry's URL if `url` may lead to another host, which gets no credentials."""
    task: str = "read"
    """The verb of an error about `what`."""

    @property
    def key(self) -> tuple[str, str]:
        """The host and the model that a token is good for."""
        return self.host.lower(), self.repository


@record(kw_only=True)
class Answer:
    """An answer, read as far as its limit."""

    status: int
    headers: httpx.Headers = field(repr=False)
    body: bytes = field(repr=False)
    own: bool = True
    """False if another host than the registry gave it."""
    location: str = field(default="", repr=False)
    """The header Location."""

    @property
    def retry_after(self) -> float | None:
        """The seconds after which to ask again, if the registry names them."""
        text = self.headers.get("Retry-After", "").strip()
        if text.isascii() and text.isdigit():
            return float(text[:9])
        with contextlib.suppress(ValueError, OverflowError, TypeError):
            return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
        return None


@record(kw_only=True, frozen=False)
class Response:
    """The head of an answer, whose body is still to be read."""

    response: httpx.Response
    question: Question
    refusals: Refusals
    url: httpx.URL
    """The address that gives it, at the end of redirects."""
    own: bool
    """False if another host than the registry gives it."""
    _body: bytes | None = None

    @property
    def status(self) -> int:
        """Its status."""
        return self.response.status_code

    @property
    def location(self) -> str:
        """Its header Location, or an empty text."""
        location: str = self.response.extensions.get(_LOCATION, "")
        return location

    def read(self) -> Answer:
        """Return the whole answer, as far as its limit."""
        if self._body is None:
            self._body = _read(self.response, self.question, self.refusals)
        return Answer(
            status=self.status, headers=self.response.headers, body=self._body, own=self.own, location=self.location
        )


class Exchange:
    """Connections to registries, to be used by any number of threads."""

    def __init__(self, environ: Mapping[str, str], agent: str, backoff: Backoff, timeouts: Timeouts) -> None:
        """Connect to nothing yet.

        Args:
            environ: The environment variables, for credentials.
            agent: The header User-Agent.
            backoff: The retry policy.
            timeouts: The time limits.
        """
        self._environ = environ
        self._agent = agent
        self._backoff = backoff
        self.timeouts = timeouts
        self._lock = Lock()
        """Held to change what follows."""
        self._clients: dict[bool, httpx.Client] = {}
        """Connections by whether they lead to this machine."""
        self._tokens: dict[tuple[str, str], str] = {}
        """Tokens by host and repository."""
        self._answered: set[str] = set()
        self._deadlines = WeakSet[Deadline]()

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients.clear()

    def interrupt(self) -> None:
        """End all requests that are under way in other threads."""
        with self._lock:
            for deadline in self._deadlines:
                deadline.interrupt()

    def deadline(self, seconds: float, *, idle: bool = False) -> Deadline:
        """Return a deadline that `interrupt` ends."""
        deadline = Deadline(seconds, idle=idle)
        with self._lock:
            self._deadlines.add(deadline)
        return deadline

    def get(self, question: Question) -> Answer:
        """Return the answer to a question, with the credentials that the registry asks for.

        Raises:
            RegistryUnreachable: It cannot be reached, or fails.
            RegistryRefused: It denies access, or gets too many requests.
            InvalidRegistryAnswer: It redirects endlessly or to where nobody should go, or answers too much.
        """
        refusals = Refusals(question.what, question.host, task=question.task)
        deadline = question.deadline or self.deadline(self.timeouts.answer)
        with self._lock:
            self._deadlines.add(deadline)
        with refusals.translated():
            answer = self._ask(question, deadline, refusals)
            if answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN, *RETRY.statuses):
                raise refusals.of_status(answer.status, answer.body, refusals.hint, answer.retry_after)
        return answer

    def waits(self, question: Question) -> Iterator[float]:
        """Return the seconds to wait before each retry."""
        return self._backoff.waits(answered=question.host in self._answered)

    def _ask(self, question: Question, deadline: Deadline, refusals: Refusals) -> Answer:
        """Return the answer to a question; retry after failures that pass."""
        waits = self.waits(question)
        while True:
            try:
                with self.open(question, deadline, refusals) as reply:
                    answer = reply.read()
            except httpx.HTTPError as error:
                if not RETRY.after(error) or not self.wait(next(waits, None), deadline, question.host):
                    raise
                continue
            wait = next(waits, None) if answer.status in RETRY.statuses else None
            if wait is None or not self.wait(max(wait, answer.retry_after or 0), deadline, question.host):
                return answer

    def wait(self, seconds: float | None, deadline: Deadline, host: str) -> bool:
        """Wait for a host, if there is time for it and a request; return whether there was."""
        if seconds is None or seconds >= deadline.remaining():
            return False
        self._backoff.on_wait(host, seconds)
        while seconds > 0:
            deadline.remaining()  # raises an error once interrupted
            self._backoff.pause(min(seconds, _NAP))
            seconds -= _NAP
        return True

    @contextlib.contextmanager
    def open(self, question: Question, deadline: Deadline, refusals: Refusals) -> Iterator[Response]:
        """Yield the answer to a question, asked again with a token if the registry wants one.

        Raises:
            httpx.HTTPError: It cannot be reached; `refusals` translates that.
            InvalidRegistryAnswer: As of `get`.
        """
        token, hint = self._tokens.get(question.key, ""), ""
        for is_last in (False, True):
            refusals.credentials = Credentials(token)
            with self._follow(question, f"Bearer {token}" if token else "", deadline, refusals) as reply:
                self._answered.add(question.host)
                if reply.status == httpx.codes.UNAUTHORIZED and reply.own and not is_last:
                    given, hint = self._authorize(question, reply.read(), deadline, refusals)
                    if given:
                        token = given
                        continue
                if reply.status not in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) and token:
                    self._tokens[question.key] = token
                refusals.hint = hint or access_hint(
                    question.quirks, question.host, sent=bool(token), task=question.task
                )
                yield reply
                return

    @contextlib.contextmanager
    def _follow(
        self, question: Question, authorization: str, deadline: Deadline, refusals: Refusals
    ) -> Iterator[Response]:
        """Yield the answer at the end of redirects; credentials go to the registry's own origin only.

        A HEAD is not sent to another host: a redirect to it says that the registry has a blob, and a signed address is
        good for one method only.
        """
        start, url = httpx.URL(question.base or question.url), httpx.URL(question.url)
        followed = REDIRECTS if question.method in ("GET", "HEAD") else _SAME_METHOD
        for _ in range(_MOST_REDIRECTS):
            own = origin(url) == origin(start)
            refusals.host = url.netloc.decode()
            with self._sent(question, url, authorization if own else "", deadline) as response:
                reply = Response(response=response, question=question, refusals=refusals, url=url, own=own)
                is_end = reply.status not in followed or NEXT_UPLOAD in response.headers or not reply.location
                target = None if is_end else target_of(url, reply.location, question, refusals)
                if target is None or (question.method == "HEAD" and origin(target) != origin(start)):
                    yield reply
                    return
            url = target
        raise refusals.invalid(f"redirects more than {_MOST_REDIRECTS} times")

    def _sent(
        self, question: Question, url: httpx.URL, authorization: str, deadline: Deadline
    ) -> contextlib.AbstractContextManager[httpx.Response]:
        headers = {"Accept": question.accept, "User-Agent": self._agent_for(question), **question.headers}
        headers |= {"Authorization": authorization} if authorization else {}
        content = question.content() if question.content else None
        extensions = limits(deadline, self.timeouts.connect)
        client = self._client(loopback=is_local(url.host))
        return client.stream(question.method, url, headers=headers, content=content, extensions=extensions)

    def _agent_for(self, question: Question) -> str:
        if not question.quirks.ollama_agent:
            return self._agent
        from modelfile.catalog.versions import NEWEST

        return f"ollama/{NEWEST} (amd64 linux) Go/go1.24.0 {self._agent}"

    def _authorize(self, question: Question, answer: Answer, deadline: Deadline, refusals: Refusals) -> tuple[str, str]:
        """Return a token for a registry that asks for one, empty if there is none, and a hint if it is not enough."""
        quirks = question.quirks
        if quirks.credential is Credential.HUGGING_FACE and (not question.plain or question.loopback):
            token = hugging_face_token(self._environ)
            if token:
                return token, ""
        challenge = first_challenge(answer.headers.get_list("WWW-Authenticate"))
        if challenge is None or (challenge.scheme == "bearer" and not challenge.realm):
            return "", ""
        if challenge.scheme != "bearer":
            hint = "only tokens are sent (Bearer); put a mirror before it that needs none, with `mirrors` in mf.toml"
            raise refusals.refused(f"asks for credentials of the kind `{refusals.clean(challenge.scheme)}`", hint)
        realm = target_of(httpx.URL(question.url), challenge.realm, question, refusals)
        url, authorization, hint = token_url(realm, challenge, signed=False), "", ""
        if may_sign(realm, question.host, quirks) and (key := ollama_key()):
            signed = token_url(realm, challenge, signed=True)
            try:
                url, authorization = signed, sign(str(signed), key[1])
            except ImportError:  # perhaps the registry gives a token to anybody
                url, hint = token_url(realm, challenge, signed=False), EXTRA
            except ValueError as error:
                raise cannot_sign(key[0], question.what, question.host) from error
        return self._token(question, url, authorization, deadline, hint), hint

    def _token(self, question: Question, url: httpx.URL, authorization: str, deadline: Deadline, hint: str) -> str:
        """Return the token that a realm gives; it is asked once, and leads nowhere else."""
        realm = url.netloc.decode()
        refusals = Refusals(question.what, realm, Credentials(authorization), task=question.task)
        question = replace(question, method="GET", headers={}, content=None, size=None, limit=LARGEST_TOKEN)
        with refusals.translated(), self._sent(question, url, authorization, deadline) as response:
            body = _read(response, question, refusals)
        if response.status_code != httpx.codes.OK:
            hint = hint or access_hint(question.quirks, question.host, sent=bool(authorization), task=question.task)
            raise refusals.of_status(response.status_code, body, hint, None)
        try:
            return token_in(json.loads(body))
        except (ValueError, RecursionError) as error:
            raise refusals.invalid("gives no token") from error

    def _client(self, *, loopback: bool) -> httpx.Client:
        with self._lock:
            if loopback not in self._clients:
                try:
                    client = BoundedClient(
                        headers={"Accept-Encoding": "identity"},  # what unpacks to gigabytes is not asked for
                        event_hooks={"response": [_hide_location]},
                        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                        trust_env=not loopback,  # Go never sends loopback through a proxy; httpx would
                        verify=httpx.create_ssl_context(),
                    )
                except ValueError as error:
                    raise httpx.InvalidURL(str(error)) from error  # a proxy's
                self._clients[loopback] = client
            return self._clients[loopback]


def stated_length(headers: httpx.Headers) -> int | None:
    """Return the header Content-Length, in bytes; None if there is none, or it is no number."""
    length = headers.get("Content-Length", "")
    return int(length[:20]) if length.isascii() and length.isdigit() else None


def _hide_location(response: httpx.Response) -> None:
    """Keep a redirect from httpx, which fails on an invalid one even if it is not to follow it."""
    response.extensions[_LOCATION] = response.headers.pop("Location", "")


def _read(response: httpx.Response, question: Question, refusals: Refusals) -> bytes:
    """Return the body of an answer: whole if it is good, otherwise as much of it as an error needs.

    Raises:
        InvalidRegistryAnswer: It is larger than its limit, compressed, or of another size than is known.
    """
    good = response.status_code == httpx.codes.OK and question.method != "HEAD"
    most = question.limit if good else LARGEST_TOKEN
    if good and response.headers.get("Content-Encoding", "identity") != "identity":
        raise refusals.invalid("sends a compressed answer")
    length = stated_length(response.headers)
    if good and length is not None:
        if length > most:
            raise refusals.invalid(f"sends {length:,} bytes, more than the {most:,} that are read")
        if question.size not in (None, length):
            raise refusals.invalid(f"sends {length:,} bytes instead of {question.size:,}")
    body = bytearray()
    for piece in response.iter_raw():
        body += piece
        if len(body) > most:
            if good:
                raise refusals.invalid(f"sends more than the {most:,} bytes that are read")
            break
    return bytes(body[:most])
