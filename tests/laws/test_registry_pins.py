"""Whatever happens to tags, files and the network: a pin stays until it is updated, and what it says can be checked."""

import json
import random
from pathlib import Path

import pytest

from modelfile.errors import ModelfileError, RegistryUnreachable
from modelfile.manifest import Layer, Manifest
from modelfile.names import ModelName
from modelfile.pinning.check import check_pins
from modelfile.pinning.pin import pin
from modelfile.pinning.pinner import PinOptions
from modelfile.project.project import Project
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message
from modelfile.recipe.values import ParameterValue
from modelfile.stores.memory import MemoryRegistry, MemoryStore

NAMES = tuple(map(ModelName.parse, ("llama3.2:3b", "qwen3:8b", "hf.co/team/model:q4")))
FILES = ("Modelfile", "a/Modelfile", "b.Modelfile")
PARAMETERS: tuple[dict[str, ParameterValue], ...] = ({}, {"temperature": 0.25}, {"stop": ("<a>", "b"), "seed": 7})
LINES = ("SYSTEM hi\n", "SYSTEM ho\n", "PARAMETER temperature 0.5\n", "PARAMETER stop x\n", "LICENSE MIT\n", "")


class Network(MemoryRegistry):
    """Registries behind a network that may be gone, with a cache that keeps what was read."""

    def __init__(self) -> None:
        super().__init__()
        self.gone = False
        self.asked = 0
        self.cached: dict[str, bytes] = {}

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return what a tag has."""
        self.asked += 1
        if self.gone:
            raise RegistryUnreachable("gone")
        return super().resolve(name)

    def read(self, name: ModelName, layer: Layer) -> bytes:
        """Return a layer, from the cache if it was read before."""
        if layer.digest not in self.cached:
            if self.gone:
                raise RegistryUnreachable("gone")
            self.cached[layer.digest] = super().read(name, layer)
        return self.cached[layer.digest]


def any_model(chance: random.Random) -> Model:
    """Return a model with random layers."""
    return Model(
        weights=(f"sha256:{chance.randrange(10):064}",),
        template=chance.choice(("{{ .Prompt }}", "{{ .System }} {{ .Prompt }}")),
        system=chance.choice(("", "Be brief.")),
        license=chance.choice(("", "MIT", "Grüezi")),
        parameters=chance.choice(PARAMETERS),
        messages=chance.choice(((), (Message("user", "hi"),))),
    )


def pins(folder: Path) -> dict[str, dict[str, str]]:
    """Return the bases in the lock by Modelfile."""
    path = folder / "mf.lock"
    return (
        {key: entry["base"] for key, entry in json.loads(path.read_text())["modelfiles"].items()}
        if path.exists()
        else {}
    )


def pin_all(network: Network, options: PinOptions | None = None) -> list[str]:
    """Pin all Modelfiles, and return those that cannot be."""
    failed: list[str] = []

    def on_failure(target: object, error: ModelfileError) -> None:
        del target
        failed.append(error.message)

    pin(Project().modelfiles(["."]), MemoryStore(), network, options=options, pull=False, on_failure=on_failure)
    return failed


def disturb(folder: Path, network: Network, models: dict[ModelName, Model], chance: random.Random) -> None:
    """Move tags, lose or regain the network, and edit Modelfiles."""
    for _ in range(chance.randint(0, 3)):
        match chance.randrange(4):
            case 0:
                name = chance.choice(NAMES)
                models[name] = any_model(chance)
                network.push(name, models[name])
            case 1:
                network.gone = not network.gone
            case _:
                lines = "".join(chance.sample(LINES, 2))
                (folder / chance.choice(FILES)).write_text(f"FROM {chance.choice(NAMES)}\n{lines}")


def test_a_pin_stays_until_it_is_updated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / "a").mkdir()
    chance = random.Random(14)  # noqa: S311  # the same in every run
    network = Network()
    models = {name: any_model(chance) for name in NAMES}
    for name, model in models.items():
        network.push(name, model)
    for file in FILES:
        (tmp_path / file).write_text(f"FROM {NAMES[0]}\n")
    seen = dict.fromkeys(("held", "offline", "failed", "updated"), 0)
    for _ in range(60 * rounds):
        before = pins(tmp_path)
        disturb(tmp_path, network, models, chance)
        written = {file: (tmp_path / file).read_text().split()[1] for file in FILES}
        network.asked = 0
        failed = pin_all(network)
        now = pins(tmp_path)
        for file, base in before.items():  # a base stays as long as FROM names it
            assert now[file]["written"] in (written[file], base["written"])
            if base["written"] == written[file]:
                assert now[file] == base
                seen["held"] += 1
        checked = check_pins(Project().modelfiles(["."]), None, whole=True)
        assert bool(failed) == bool(checked.drifts), (failed, checked)
        seen["failed"] += bool(failed)
        if failed:
            assert network.gone
            continue
        if not network.asked:
            seen["offline"] += 1
        content, network.asked = (tmp_path / "mf.lock").read_bytes(), 0
        assert (pin_all(network), network.asked, (tmp_path / "mf.lock").read_bytes()) == ([], 0, content)
        if not network.gone and chance.random() < 0.3:
            assert pin_all(network, PinOptions(update=lambda _: True)) == []
            for file, base in pins(tmp_path).items():
                assert base["fingerprint"] == fingerprint(models[ModelName.parse(written[file])])
            seen["updated"] += 1
    assert all(seen.values()), seen
