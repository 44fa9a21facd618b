"""A strict Ollama server in memory, with faults on demand.

    with FakeOllama() as fake:
        fake.registry["base:v1"] = published(b"GGUF...", system="You are terse.")
        fake.fault("/api/create", Hangup(after_lines=1))
        ...  # talk to fake.url

It answers what real servers answered in tests/data/traces/, and more strictly: a request with an unknown field, path or
Content-Type fails the test, and so does a fault that nothing ran into.

Not modeled: running models, push, quantize, safetensors, what is in a GGUF (each is a llama; one with `projector` or
`adapter` in its first 512 bytes is that), autodetected templates, mistakes in templates but for an unclosed `{{`.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler
from itertools import count, takewhile
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, Final, NamedTuple, NoReturn, Self

from tests.fakes.faults import (
    DropParameter,
    Endless,
    ErrorLine,
    Fault,
    Garbage,
    Hangup,
    Hold,
    NoSuccess,
    Planned,
    Raw,
    Slow,
    Status,
    WrongAck,
)
from tests.fakes.fields import FIELDS, check
from tests.fakes.script import Script, play
from tests.fakes.server import Server
from tests.fakes.store import Line, Lines, Store
from tests.fakes.values import Failure, Refused, go_json, go_quote

JSON: Final = "application/json; charset=utf-8"
_MANY_PIECES: Final = 1000
"""Pieces of an endless answer."""


class Logged(NamedTuple):
    """A request as it came; `json` is None for an upload and for what has no body."""

    method: str
    path: str
    json: Any


class FakeOllama:
    """An Ollama server on a free port of 127.0.0.1, from entering the context to leaving it."""

    def __init__(
        self,
        version: str = "0.9.3",
        *,
        models_path: str = "/var/lib/ollama/models",
        allow: Collection[str] = (),
    ) -> None:
        """Behave as `version`, with blobs that say they are in `models_path`; `allow` unknown fields and paths."""
        self.version = version
        self.requests: list[Logged] = []
        self.keys: set[str] = set()
        """The values of the header Authorization, the empty one too."""
        self.violations: list[str] = []
        self.lock = RLock()
        self.leaving = Event()
        self.store = Store(version, models_path)
        self.models = self.store.models
        self.blobs = self.store.blobs
        self.registry = self.store.registry
        self._allow = allow
        self._faults: list[Planned] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Its URL."""
        assert self._server, "the server runs inside its context only"
        return f"http://127.0.0.1:{self._server.server_port}"

    def fault(self, path_prefix: str, fault: Fault, times: int = 1, first: int = 0, *, required: bool = True) -> None:
        """Let the next `times` requests below a path (or `METHOD /path`) run into `fault`, once `first` have passed."""
        self._faults.append(Planned(path_prefix, fault, times, first, used=not required))

    def clear_faults(self) -> None:
        """Let no more requests run into faults."""
        with self.lock:
            for planned in self._faults:
                planned.left = 0

    def next_fault(self, method: str, path: str) -> Fault | None:
        """Take the fault that a request runs into, the first one planned first."""
        with self.lock:
            for planned in self._faults:
                if planned.left and any(form.startswith(planned.path_prefix) for form in (path, f"{method} {path}")):
                    if planned.first:
                        planned.first -= 1
                        continue
                    planned.left -= 1
                    planned.used = True
                    return planned.fault
        return None

    def violation(self, what: str, message: str) -> None:
        """Fail the test at the end of the context, unless `what` is allowed."""
        if what not in self._allow:
            self.violations.append(message)

    def __enter__(self) -> Self:
        self._server = Server(partial(_Handler, self), self.violations)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.die()
        unmet = [planned for planned in self._faults if not planned.used]
        self.violations += [f"{planned.fault} at {planned.path_prefix} was not met" for planned in unmet]
        complaints = "\n".join(self.violations)
        if complaints and error is None:
            raise AssertionError(complaints)
        if complaints and error is not None:
            error.add_note(f"The fake Ollama server complains:\n{complaints}")

    def die(self) -> None:
        """Close all connections, and listen no longer."""
        assert self._server
        self.leaving.set()
        for held in (planned.fault for planned in self._faults if isinstance(planned.fault, Hold)):
            held.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _HungUp(Exception):
    """The connection is to be closed as it is."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, fake: FakeOllama, *args: Any) -> None:
        self._fake = fake
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Print nothing."""

    def _answer(self) -> None:
        """Answer one request."""
        try:
            fault = self._fake.next_fault(self.command, self.path)
            if isinstance(fault, Hangup) and fault.for_good:
                self._fake.fault("", Hangup(), times=sys.maxsize)
            if isinstance(fault, Hold) and not fault.done:
                self._hold(fault)
            if isinstance(fault, Script) and fault.unread:
                self._play(fault)
            body = self._body(fault.after_bytes if isinstance(fault, Hangup) else None)
            request = self._logged(body)
            match fault:
                case Slow(seconds):
                    self._fake.leaving.wait(seconds)
                case Endless():
                    self._endless(fault)
                case Script():
                    self._play(fault)
                case Hold(done=True):
                    self.wfile, answer = io.BytesIO(), self.wfile
                    with self._fake.lock:
                        self._routed(body, request, None)
                    self._hold(fault)
                    answer.write(self.wfile.getvalue())
                    self.wfile = answer
                    return
                case _:
                    pass
            with self._fake.lock:
                self._routed(body, request, fault)
        except Refused as refused:
            self._send(refused.status, {"error": refused.error})
        except _HungUp:
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  # the names are http.server's

    def _hold(self, fault: Hold) -> None:
        fault.reached.set()
        fault.released.wait()
        if self._fake.leaving.is_set():
            raise _HungUp

    def _play(self, script: Script) -> NoReturn:
        play(script, self.connection, self._fake.leaving)
        raise _HungUp

    def _endless(self, fault: Endless) -> NoReturn:
        self.send_response(200)
        self.send_header("Content-Type", fault.content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in takewhile(lambda _: not self._fake.leaving.is_set(), count()):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(fault.piece), fault.piece))
            if number == _MANY_PIECES:
                fault.answered.set()
        raise _HungUp

    def _body(self, limit: int | None) -> bytes:
        """Read the body, sent in chunks or at once; hang up once `limit` bytes are there, or if it breaks off."""
        body = bytearray()
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        for piece in self._chunks() if chunked else self._piece(int(self.headers.get("Content-Length", 0))):
            body += piece
            if limit is not None and len(body) >= limit:
                break
        if limit is not None:
            self._fake.requests.append(Logged(self.command, self.path, None))
            raise _HungUp
        return bytes(body)

    def _chunks(self) -> Iterator[bytes]:
        while line := self.rfile.readline():
            size = int(line.split(b";")[0], 16)
            yield from self._piece(size)
            self.rfile.readline()
            if not size:
                return
        raise _HungUp

    def _piece(self, size: int) -> Iterator[bytes]:
        while size:
            if not (piece := self.rfile.read(min(size, 1 << 12))):
                raise _HungUp
            size -= len(piece)
            yield piece

    def _logged(self, body: bytes) -> dict[str, Any]:
        """Log a request, and compare it with the fields of its path."""
        self._fake.keys.add(self.headers.get("Authorization", ""))
        path, sent = self.path, self.headers.get("Content-Type", "").partition(";")[0]
        upload = self.command == "POST" and path.startswith("/api/blobs/")
        wanted = ("", "application/octet-stream") if upload else ("application/json",) if path in FIELDS else ("",)
        content = None
        with suppress(ValueError):
            content = json.loads(body) if body and not upload else None
        self._fake.requests.append(Logged(self.command, path, content))
        if sent not in wanted:
            self._fake.violation("Content-Type", f"{self.command} {path}: Content-Type {sent!r}")
        if path not in FIELDS:
            return {}
        renderers = self._fake.store.behavior.takes_renderers
        return check(path, content, renderers=renderers, violation=self._fake.violation)

    def _routed(self, body: bytes, request: dict[str, Any], fault: Fault | None) -> None:
        streams = {("POST", "/api/create"): self._fake.store.create, ("POST", "/api/pull"): self._fake.store.pull}
        stream = streams.get((self.command, self.path))
        match fault:
            case Status(code, text):
                self._write(code, text.encode(), JSON if text.startswith("{") else "text/plain")
            case Garbage(content):
                self._write(200, content, JSON)
            case Raw(content):
                self.wfile.write(content)
                raise _HungUp
            case _ if stream:
                if isinstance(fault, DropParameter) and not request.get("parameters", {}).pop(fault.name, None):
                    self._fake.violation("fault", f"{fault}: there is no such parameter")
                self._stream(stream(request), request, fault)
            case Hangup():
                raise _HungUp
            case ErrorLine(error=error):
                raise Refused(500, error)
            case _ if self.path.startswith("/api/blobs/") and self.command in {"HEAD", "POST"}:
                self._blob(self.path.removeprefix("/api/blobs/"), body, fault)
            case _:
                self._plain(request)

    def _plain(self, request: dict[str, Any]) -> None:
        store = self._fake.store
        match self.command, self.path:
            case "GET", "/api/version":
                self._send(200, {"version": self._fake.version})
            case "GET", "/api/tags":
                self._send(200, store.tags())
            case "POST", "/api/show":
                self._send(200, store.show(request))
            case "POST", "/api/copy":
                store.copy(request)
                self._write(200)
            case "DELETE", "/api/delete":
                store.delete(request)
                self._write(200)
            case _:
                self._fake.violation(self.path, f"{self.command} {self.path} is nothing that this server knows")
                self._write(404, b"404 page not found", "text/plain")

    def _blob(self, digest: str, body: bytes, fault: Fault | None) -> None:
        there = self._fake.store.has(digest)
        if self.command == "HEAD":
            if not there:
                raise Refused(404, f"blob {go_quote(digest)} not found")
            self._write(200)
        elif there or isinstance(fault, WrongAck):
            self._write(200 if there else 201)
        elif (got := f"sha256:{hashlib.sha256(body).hexdigest()}") != digest:
            raise Refused(400, f"digest mismatch, expected {go_quote(digest)}, got {go_quote(got)}")
        else:
            self._fake.store.add(body)
            self._write(201)

    def _stream(self, lines: Lines, request: dict[str, Any], fault: Fault | None) -> None:
        """Answer line by line, or with one line if the request says so (streamResponse, waitForStream)."""
        faulty = self._with_fault(lines, fault)
        if request.get("stream") is False:
            last: Line = {}
            for last in faulty:
                if isinstance(last, Failure):
                    break
            self._send_line(last)
            return
        goes_on = self._fake.store.behavior.goes_on_after_errors
        first = True
        for line in faulty:
            failed = isinstance(line, Failure)
            if failed and first and not goes_on:
                self._send_line(line)
                return
            if first:
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
            first = False
            text = f"{go_json(_error(line, with_status=goes_on))}\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            if failed and not goes_on:
                break
        self.wfile.write(b"0\r\n\r\n")

    def _with_fault(self, lines: Lines, fault: Fault | None) -> Iterator[Line]:
        for number in count():
            if isinstance(fault, Hangup | ErrorLine) and number == fault.after_lines:
                if isinstance(fault, Hangup):
                    raise _HungUp
                yield Failure(fault.error)
                return
            line = next(lines, None)
            if line is None:
                break
            if not (isinstance(fault, NoSuccess) and line == {"status": "success"}):
                yield line
        if isinstance(fault, Hangup | ErrorLine):
            self._fake.violation("fault", f"{fault}: there were {number} lines only")

    def _send_line(self, line: Line) -> None:
        """Answer with one line instead of a stream of them."""
        status = (line.status or 500) if isinstance(line, Failure) else 200
        self._send(status, _error(line, with_status=False), "application/json")

    def _send(self, status: int, payload: dict[str, Any], content_type: str = JSON) -> None:
        self._write(status, go_json(payload).encode(), content_type)

    def _write(self, status: int, body: bytes = b"", content_type: str | None = None) -> None:
        self.send_response(status)
        if content_type:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _error(line: Line, *, with_status: bool) -> dict[str, Any]:
    """Write a failure as a line; any other line is one."""
    if isinstance(line, Failure):
        return {"error": line.error} | ({"status": line.status} if with_status and line.status else {})
    return line
