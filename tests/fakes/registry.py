"""A strict registry for faults, as Debian's docker-registry 2.8.2 and Ollama's token protocol are (measured).

Shares no code with `modelfile`; tests/contracts/test_registry.py holds it to the real docker-registry.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, RLock, Thread
from types import TracebackType
from typing import Any, NamedTuple, Self
from urllib.parse import parse_qsl, quote
from uuid import uuid4

from tests.fakes.script import Script, play
from tests.fakes.server import Server
from tests.fakes.values import Published

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_PATH = re.compile(r"/v2/([\w.-]+/[\w.-]+)/(manifests|blobs|tags)/([\w.:-]+)")
_HIDDEN = "ZTNiMGM0NDI5OGZjMWMxNDlhZmJmNGM4OTk2ZmI5MjQyN2FlNDFlNDY0OWI5MzRjYTQ5NTk5MWI3ODUyYjg1NQ=="
"""The base64 of the hexadecimal sha256 of nothing."""


class Asked(NamedTuple):
    """A request."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"


@dataclass(slots=True)
class _Fault:
    """An answer that requests with a text in their path will get."""

    path: str
    script: Script
    left: int
    method: str
    met: bool = False


class FakeRegistry:
    """A registry on a free port of 127.0.0.1, from entering the context to leaving it."""

    def __init__(self, certificate: Path | None = None) -> None:
        """Speak TLS with a certificate and its key in a file, if there is one."""
        self._certificate = certificate
        self.requests: list[Asked] = []
        self.violations: list[str] = []
        self.lock = RLock()
        self.leaving = Event()
        self.tags: dict[str, dict[str, str]] = {}
        """Digests of manifests by repository and tag."""
        self.blobs: dict[str, dict[str, bytes]] = {}
        """Blobs and manifests by repository and digest."""
        self.token = ""
        """The bearer token that it wants; empty: none."""
        self.realm = ""
        """The URL that gives out the token; default: `/token` here."""
        self.public_key: Any = None
        """The key that signs requests for the token; None: anybody gets it."""
        self.blobs_at = ""
        """The URL that blobs are redirected to; default: they are served."""
        self.knows_ranges = True
        """False if it answers a request for a range with the whole blob."""
        self.uploads: dict[str, bytearray] = {}
        """The uploads that are not finished, by their identifiers."""
        self._faults: list[_Fault] = []
        self._server: Server | None = None

    @property
    def host(self) -> str:
        """Its host and port."""
        assert self._server, "the registry runs inside its context only"
        return f"127.0.0.1:{self._server.server_port}"

    def push(self, repository: str, tag: str, published: Published) -> str:
        """Move a tag to a model, and return the digest of its manifest."""
        digest = f"sha256:{hashlib.sha256(published.manifest).hexdigest()}"
        with self.lock:
            self.tags.setdefault(repository, {})[tag] = digest
            self.blobs.setdefault(repository, {}).update({**published.blobs, digest: published.manifest})
        return digest

    def asked(self, method: str) -> list[str]:
        """Return the paths of all requests with a method."""
        return [asked.path for asked in self.requests if asked.method == method]

    def fault(self, path: str, script: Script, times: int = 1, method: str = "GET") -> None:
        """Let the next `times` requests with `path` in their path get the answer of a script."""
        self._faults.append(_Fault(path, script, times, method))

    def next_fault(self, method: str, path: str) -> Script | None:
        """Take the fault that a request runs into."""
        with self.lock:
            for fault in self._faults:
                if fault.left and fault.path in path and fault.method == method:
                    fault.left, fault.met = fault.left - 1, True
                    return fault.script
        return None

    def __enter__(self) -> Self:
        self._server = Server(partial(_Handler, self), self.violations)
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._server
        self.leaving.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.violations += [f"the fault at {fault.path} was not met" for fault in self._faults if not fault.met]
        if self.violations and error is None:
            raise AssertionError("\n".join(self.violations))


def _is_whole(script: Script) -> bool:
    """Return whether a script is one answer of a known length, after which the connection stays open."""
    head, _, body = b"".join(step for step in script.steps if isinstance(step, bytes)).partition(b"\r\n\r\n")
    return len(script.steps) == 1 and f"Content-Length: {len(body)}\r\n".encode() in head + b"\r\n"


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, fake: FakeRegistry, *args: Any) -> None:
        self._fake = fake
        super().__init__(*args)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        """Print nothing."""

    def do_GET(self) -> None:
        """Answer a request."""
        fake = self._fake
        with fake.lock:
            fake.requests.append(Asked(self.path, dict(self.headers), self.command))
        script = fake.next_fault(self.command, self.path)
        if not (script and script.unread):
            self._body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if script:
            play(script, self.connection, fake.leaving)
            self.close_connection = not _is_whole(script)
            return
        if self.headers.get("Accept-Encoding") != "identity":
            fake.violations.append(f"{self.path} is asked for in a compressed form")
        if "Cookie" in self.headers:
            fake.violations.append(f"{self.path} is asked for with a cookie")
        path, _, query = self.path.partition("?")
        if path == "/token":
            self._give_token(query)
            return
        wanted = self.headers.get("Authorization")
        if fake.token and wanted != f"Bearer {fake.token}":
            name = path.removeprefix("/v2/").rpartition("/")[0].rpartition("/")[0]
            realm = fake.realm or f"http://{fake.host}/token"
            challenge = f'Bearer realm="{realm}",service="fake",scope="repository:{name}:pull"'
            self._error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": challenge})
            return
        if wanted and not fake.token:
            fake.violations.append(f"{path} is asked for with credentials that nobody wants")
        if self.command in ("GET", "HEAD") and "/uploads/" not in path:
            self._find(path)
        else:
            self._store(path, dict(parse_qsl(query)))

    do_HEAD = do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815  # the names are http.server's

    def _store(self, path: str, query: Mapping[str, str]) -> None:
        """Take a part of an upload, or a manifest."""
        fake = self._fake
        if found := re.fullmatch(r"/v2/([\w.-]+/[\w.-]+)/manifests/([\w.-]+)", path):
            self._store_manifest(*found.groups())
            return
        found = re.fullmatch(r"/v2/([\w.-]+/[\w.-]+)/blobs/uploads/(\w*)", path)
        if not found or (found[2] and found[2] not in fake.uploads):
            self._error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
            return
        repository, upload = found.groups()
        blobs = fake.blobs.setdefault(repository, {})
        if self.command == "POST":
            source = fake.blobs.get(query.get("from", ""), {}).get(query.get("mount", ""))
            if source is not None:
                blobs[query["mount"]] = source
                self._send(201, b"", "text/plain", {"Docker-Content-Digest": query["mount"]})
                return
            upload = uuid4().hex
            fake.uploads[upload] = bytearray()
        content = fake.uploads[upload]
        if len(self._body) != int(self.headers.get("Content-Length", "0")):
            return  # the client has hung up
        stated = f"{len(content)}-{len(content) + len(self._body) - 1}"
        if self.command == "PATCH" and self.headers["Content-Range"] != stated:
            fake.violations.append(f"{self.headers['Content-Range']} follows {len(content)} bytes")
        content += self._body
        if self.command == "PUT":
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            if query.get("digest") != digest:
                self._error(400, "DIGEST_INVALID", "provided digest did not match uploaded content")
                return
            blobs[digest] = bytes(fake.uploads.pop(upload))
            self._send(201, b"", "text/plain", {"Docker-Content-Digest": digest})
            return
        state = {"Location": f"/v2/{repository}/blobs/uploads/{upload}", "Range": f"0-{max(len(content) - 1, 0)}"}
        self._send(204 if self.command == "GET" else 202, b"", "text/plain", state)

    def _store_manifest(self, repository: str, tag: str) -> None:
        blobs, value = self._fake.blobs.setdefault(repository, {}), json.loads(self._body)
        if self.headers["Content-Type"] != value["mediaType"]:
            self._fake.violations.append(f"{self.headers['Content-Type']} is not the type of the manifest")
        if missing := [one["digest"] for one in (value["config"], *value["layers"]) if one["digest"] not in blobs]:
            self._error(400, "MANIFEST_BLOB_UNKNOWN", f"blob unknown to registry: {missing[0]}")
            return
        digest = self._fake.push(repository, tag, Published(self._body, {}))
        self._send(201, b"", "text/plain", {"Docker-Content-Digest": digest})

    def _find(self, path: str) -> None:
        found = _PATH.fullmatch(path)
        if not found:
            self._fake.violations.append(f"unknown path {path}")
            self._error(404, "UNSUPPORTED", "unknown path")
            return
        repository, kind, reference = found.groups()
        blobs, tags = self._fake.blobs.get(repository, {}), self._fake.tags.get(repository)
        if kind == "tags":
            if tags is None:
                self._error(404, "NAME_UNKNOWN", "repository name not known to registry")
            else:
                self._send(200, json.dumps({"name": repository, "tags": sorted(tags)}).encode(), "application/json")
            return
        content = blobs.get((tags or {}).get(reference, reference))
        accepted = self.headers.get("Accept", "").split(", ")
        if kind == "manifests" and MANIFEST not in accepted:
            self._error(400, "MANIFEST_INVALID", "manifest invalid")
        elif content is None:
            self._error(404, "MANIFEST_UNKNOWN" if kind == "manifests" else "BLOB_UNKNOWN", "unknown to registry")
        elif kind == "manifests" and (media_type := json.loads(content)["mediaType"]) not in accepted:
            self._error(404, "MANIFEST_UNKNOWN", f"manifest of {media_type} found, but it is not accepted")
        elif kind == "manifests":
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            self._send(200, content, media_type, {"Docker-Content-Digest": digest})
        elif self._fake.blobs_at:
            self._send(307, b"", "text/html", {"Location": f"{self._fake.blobs_at}{path}"})
        else:
            self._send_blob(content)

    def _send_blob(self, content: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if not asked or not self._fake.knows_ranges:
            self._send(200, content, "application/octet-stream")
            return
        part = content[int(asked[1]) : int(asked[2]) + 1]
        stated = f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(content)}"
        self._send(206, part, "application/octet-stream", {"Content-Range": stated})

    def _give_token(self, query: str) -> None:
        """Give out the token, to whoever has signed the request if there is a key (auth.go, v0.9.3)."""
        fields = parse_qsl(query, keep_blank_values=True)
        if [key for key, _ in fields] != sorted(key for key, _ in fields):
            self._fake.violations.append(f"the keys of {query} are not in order")
        if self._fake.public_key is not None and not self._is_signed(dict(fields)):
            self._error(401, "UNAUTHORIZED", "invalid signature")
            return
        self._send(200, json.dumps({"token": self._fake.token}).encode(), "application/json")

    def _is_signed(self, fields: Mapping[str, str]) -> bool:
        key, _, signature = self.headers.get("Authorization", "").partition(":")
        text = f"GET,http://{self._fake.host}{self.path},{_HIDDEN}"
        try:
            self._fake.public_key.verify(base64.b64decode(signature), text.encode())
        except Exception:  # noqa: BLE001  # whatever is wrong with a signature
            return False
        complete = {"nonce", "ts", "scope", "service"} <= fields.keys()
        return complete and base64.b64decode(key)[-32:] == self._fake.public_key.public_bytes_raw()

    def _error(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        errors = {"errors": [{"code": code, "message": message, "detail": quote(self.path)}]}
        self._send(status, json.dumps(errors).encode(), "application/json; charset=utf-8", headers)

    def _send(self, status: int, body: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": media_type, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
