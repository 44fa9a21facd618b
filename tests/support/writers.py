"""Programs that change one folder of models at once, each its own models: two of ours, and a client of a server.

Run as `python -m tests.support.writers FOLDER WEIGHTS NAME SECONDS [URL]`: it creates, copies and deletes models, and
prints what must be there at the end: the SYSTEM of each model by name, as JSON.
"""

import json
import random
import sys
import time
from hashlib import sha256
from pathlib import Path

from tests.support.server import connect

from modelfile.errors import ModelfileError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.recipe.recipe import Recipe
from modelfile.stores.disk.layout import open_layout
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.ollama.store import ServerStore
from modelfile.stores.protocol import Store

MOST = 8
"""Models of a writer at a time."""


class Writer:
    """Changes models of its own name at random; `expected` has the SYSTEM of each by name."""

    def __init__(self, store: Store, weights: list[Path], name: str) -> None:
        self.expected: dict[str, str] = {}
        self._store = store
        self._digests = {path: f"sha256:{sha256(path.read_bytes()).hexdigest()}" for path in weights}
        self._name = name
        self._chance = random.Random(name)  # noqa: S311  # no secret
        self._number = 0

    def change(self) -> None:
        """Change one model."""
        target = f"{self._name}:{self._chance.randrange(MOST)}"
        source = next((other for other in self.expected if other != target), None)
        kind = self._chance.randrange(3)
        if kind == 0 and target in self.expected:
            self._store.delete(ModelName.parse(target))
            del self.expected[target]
        elif kind == 1 and source:
            self._store.copy(ModelName.parse(source), ModelName.parse(target))
            self.expected[target] = self.expected[source]
        else:
            self._number += 1
            self._create(target, f"{self._name} {self._number}")

    def _create(self, name: str, system: str) -> None:
        path = self._chance.choice([*self._digests])
        if not self._store.has_blob(self._digests[path]):
            self._store.put_blob(self._digests[path], path, lambda _: None)
        recipe = Recipe(files=(path,), system=system, template="{{ .System }} {{ .Prompt }}")
        self._store.create(ModelName.parse(name), recipe, self._digests, ignore)
        self.expected[name] = system


def write(writer: Writer, seconds: float) -> None:
    """Change models for some seconds, and print what must be there then; failures are printed as they happen."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            writer.change()
        except ModelfileError as error:  # the server's: it does not upload again what another writer has removed
            sys.stderr.write(f"{error}\n")
    sys.stdout.write(json.dumps(writer.expected))


def main() -> None:
    """Run the program."""
    folder, weights, name, seconds, *url = sys.argv[1:]
    files = sorted(Path(weights).glob("*.gguf"))
    if not url:
        store = FolderStore(open_layout(Path(folder), create=True), ollama="0.9.3")
        write(Writer(store, files, name), float(seconds))
        return
    with connect(url[0]) as client:
        write(Writer(ServerStore(client), files, name), float(seconds))


if __name__ == "__main__":
    main()
