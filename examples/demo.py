"""Demo of the main job on a small model: lint, two builds, their diff, the lock and its check.

Uses the Ollama server at OLLAMA_HOST if one answers there; otherwise installs a real one into .ollama and runs it until
the demo ends. Every command is printed with all of its output, and the models are removed at the end.
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

from modelfile.addresses import ServerAddress  # noqa: E402  # the same
from modelfile.errors import ModelfileError  # noqa: E402  # the project's root has to be on the path first
from modelfile.library.removal import plan_removal, remove  # noqa: E402  # the same
from modelfile.names import ModelName  # noqa: E402  # the same
from modelfile.stores.open import open_store  # noqa: E402  # the same

MF = str(Path(sys.executable).with_name("mf"))
MODELS = [ModelName.parse(name) for name in ("support-bot:v1.0", "support-bot:v1.1", "support-base:v1")]


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of the user's server, or of one that is stopped after the demo."""
    address = ServerAddress.parse(os.environ.get("OLLAMA_HOST", ""))
    url = str(address)
    try:
        with open_store(address) as store:
            print(f"Using Ollama {store.ollama} at {url}\n")
    except ModelfileError:
        with serve() as own:
            print(f"No server answers at {url}; started one at {own}\n")
            yield own
    else:
        yield url


class Demo:
    """Commands run in a copy of examples/support."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.environment = os.environ | {"OLLAMA_HOST": url}

    def run(self, *arguments: str, exits: int, within: str = ".") -> None:
        """Print and run an `mf` command.

        Raises:
            SystemExit: The command exits with another code.
        """
        print(f"$ {f'cd {within} && ' if within != '.' else ''}mf {' '.join(arguments)}", flush=True)
        code = subprocess.call(
            [MF, *arguments], cwd=self.folder / within, env=self.environment, stderr=subprocess.STDOUT
        )
        print(f"[exit {code}]\n", flush=True)
        if code != exits:
            sys.exit(f"expected exit code {exits}")

    def edit(self, path: str, old: str, new: str) -> None:
        """Print and make a change to a file."""
        print(f"# {path}: `{old}` becomes `{new}`\n", flush=True)
        file = self.folder / path
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def run_all(self) -> None:
        """Run all steps of the demo."""
        shutil.copy(ROOT / "examples" / "faulty.txt", self.folder / "faulty.Modelfile")
        print("# A Modelfile as found in tutorials. What is wrong with it?\n")
        self.run("lint", "faulty.Modelfile", exits=1)
        (self.folder / "faulty.Modelfile").unlink()
        print("# The same, corrected: two models, one based on the other.\n")
        self.run("lint", exits=0)
        self.run("build", "support-base:v1", "-f", "support-base/Modelfile", exits=0)
        self.run("build", "support-bot:v1.0", "-f", "support-bot/Modelfile", exits=0)
        self.edit("support-bot/Modelfile", "temperature 0.2", "temperature 0.4")
        self.run("build", "support-bot:v1.1", "-f", "support-bot/Modelfile", exits=0)
        self.run("diff", "v1.0", "v1.1", exits=1, within="support-bot")
        print("# mf.lock still records the Modelfile before the change.\n")
        self.run("pin", "--check", exits=1)
        self.run("pin", exits=0)
        self.run("pin", "--check", exits=0)
        print("# Someone builds a different model under the tag of the base.\n")
        self.edit("support-base/Modelfile", "num_ctx 4096", "num_ctx 2048")
        self.run("build", "support-base:v1", "-f", "support-base/Modelfile", exits=3)
        self.run("build", "support-base:v1", "-f", "support-base/Modelfile", "--replace", exits=0)
        self.run("build", "support-bot:v1.2", "-f", "support-bot/Modelfile", exits=3)


def main() -> None:
    """Run the demo, then remove its models from the server."""
    with server() as url, open_store(ServerAddress.from_url(url)) as store, TemporaryDirectory() as folder:
        if taken := [str(name) for name in MODELS if store.find(name)]:
            sys.exit(f"{url} already has {', '.join(taken)}, which the demo would overwrite")
        project = Path(folder, "support")
        shutil.copytree(ROOT / "examples" / "support", project)
        try:
            Demo(project, url).run_all()
        finally:
            for model, error in remove(plan_removal(map(str, MODELS), store, backups=True), store):
                if error:
                    print(f"{model.name} was not removed: {error}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except (ModelfileError, Unavailable) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
