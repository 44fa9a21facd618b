"""Demo of the main job on a small model: lint, pin, check, builds and their diff, and what happens when the base moves.

Uses the Ollama server at OLLAMA_HOST if one answers there; otherwise installs a real one into .ollama and runs it until
the demo ends. The base is in a registry that the demo starts: Debian's docker-registry if it is installed, otherwise
one in this process. Every command is printed with all of its output. Models, servers and files are removed at the end.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import httpx  # noqa: E402  # the project's root has to be on the path first
from tests.fakes.registry import MANIFEST, FakeRegistry  # noqa: E402  # the same
from tests.fakes.values import Published  # noqa: E402  # the same
from tests.support.real_ollama import Unavailable, serve  # noqa: E402  # the same
from tests.support.registry import available, registry  # noqa: E402  # the same

from modelfile.addresses import ServerAddress  # noqa: E402  # the same
from modelfile.errors import ModelfileError  # noqa: E402  # the same
from modelfile.library.lookup import show  # noqa: E402  # the same
from modelfile.names import ModelName  # noqa: E402  # the same
from modelfile.stores.encoding import write_model  # noqa: E402  # the same
from modelfile.stores.open import open_store  # noqa: E402  # the same
from modelfile.stores.protocol import Store  # noqa: E402  # the same

MF = str(Path(sys.executable).with_name("mf"))
SUPPORT = ROOT / "examples" / "support"
BOT = ModelName.parse("support-bot:v1")
AUTHOR = ModelName.parse("support-base-of-the-demo:v1")
"""The model that the base is published from."""

Publish = Callable[[ModelName, Published], object]


@contextmanager
def server() -> Iterator[str]:
    """Yield the URL of the user's server, or of one that is stopped after the demo."""
    address = ServerAddress.parse(os.environ.get("OLLAMA_HOST", ""))
    url = str(address)
    try:
        with open_store(address) as store:
            print(f"Using Ollama {store.ollama} at {url}")
    except ModelfileError:
        with serve() as own:
            print(f"No Ollama server answers at {url}; started one at {own}")
            yield own
    else:
        yield url


@contextmanager
def own_registry() -> Iterator[tuple[str, Publish]]:
    """Yield the host of a registry that is stopped after the demo, and what publishes there."""
    if available():
        with registry() as host:
            print(f"Started Debian's docker-registry at http://{host}\n")
            yield host, upload
    else:
        with FakeRegistry() as fake:
            print(f"docker-registry is not installed; started a registry in this process at http://{fake.host}\n")
            yield fake.host, lambda name, it: fake.push(f"{name.namespace}/{name.model}", name.tag, it)


def upload(name: ModelName, published: Published) -> None:
    """Push a model over HTTP, as the OCI distribution specification has it."""
    base = f"http://{name.host}/v2/{name.namespace}/{name.model}"
    with httpx.Client(trust_env=False) as client:
        for digest, content in published.blobs.items():
            location = client.post(f"{base}/blobs/uploads/").raise_for_status().headers["Location"]
            client.put(httpx.URL(location).copy_merge_params({"digest": digest}), content=content).raise_for_status()
        headers = {"Content-Type": MANIFEST}
        client.put(f"{base}/manifests/{name.tag}", content=published.manifest, headers=headers).raise_for_status()


class Demo:
    """Commands run in a folder with the bot of examples/support."""

    def __init__(
        self, folder: Path, store: Store, base: ModelName, publish: Publish, environment: Mapping[str, str]
    ) -> None:
        self.folder = folder
        self.store = store
        self.base = base
        self.publish = publish
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
        """Give the tag of the base a model of tiny.gguf with these parameters, in the registry and on the server."""
        author, weights = self.folder.parent / "author", SUPPORT / "support-base"
        shutil.copytree(weights, author, dirs_exist_ok=True)
        with (author / "Modelfile").open("a", encoding="utf-8") as file:
            file.writelines(f"PARAMETER {name} {value}\n" for name, value in parameters.items())
        argv = [MF, "build", str(AUTHOR), "--replace", "--quiet"]
        subprocess.run(argv, cwd=author, env=self.environment, check=True, stdout=subprocess.DEVNULL)
        stored = show(str(AUTHOR), self.store)
        manifest, blobs = write_model(stored.model)
        blobs[stored.model.weights[0]] = (weights / "tiny.gguf").read_bytes()
        self.publish(self.base, Published(manifest.text.encode(), blobs))
        self.store.copy(AUTHOR, self.base)

    def run_all(self) -> None:
        """Run all steps of the demo."""
        print("# A Modelfile as found in tutorials. What is wrong with it?\n")
        shutil.copy(ROOT / "examples" / "faulty.txt", self.folder / "Modelfile")
        self.run("lint", exits=1)
        print(f"# The same, corrected, on a base in the registry. Record which model {self.base} is:\n")
        shutil.copy(SUPPORT / "support-bot" / "Modelfile", self.folder / "Modelfile")
        self.edit("support-base:v1", str(self.base))
        self.publish_base()
        self.run("pin")
        print("# The line for CI: lint, format and lock.\n")
        self.run("check")
        self.run("build", "support-bot:v1.0", "--locked")
        print("# Somebody publishes another model under the tag of the base, and the server has it, too.\n")
        self.publish_base(num_predict=100)
        self.run("outdated", exits=1)
        print("# Builds still use the pinned base. Here, only the temperature changes, from 0.2 to 0.4:\n")
        self.edit("temperature 0.2", "temperature 0.4")
        self.run("check", exits=1)
        self.run("pin")
        self.run("build", "support-bot:v1.1", "--locked")
        self.run("diff", "v1.0", "v1.1", exits=1)
        print("# Take the new base, and see what that changes.\n")
        self.run("update")
        self.run("build", "support-bot:v1.2", "--locked")
        print("# Does the server have what mf.lock says?\n")
        self.run("verify", "support-bot:v1.2")
        self.run("verify", "support-bot:v1.0", exits=1)


def main() -> None:
    """Run the demo, then remove its models from the server."""
    with server() as url, own_registry() as (host, publish), TemporaryDirectory(prefix="demo-") as temporary:
        base = ModelName.parse(f"{host}/support/base:stable")
        folder = Path(temporary, "support-bot")
        folder.mkdir()
        environment = os.environ | {"OLLAMA_HOST": url, "MF_CACHE_DIR": str(Path(temporary, "cache"))}
        with open_store(ServerAddress.from_url(url)) as store:
            before = {model.name for model in store.list()}
            ours = (BOT.untagged, AUTHOR.untagged, base.untagged)
            if taken := [str(name) for name in before if name.untagged in ours]:
                sys.exit(f"{url} already has {', '.join(taken)}, which the demo would overwrite")
            try:
                Demo(folder, store, base, publish, environment).run_all()
            finally:
                for name in {model.name for model in store.list()} - before:
                    if name.untagged in ours:
                        store.delete(name)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        main()
    except (ModelfileError, Unavailable) as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
