"""Demo of the main job on a small model: lint, pin, check, builds and their diff, and what happens when the base moves.

Uses the Ollama server at OLLAMA_HOST if one answers there, and otherwise a temporary folder: no server is needed. The
base is in a registry in this process. Every command is printed with all of its output. Models and files are removed at
the end.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from demo_registry import serve  # beside this file
from modelfile.addresses import ServerAddress
from modelfile.errors import ModelfileError, ServerUnreachable
from modelfile.names import ModelName
from modelfile.stores.open import open_folder, open_store
from modelfile.stores.protocol import Store

MF: Final = str(Path(sys.executable).with_name("mf"))
EXAMPLES: Final = Path(__file__).resolve().parent
BOT: Final = ModelName.parse("support-bot:v1")


@contextmanager
def models(folder: Path) -> Iterator[tuple[Store, dict[str, str]]]:
    """Yield the store of the user's server or, if none answers, of a folder, with the environment that names it."""
    address = ServerAddress.parse(os.environ.get("OLLAMA_HOST", ""))
    with ExitStack() as closing:
        try:
            server = closing.enter_context(open_store(address))
            print(f"Using Ollama {server.ollama} at {address}\n")
            yield server, {"OLLAMA_HOST": str(address), "MF_STORE": ""}
        except ServerUnreachable as error:
            print(f"{error.message}: using the folder {folder}\n")
            yield closing.enter_context(open_folder(folder)), {"MF_STORE": str(folder)}


class Demo:
    """Commands run in a folder with the bot of examples/support."""

    def __init__(self, folder: Path, store: Store, base: ModelName, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.store = store
        self.base = base
        self.environment = environment

    def run(self, *arguments: str, exits: int = 0) -> None:
        """Print and run an `mf` command.

        Raises:
            SystemExit: The command exits with another code.
        """
        print(f"$ mf {' '.join(arguments)}", flush=True)
        code = subprocess.call([MF, *arguments], cwd=self.folder, env=self.environment, stderr=subprocess.STDOUT)
        print(f"[exit {code}]\n", flush=True)
        if code != exits:
            sys.exit(f"expected exit code {exits}")

    def edit(self, old: str, new: str) -> None:
        """Change the Modelfile."""
        file = self.folder / "Modelfile"
        file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def publish_base(self, **parameters: object) -> None:
        """Give the tag of the base in the registry a model of tiny.gguf with these parameters, as its author does."""
        author = self.folder.parent / "author"
        shutil.copytree(EXAMPLES / "support" / "support-base", author, dirs_exist_ok=True)
        with (author / "Modelfile").open("a", encoding="utf-8") as file:
            file.writelines(f"PARAMETER {name} {value}\n" for name, value in parameters.items())
        for command, *options in (("build",), ("push", "--replace")):
            argv = [MF, command, str(self.base), *options, "--store", "models", "--quiet"]
            subprocess.run(argv, cwd=author, env=self.environment, check=True, stdout=subprocess.DEVNULL)

    def run_all(self) -> None:
        """Run all steps of the demo."""
        print("# A Modelfile as found in tutorials. What is wrong with it?\n")
        shutil.copy(EXAMPLES / "faulty.txt", self.folder / "Modelfile")
        self.run("lint", exits=1)
        print(f"# The same, corrected, on a base in the registry. Record which model {self.base} is:\n")
        shutil.copy(EXAMPLES / "support" / "support-bot" / "Modelfile", self.folder / "Modelfile")
        self.edit("support-base:v1", str(self.base))
        self.publish_base()
        self.run("pin")
        print("# The line for CI: lint, format and lock.\n")
        self.run("check")
        self.run("build", "support-bot:v1.0", "--locked")
        print("# Somebody publishes another model under the tag of the base, and somebody else pulls it.\n")
        self.publish_base(num_predict=100)
        self.run("pull", str(self.base))
        self.run("outdated", exits=1)
        print("# Builds still use the pinned base. Here, only the temperature changes, from 0.2 to 0.4:\n")
        self.edit("temperature 0.2", "temperature 0.4")
        self.run("check", exits=1)
        self.run("pin")
        self.run("build", "support-bot:v1.1", "--locked")
        self.run("diff", "v1.0", "v1.1", exits=1)
        self.run("cp", "support-bot:v1.1", "support-bot:stable")
        print("# Take the new base, and see what that changes.\n")
        self.run("update")
        self.run("build", "support-bot:v1.2", "--locked")
        self.run("cp", "support-bot:v1.2", "support-bot:stable", "--replace")
        print("# Are the models as mf.lock says?\n")
        self.run("verify", "support-bot:v1.2")
        self.run("verify", "support-bot:v1.0", exits=1)
        print("# The new model does not please everybody: give the tag its previous one back.\n")
        self.run("rollback", "support-bot:stable")
        self.run("ls", "support-bot")
        if self.store.location.is_folder:
            self.run("store", "check")


def main() -> None:
    """Run the demo, then remove its models."""
    with TemporaryDirectory(prefix="demo-") as temporary, serve() as host:
        base = ModelName.parse(f"{host}/support/base:stable")
        folder = Path(temporary, "support-bot")
        folder.mkdir()
        with models(Path(temporary, "models")) as (store, location):
            environment = {**os.environ, **location, "MF_CACHE_DIR": str(Path(temporary, "cache"))}
            before = {model.name for model in store.list()}
            ours = (BOT.untagged, base.untagged)
            if taken := [str(name) for name in before if name.untagged in ours]:
                sys.exit(f"{store.location} already has {', '.join(taken)}, which the demo would overwrite")
            try:
                Demo(folder, store, base, environment).run_all()
            finally:
                for name in {model.name for model in store.list()} - before:
                    if name.untagged in ours:
                        store.delete(name)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except ModelfileError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
