"""A small registry in this process: it keeps in memory what is pushed, and checks every digest."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
_PATH: Final = re.compile(r"/v2/([^/]+/[^/]+)/(manifests|blobs/uploads|blobs|tags)/([\w.:-]*)")
_UNKNOWN: Final = {"tags": "NAME_UNKNOWN", "manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN"}
"""Codes of errors by what is not there."""
_OTHER: Final = "localhost"
"""Another name of this host: an Ollama server takes blobs only from a registry that redirects to one."""
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d+)")


class Contents:
    """The models that were pushed; only the methods of `dict` are called by several threads."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        """By digest."""
        self.manifests: dict[tuple[str, str], bytes] = {}
        """By repository and tag, and by repository and digest."""
        self.uploads: dict[str, bytes] = {}
        """The received parts of blobs, by the identifier of their upload."""


@contextmanager
def serve() -> Iterator[str]:
    """Yield the host and the port of an empty registry over plain HTTP that ends with the block."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, Contents())) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    """Answers requests of the OCI distribution specification."""

    protocol_version = "HTTP/1.1"

    def __init__(self, contents: Contents, *connection: object) -> None:
        self.contents = contents
        super().__init__(*connection)  # type: ignore[arg-type]  # of the server

    def do_GET(self) -> None:
        """Answer with a manifest, a blob or the tags of a model."""
        repository, kind, what = self._asked()
        match kind:
            case "manifests":
                self._answer_with(self.contents.manifests.get((repository, what)), MANIFEST)
            case "blobs" if self.command == "GET" and not self._host.startswith(_OTHER):
                port = self.connection.getsockname()[1]
                self._answer(HTTPStatus.TEMPORARY_REDIRECT, Location=f"http://{_OTHER}:{port}{self.path}")
            case "blobs":
                self._answer_with(self.contents.blobs.get(what), "application/octet-stream")
            case "tags":
                tags = sorted(tag for name, tag in [*self.contents.manifests] if name == repository and ":" not in tag)
                listed = json.dumps({"name": repository, "tags": tags}).encode() if tags else None
                self._answer_with(listed, "application/json")
            case _:
                self._answer(HTTPStatus.NOT_FOUND)

    def do_HEAD(self) -> None:
        """Answer the same without the content."""
        self.do_GET()

    def do_POST(self) -> None:
        """Begin an upload."""
        repository, kind, _ = self._asked()
        if kind != "blobs/uploads":
            self._answer(HTTPStatus.NOT_FOUND)
            return
        upload = uuid4().hex
        self.contents.uploads[upload] = b""
        self._answer(HTTPStatus.ACCEPTED, Location=f"http://{self._host}/v2/{repository}/blobs/uploads/{upload}")

    def do_PATCH(self) -> None:
        """Receive a part of a blob."""
        _, kind, upload = self._asked()
        content = self._content()
        if kind != "blobs/uploads" or upload not in self.contents.uploads:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        self.contents.uploads[upload] += content
        received = len(self.contents.uploads[upload])
        self._answer(HTTPStatus.ACCEPTED, Location=f"http://{self._host}{self.path}", Range=f"0-{received - 1}")

    def do_PUT(self) -> None:
        """Receive a manifest, or the end of a blob."""
        repository, kind, what = self._asked()
        content = self._content()
        if kind == "manifests":
            listed = json.loads(content)
            if any(layer["digest"] not in self.contents.blobs for layer in (listed["config"], *listed["layers"])):
                self._answer(HTTPStatus.BAD_REQUEST)
                return
            for reference in (what, _digest(content)):
                self.contents.manifests[repository, reference] = content
            self._answer(HTTPStatus.CREATED)
            return
        content = self.contents.uploads.pop(what, b"") + content
        digest = parse_qs(urlsplit(self.path).query).get("digest", [""])[0]
        if kind != "blobs/uploads" or _digest(content) != digest:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        self.contents.blobs[digest] = content
        self._answer(HTTPStatus.CREATED)

    @property
    def _host(self) -> str:
        """The host and the port of the URL that was asked."""
        return self.headers.get("Host", "")

    def _asked(self) -> tuple[str, str, str]:
        """Return repository, kind and reference of the request."""
        found = _PATH.fullmatch(urlsplit(self.path).path)
        return (found[1], found[2], found[3]) if found else ("", "", "")

    def _content(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _answer_with(self, content: bytes | None, kind: str) -> None:
        if content is None:
            self._answer(HTTPStatus.NOT_FOUND)
            return
        headers = {"Content-Type": kind, "Docker-Content-Digest": _digest(content)}
        if asked := _RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = int(asked[1]), min(int(asked[2]), len(content) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
            self._answer(HTTPStatus.PARTIAL_CONTENT, content[first : last + 1], **headers)
        else:
            self._answer(HTTPStatus.OK, content, **headers)

    def _answer(self, status: HTTPStatus, content: bytes = b"", **headers: str) -> None:
        if status >= HTTPStatus.BAD_REQUEST:
            code = _UNKNOWN.get(self._asked()[1], status.name)
            content = json.dumps({"errors": [{"code": code, "message": status.phrase}]}).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as http.server calls it
        """Log nothing."""


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
