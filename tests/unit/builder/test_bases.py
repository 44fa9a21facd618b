"""Builds on locked bases: where the base is found, what a pull replaces, and the error if it is lost."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

import modelfile
from modelfile.builder.plan import Backup, Create, Fetch, PinBase, Plan, Publish, Pull
from modelfile.builder.scheduler import Failed, Succeeded
from modelfile.errors import ModelfileError, NotFound, RegistryUnreachable, VerificationError, WouldReplace
from modelfile.events import Events
from modelfile.manifest import Manifest
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of, backups_of, pin_alias
from modelfile.stores.memory import MemoryRegistry, MemoryStore
from modelfile.stores.protocol import StoredModel, find_listed

NAME, BOT = ModelName.parse("llama3.2:3b"), ModelName.parse("bot:v1")
BASE = Model(weights=(f"sha256:{'1' * 64}",), template="{{ .System }} {{ .Prompt }}", parameters={"seed": 1.0})
MOVED = Model(weights=(f"sha256:{'2' * 64}",))
BUILT = Model(weights=BASE.weights, template=BASE.template, parameters=BASE.parameters, system="Be brief.")
RENEW = "to build on what the tag has now, run `mf update`"


class Server(MemoryStore):
    """A server that records which models it is asked for and pulls what `published` has."""

    def __init__(self, url: str = "memory:", published: Mapping[ModelName, Model] | None = None) -> None:
        days = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in count())
        super().__init__(url=url, registry=published, clock=lambda: next(days))
        self.asked: list[str] = []

    def publish(self, model: Model, name: ModelName = NAME) -> None:
        """Make pulls of a name give another model."""
        self._registry[name.full.lower()] = model

    def have(self, model: Model, name: ModelName = NAME) -> None:
        """Give a name a model."""
        before = dict(self._registry)
        self.publish(model, name)
        super().pull(name, lambda _: None)
        self._registry = before

    def find(self, name: ModelName) -> StoredModel | None:
        """Return a model."""
        self.asked.append(str(name))
        return super().find(name)

    def names(self) -> set[str]:
        """Return the names of all models."""
        return {str(model.name) for model in self.list()}


class Registries(MemoryRegistry):
    """Registries that count questions, and fail if `error` is set."""

    def __init__(self) -> None:
        super().__init__({NAME: BASE})
        self.asked: list[str] = []
        self.error: ModelfileError | None = None

    def resolve(self, name: ModelName) -> Manifest | None:
        """Return the manifest of a tag."""
        self.asked.append(str(name))
        if self.error:
            raise self.error
        return super().resolve(name)


@dataclass
class Scene:
    """A project with a pinned Modelfile, its registries, and a server that has nothing yet."""

    folder: Path
    registry: Registries = field(default_factory=Registries)
    server: Server = field(default_factory=lambda: Server(published={NAME: BASE}))

    @property
    def alias(self) -> ModelName:
        """The pin alias of the base."""
        manifest = MemoryRegistry({NAME: BASE}).resolve(NAME)
        assert manifest
        return pin_alias(NAME, manifest.digest)

    def plan(self, name: str = "bot:v1", *, offline: bool = False) -> Plan:
        """Return the plan of a build."""
        target = modelfile.Project().target(name)
        (outcome,) = modelfile.plan([target], [self.server], registry=None if offline else self.registry)
        assert isinstance(outcome, Succeeded), outcome
        return outcome.result

    def error(self, *, offline: bool = False) -> ModelfileError:
        """Return the error of a build."""
        target = modelfile.Project().target("bot:v1")
        (outcome,) = modelfile.build([target], [self.server], registry=None if offline else self.registry)
        assert isinstance(outcome, Failed), outcome
        return outcome.error

    def build(self, *names: str, replace: bool = False) -> str:
        """Build models; return the fingerprint of the first."""
        project = modelfile.Project()
        targets = [project.target(name) for name in names or ("bot:v1",)]
        outcomes = modelfile.build(targets, [self.server], registry=self.registry, replace=replace)
        built = [outcome.result for outcome in outcomes if isinstance(outcome, Succeeded)]
        assert len(built) == len(targets), outcomes
        return built[0].created.fingerprint

    def on_server(self, name: ModelName) -> str | None:
        """Return the fingerprint of a model on the server."""
        found = self.server.find(name)
        return found.fingerprint if found else None


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    monkeypatch.chdir(tmp_path)
    made = Scene(tmp_path)
    modelfile.pin([modelfile.Project().target("bot:v1")], made.server, made.registry)
    made.registry.asked.clear()
    return made


def test_a_build_copies_the_base_to_its_alias_and_goes_from_that(scene: Scene) -> None:
    scene.server.have(BASE)
    pinned, create, publish = scene.plan().steps
    assert (pinned, publish) == (PinBase(NAME, scene.alias), Publish(BOT))
    assert isinstance(create, Create)
    assert create.recipe.base == str(scene.alias)
    assert scene.build() == fingerprint(BUILT)
    assert scene.server.names() == {"bot:v1", "llama3.2:3b", str(scene.alias)}
    assert [type(step) for step in scene.plan("bot:v2").steps] == [Create, Publish]
    assert not scene.registry.asked


def test_a_build_with_nothing_to_do_makes_no_alias_and_asks_nothing_more(scene: Scene) -> None:
    scene.server.have(BUILT, BOT)
    scene.server.have(BASE)
    assert scene.plan().nothing_to_do
    scene.server.asked.clear()
    assert scene.build() == fingerprint(BUILT)
    assert (scene.server.asked, scene.server.names()) == ([], {"bot:v1", "llama3.2:3b"})
    scene.server.have(MOVED)
    plan = scene.plan()
    assert (plan.nothing_to_do, plan.base, plan.steps) == (True, None, ())
    assert (scene.server.asked, scene.registry.asked) == (["llama3.2:3b"], [])


def test_a_build_after_the_tag_moved_goes_from_the_alias(scene: Scene) -> None:
    scene.server.have(BASE)
    scene.build()
    scene.server.have(MOVED)
    scene.registry.push(NAME, MOVED)
    scene.server.delete(BOT)
    plan = scene.plan()
    assert plan.base
    assert plan.base.name == scene.alias
    assert scene.build() == fingerprint(BUILT)
    assert (scene.on_server(NAME), scene.registry.asked) == (fingerprint(MOVED), [])


def test_a_base_is_found_under_any_other_name(scene: Scene) -> None:
    old, other = ModelName.parse("team/copy:old"), ModelName.parse("team/other:v1")
    backup = alias_of(NAME, f"sha256:{'3' * 64}")
    for name, model in ((NAME, MOVED), (old, BASE), (other, Model(weights=(f"sha256:{'4' * 64}",)))):
        scene.server.have(model, name)
    assert scene.plan().steps[0] == PinBase(old, scene.alias)
    scene.server.have(BASE, backup)
    scene.server.delete(old)
    scene.server.asked.clear()
    assert scene.plan().steps[0] == PinBase(backup, scene.alias)
    assert scene.server.asked == []  # each manifest was seen before
    assert scene.build() == fingerprint(BUILT)
    assert (scene.on_server(scene.alias), scene.on_server(NAME)) == (fingerprint(BASE), fingerprint(MOVED))
    assert not scene.registry.asked


def test_the_search_begins_with_names_of_the_same_model_and_ends_with_a_match(scene: Scene) -> None:
    for number in range(3):
        scene.server.have(Model(weights=(f"sha256:{number + 4:064}",)), ModelName.parse(f"team/other:v{number}"))
    scene.server.have(MOVED)
    scene.server.have(BASE, ModelName.parse("llama3.2:kept"))
    scene.plan()
    assert scene.server.asked == ["llama3.2:3b", "llama3.2:kept"]


def test_a_staging_tag_is_no_base(scene: Scene) -> None:
    scene.server.have(BASE, ModelName.parse("llama3.2:mf-building-01234567-3b"))
    assert scene.plan().pull == Pull(NAME)


def test_a_pull_follows_a_backup_of_what_the_tag_has(scene: Scene) -> None:
    scene.server.have(MOVED)
    moved = find_listed(NAME, scene.server.list())
    assert moved
    steps = scene.plan().steps
    backup = alias_of(NAME, moved.digest)
    assert steps[:3] == (Backup(NAME, backup), Pull(NAME, moved.digest), PinBase(NAME, scene.alias))
    assert scene.build() == fingerprint(BUILT)
    assert (scene.on_server(NAME), scene.on_server(scene.alias)) == (fingerprint(BASE), fingerprint(BASE))
    assert [model.name for model in backups_of(NAME, scene.server.list())] == [backup]
    assert modelfile.rollback("llama3.2:3b", scene.server).digest == moved.digest
    assert scene.on_server(NAME) == fingerprint(MOVED)


def test_models_of_one_base_pull_it_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    pulled: list[str] = []

    def pull(name: ModelName, events: Events) -> None:
        pulled.append(str(name))
        MemoryStore.pull(scene.server, name, events)

    scene.server.have(MOVED)
    monkeypatch.setattr(scene.server, "pull", pull)
    scene.build("bot:v1", "bot:v2", "bot:v3")
    assert (pulled, scene.registry.asked) == (["llama3.2:3b"], ["llama3.2:3b"])
    assert len(backups_of(NAME, scene.server.list())) == 1


def test_a_pull_that_gives_another_model_is_undone(scene: Scene) -> None:
    scene.server.have(MOVED)
    before = scene.server.names()
    scene.server.publish(Model(weights=(f"sha256:{'9' * 64}",)))
    error = scene.error()
    assert isinstance(error, VerificationError)
    assert error.message.startswith("llama3.2:3b has changed since `mf pin` (mf1:")
    assert (scene.on_server(NAME), scene.server.names()) == (fingerprint(MOVED), before)


def test_a_missing_base_is_pulled_only_if_that_gives_the_locked_one(scene: Scene) -> None:
    assert scene.plan().steps[:2] == (Pull(NAME), PinBase(NAME, scene.alias))
    assert scene.registry.asked == ["llama3.2:3b"]
    scene.registry.error = RegistryUnreachable("cannot connect to registry.ollama.ai")
    assert scene.plan().pull == scene.plan(offline=True).pull == Pull(NAME)  # the server may reach it
    scene.registry.error = None
    scene.registry.push(NAME, MOVED)
    assert scene.error().message.startswith("the locked base llama3.2:3b (mf1:")
    assert not scene.server.names()
    scene.registry = Registries()
    assert scene.build() == fingerprint(BUILT)


def test_a_lost_base_is_an_error_with_its_layers(scene: Scene) -> None:
    scene.registry.push(NAME, MOVED)
    manifest = MemoryRegistry({NAME: BASE}).resolve(NAME)
    assert manifest
    sizes = {"model": "1 byte", "template": "27 bytes", "params": "13 bytes", "config": "24 bytes"}
    for has in (False, True):
        error = scene.error()
        assert error.details[:-1] == (
            "https://registry.ollama.ai has another model under this tag now",
            *(
                f"missing: {layer.kind} {layer.digest[:19]}…, {sizes[layer.kind]}"
                for layer in (*manifest.layers, manifest.config)
            ),
        )
        assert error.details[-1].startswith("last seen at 20")
        assert error.details[-1].endswith("Z in https://registry.ollama.ai")
        assert error.hint == f"{RENEW}; or restore the base on the server"
        begin = "llama3.2:3b has changed since `mf pin` (mf1:" if has else "the locked base llama3.2:3b (mf1:"
        assert error.message.startswith(begin)
        scene.server.have(MOVED)
    scene.registry.delete(NAME)
    assert scene.error().details[0] == "https://registry.ollama.ai no longer has this tag"
    scene.registry.error = RegistryUnreachable("cannot connect to registry.ollama.ai", hint="connect")
    assert (scene.error().details[0], scene.error().hint) == ("cannot connect to registry.ollama.ai", "connect")
    assert scene.error(offline=True).details[0] == "no registry was asked for it"
    scene.registry.error = modelfile.UsageError("not allowed")
    assert scene.error() is scene.registry.error


def test_layers_that_the_server_has_are_not_listed_as_missing(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.registry.push(NAME, MOVED)
    scene.server.have(Model(weights=BASE.weights), ModelName.parse("other:v1"))
    monkeypatch.setattr(scene.registry, "has", lambda _name, layer: layer.kind != "params")
    details = scene.error().details
    assert [line.split()[1] for line in details if line.startswith("missing: ")] == ["template", "params", "config"]


def test_a_moved_base_is_restored_from_weights_that_the_server_has(scene: Scene) -> None:
    scene.registry.push(NAME, MOVED)
    scene.server.have(Model(weights=BASE.weights), ModelName.parse("other:v1"))
    scene.server.have(MOVED)
    step, *others = scene.plan().steps
    assert isinstance(step, Fetch)
    assert (step.base, step.alias, step.replaced) == (NAME, scene.alias, "")
    assert [type(other) for other in others] == [Create, Publish]
    assert scene.build("bot:v1", "bot:v2") == fingerprint(BUILT)
    assert (scene.on_server(scene.alias), scene.on_server(NAME)) == (fingerprint(BASE), fingerprint(MOVED))
    assert scene.server.names() == {"bot:v1", "bot:v2", "other:v1", "llama3.2:3b", str(scene.alias)}
    assert [type(other) for other in scene.plan("bot:v3").steps] == [Create, Publish]


def test_a_server_that_makes_another_model_of_the_base_gets_nothing(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(name: ModelName, recipe: Recipe, digests: Mapping[Path, str], events: Events) -> None:
        MemoryStore.create(scene.server, name, dataclasses.replace(recipe, system="other"), digests, events)

    scene.registry.push(NAME, MOVED)
    scene.server.have(Model(weights=BASE.weights), ModelName.parse("other:v1"))
    monkeypatch.setattr(scene.server, "create", create)
    error = scene.error()
    assert isinstance(error, VerificationError)
    assert error.message.endswith(f"makes another model of the weights of {scene.alias}: system")
    assert scene.server.names() == {"other:v1"}


def test_an_alias_with_another_model_is_reported_and_made_anew(scene: Scene) -> None:
    scene.server.have(BASE)
    scene.server.have(MOVED, scene.alias)
    wrong = find_listed(scene.alias, scene.server.list())
    assert wrong
    assert scene.plan().steps[0] == PinBase(NAME, scene.alias, wrong.digest)
    assert scene.build() == fingerprint(BUILT)
    assert scene.on_server(scene.alias) == fingerprint(BASE)
    assert scene.on_server(alias_of(scene.alias, wrong.digest)) == fingerprint(MOVED)


def test_a_base_that_changes_during_the_build_is_not_pinned(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.server.have(BASE)
    copy = scene.server.copy

    def changed(source: ModelName, destination: ModelName) -> None:
        scene.server.have(MOVED)
        copy(source, destination)

    monkeypatch.setattr(scene.server, "copy", changed)
    error = scene.error()
    assert isinstance(error, VerificationError)
    assert (scene.on_server(BOT), scene.on_server(scene.alias)) == (None, None)


def test_a_base_of_the_project_has_no_alias(scene: Scene) -> None:
    (scene.folder / "base.Modelfile").write_text("FROM llama3.2:3b\n")
    (scene.folder / "Modelfile").write_text("FROM base:v1\nSYSTEM Be brief.\n")
    (scene.folder / "mf.toml").write_text('[models.base]\nmodelfile = "base.Modelfile"\ntag = "v1"\n')
    scene.server.have(BASE)
    project = modelfile.Project()
    modelfile.pin(project.modelfiles(), scene.server, scene.registry)
    assert scene.build("base:v1", "bot:v1") == fingerprint(BASE)
    assert scene.server.names() == {"bot:v1", "base:v1", "llama3.2:3b", str(scene.alias)}


def test_a_pull_over_an_immutable_tag_needs_consent(scene: Scene) -> None:
    name = ModelName.parse("team/base:v1")
    (scene.folder / "Modelfile").write_text("FROM team/base:v1\nSYSTEM Be brief.\n")
    scene.registry.push(name, BASE)
    scene.server.publish(BASE, name)
    modelfile.pin([modelfile.Project().target("bot:v1")], scene.server, scene.registry)
    scene.server.have(MOVED, name)
    error = scene.error()
    assert isinstance(error, WouldReplace)
    assert error.message.startswith("team/base:v1 on memory: is an immutable tag and has another model")
    assert scene.on_server(name) == fingerprint(MOVED)
    assert scene.build(replace=True) == fingerprint(BUILT)
    assert scene.on_server(name) == fingerprint(BASE)


def test_a_base_that_only_a_server_had_is_lost_with_it(scene: Scene) -> None:
    scene.server.have(BASE)
    (scene.folder / "mf.lock").unlink()
    modelfile.pin([modelfile.Project().target("bot:v1")], scene.server)
    scene.server.have(MOVED)
    reason, seen = scene.error().details
    assert (reason, seen.endswith("Z where it was pinned")) == ("no registry has it", True)
    assert not scene.registry.asked


def test_a_modelfile_is_compared_as_it_would_be_built(scene: Scene) -> None:
    scene.server.have(BASE)
    scene.build()
    scene.server.have(MOVED)
    assert modelfile.diff("Modelfile", "bot:v1", modelfile.Project(), scene.server).same
    for name in (BOT, scene.alias):
        scene.server.delete(name)
    scene.server.have(BUILT, BOT)
    with pytest.raises(VerificationError, match=r"llama3.2:3b has changed since `mf pin` \(mf1:"):
        modelfile.diff("Modelfile", "bot:v1", modelfile.Project(), scene.server)
    scene.server.delete(NAME)
    with pytest.raises(NotFound, match=r"base llama3.2:3b of `Modelfile` not found on memory:"):
        modelfile.diff("Modelfile", "bot:v1", modelfile.Project(), scene.server)
