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

from tests.support.real_ollama import clean_environment, listening

CONFIGURATION = """\
version: 0.1
storage:
  filesystem: {{rootdirectory: "{storage}"}}
  delete: {{enabled: true}}
middleware:
  storage: [{{name: redirect, options: {{baseurl: "http://localhost:{port}"}}}}]
http: {{addr: "127.0.0.1:0"}}
"""


def available() -> bool:
    """Return whether `docker-registry` is installed (`apt-get install docker-registry`)."""
    return shutil.which("docker-registry") is not None


@contextmanager
def registry() -> Iterator[str]:
    """Yield the `127.0.0.1:PORT` of an empty registry over plain HTTP that ends with the block.

    Ollama downloads a blob only where the registry redirects to another host name: here to `localhost`, where a second
    server hands out the files of the registry's storage.
    """
    with TemporaryDirectory(prefix="registry-") as folder, _blobs(Path(folder, "storage")) as port:
        configuration = Path(folder, "config.yml")
        configuration.write_text(CONFIGURATION.format(storage=Path(folder, "storage"), port=port))
        argv = ["docker-registry", "serve", str(configuration)]
        with listening(argv, clean_environment(), Path(folder, "log"), r"listening on ([\d.:]+)", "/v2/") as address:
            yield address


@contextmanager
def _blobs(storage: Path) -> Iterator[int]:
    """Serve the files below `storage` on a free port of localhost."""
    with ThreadingHTTPServer(("localhost", 0), partial(_Handler, directory=str(storage))) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


class _Handler(SimpleHTTPRequestHandler):
    """Hand out files, or the one range of bytes that Ollama asks for."""

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
            while chunk := stream.read(min(1 << 20, stop - stream.tell())):
                self.wfile.write(chunk)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class calls it so
        """Print nothing."""
