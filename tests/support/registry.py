"""A real registry: Debian's `docker-registry`, with blobs that it redirects to another host, as Ollama wants them."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

from tests.support.real_ollama import clean_environment, listening

CONFIGURATION = """\
version: 0.1
storage:
  filesystem: {{rootdirectory: "{storage}"}}
  delete: {{enabled: true}}
{middleware}http: {{addr: "127.0.0.1:0"}}
"""
MIDDLEWARE = """\
middleware:
  storage: [{{name: redirect, options: {{baseurl: "http://localhost:{port}"}}}}]
"""


def available() -> bool:
    """Return whether `docker-registry` is installed (`apt-get install docker-registry`)."""
    return shutil.which("docker-registry") is not None


@contextmanager
def registry(*, cut_after: int | None = None, redirects: bool = True) -> Iterator[str]:
    """Yield the `127.0.0.1:PORT` of an empty registry over plain HTTP that ends with the block.

    Ollama downloads a blob only where the registry redirects to another host name: here to `localhost`, where a second
    server hands out the files of the registry's storage.

    Args:
        cut_after: The bytes of each answer after which this server closes the connection; default: never.
        redirects: False for a registry that serves blobs itself, as it does without this configuration.
    """
    with TemporaryDirectory(prefix="registry-") as folder, _blobs(Path(folder, "storage"), cut_after) as port:
        configuration = Path(folder, "config.yml")
        middleware = MIDDLEWARE.format(port=port) if redirects else ""
        configuration.write_text(CONFIGURATION.format(storage=Path(folder, "storage"), middleware=middleware))
        argv = ["docker-registry", "serve", str(configuration)]
        with listening(argv, clean_environment(), Path(folder, "log"), r"listening on ([\d.:]+)", "/v2/") as address:
            yield address


@contextmanager
def _blobs(storage: Path, cut_after: int | None) -> Iterator[int]:
    """Serve the files below `storage` on a free port of localhost."""
    handler = partial(_Handler, cut_after, directory=str(storage))
    with ThreadingHTTPServer(("localhost", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Hand out files, or the one range of bytes that Ollama asks for."""

    def __init__(self, cut_after: int | None, *args: Any, **options: Any) -> None:
        self._left = cut_after
        super().__init__(*args, **options)

    def copyfile(self, source: Any, outputfile: Any) -> None:  # noqa: ARG002  # the signature is http.server's
        """Send a file, or as much of it as is not cut."""
        self._send(source, None)

    def _send(self, stream: Any, length: int | None) -> None:
        while chunk := stream.read(1 << 20 if length is None else min(1 << 20, length)):
            kept = chunk if self._left is None else chunk[: self._left]
            self.wfile.write(kept)
            if len(kept) < len(chunk):
                self.close_connection = True
                return
            length = None if length is None else length - len(chunk)
            self._left = None if self._left is None else self._left - len(chunk)

    def do_GET(self) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if wanted is None or not path.is_file():
            super().do_GET()
            return
        size, start = path.stat().st_size, int(wanted[1])
        stop = min(int(wanted[2]) + 1, size)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{size}")
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        with path.open("rb") as stream:
            stream.seek(start)
            self._send(stream, stop - start)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Print nothing."""
