"""Builds on locked bases: whatever the server and the registry have, the locked model or an error, and nothing lost."""

from itertools import product
from pathlib import Path

import pytest
from tests.unit.builder.test_bases import BASE, BOT, BUILT, MOVED, NAME, Registries, Scene, Server

import modelfile
from modelfile.builder.scheduler import Succeeded
from modelfile.errors import RegistryUnreachable
from modelfile.names import ModelName
from modelfile.recipe.model import Model, fingerprint

OTHER = ModelName.parse("llama3.2:kept")
UNREACHABLE = "unreachable"
STATES = [
    *product((None, BASE, MOVED), (None, BASE, MOVED), (None, BASE, MOVED), (BASE, MOVED, None, UNREACHABLE), (0, 3))
]
"""Models of the tag, of the alias, and of another name; that of the registry; and the backups to keep."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    monkeypatch.chdir(tmp_path)
    modelfile.pin([modelfile.Project().target("bot:v1")], Server(), Registries())
    return tmp_path


def test_the_locked_model_or_an_error(folder: Path) -> None:
    for state in STATES:
        tag, alias, other, published, keep = state
        scene = Scene(folder, server=Server(published={NAME: published} if isinstance(published, Model) else {}))
        for name, model in ((NAME, tag), (scene.alias, alias), (OTHER, other)):
            if isinstance(model, Model):
                scene.server.have(model, name)
        if isinstance(published, Model):
            scene.registry.push(NAME, published)
        elif published is None:
            scene.registry.delete(NAME)
        else:
            scene.registry.error = RegistryUnreachable("cannot connect")
        before = contents(scene)
        target = modelfile.Project().target("bot:v1")
        (outcome,) = modelfile.build([target], [scene.server], registry=scene.registry, keep=keep)
        after = contents(scene)
        has_base = BASE in (tag, alias, other) or published is BASE
        assert isinstance(outcome, Succeeded) == has_base, (state, outcome)
        assert after.get(str(BOT)) == (fingerprint(BUILT) if has_base else None), state
        assert {*before.values()} <= {*after.values()}, state
        for name in (NAME, OTHER):
            now = after.get(str(name))
            pulled = name == NAME and published is BASE and BASE not in (alias, other)
            assert now == (fingerprint(BASE) if pulled else before.get(str(name))), state
        if has_base:
            assert after[str(scene.alias)] == fingerprint(BASE), state
        else:
            assert after == before, state


def contents(scene: Scene) -> dict[str, str]:
    return {str(model.name): scene.on_server(model.name) or "" for model in scene.server.list()}
