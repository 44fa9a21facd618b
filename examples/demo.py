"""The main job on a small model: lint, two builds, the difference between them, the lock and its check.

Uses the Ollama server at OLLAMA_HOST if one answers there, else installs a real one into .ollama and starts it for the
time of the demo. Every command and all of its output is shown; the models are removed at the end.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.real_ollama import Unavailable, serve  # noqa: E402  # the same

from modelfile.errors import ModelfileError  # noqa: E402  # the project's root has to be on the path first
from modelfile.names import ModelName, server_url  # noqa: E402  # the same
from modelfile.stores.ollama.client import Client  # noqa: E402  # the same
from modelfile.stores.ollama.store import ServerStore  # noqa: E402  # the same

MF = str(Path(sys.executable).with_name("mf"))
MODELS = [ModelName.parse(name) for name in ("support-bot:v1.0", "support-bot:v1.1", "support-base:v1")]


@contextmanager
def server() -> Iterator[str]:
    """The URL of the user's server, or of one that lives as long as the demo."""
    url = server_url(os.environ.get("OLLAMA_HOST", ""))
    try:
        with Client(url) as client:
            print(f"Using Ollama {client.version()} at {url}\n")
    except ModelfileError:
        with serve() as own:
            print(f"Nobody answers at {url}: started a server of our own at {own}\n")
            yield own
    else:
        yield url


class Demo:
    """A copy of examples/support, and commands run in it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = os.environ | {"OLLAMA_HOST": url}

    def run(self, *arguments: str, exits: int, within: str = ".") -> None:
        """Show and run `mf` with these arguments.

        Raises:
            SystemExit: It did not exit as it should.
        """
        print(f"$ {f'cd {within} && ' if within != '.' else ''}mf {' '.join(arguments)}", flush=True)
        code = subprocess.call(
            [MF, *arguments], cwd=self.folder / within, env=self.environment, stderr=subprocess.STDOUT
        )
        print(f"[exit {code}]\n", flush=True)
        if code != exits:
            sys.exit(f"the demo expected exit {exits}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Show and make a change of a file."""
        print(f"# {path}: `{old}` becomes `{new}`\n", flush=True)
        file = self.folder / path
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def play(self) -> None:
        """The whole way, once."""
        shutil.copy(ROOT / "examples" / "faulty.txt", self.folder / "faulty.Modelfile")
        print("# A Modelfile as tutorials have it. What is wrong with it?\n")
        self.run("lint", "faulty.Modelfile", exits=1)
        (self.folder / "faulty.Modelfile").unlink()
        print("# The same done right: two models, one built on the other.\n")
        self.run("lint", exits=0)
        self.run("build", "support-base:v1", "-f", "support-base/Modelfile", exits=0)
        self.run("build", "support-bot:v1.0", "-f", "support-bot/Modelfile", exits=0)
        self.edit("support-bot/Modelfile", "temperature 0.2", "temperature 0.4")
        self.run("build", "support-bot:v1.1", "-f", "support-bot/Modelfile", exits=0)
        self.run("diff", "v1.0", "v1.1", exits=1, within="support-bot")
        print("# The lock still has the Modelfile of before.\n")
        self.run("pin", "--check", exits=1)
        self.run("pin", exits=0)
        self.run("pin", "--check", exits=0)
        print("# Somebody builds another model under the name of the base.\n")
        self.edit("support-base/Modelfile", "num_ctx 128", "num_ctx 64")
        self.run("build", "support-base:v1", "-f", "support-base/Modelfile", exits=0)
        self.run("pin", "--check", "support-bot", exits=1)


def main() -> None:
    """Play the demo, and leave the server as it was."""
    with server() as url, Client(url) as client, TemporaryDirectory() as folder:
        store = ServerStore(client)
        if taken := [str(name) for name in MODELS if store.find(name)]:
            sys.exit(f"{url} has {', '.join(taken)} already, which the demo would overwrite")
        project = Path(folder, "support")
        shutil.copytree(ROOT / "examples" / "support", project)
        try:
            Demo(project, url).play()
        finally:
            for name in filter(store.find, MODELS):
                store.remove(name)


if __name__ == "__main__":
    try:
        main()
    except (ModelfileError, Unavailable) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
