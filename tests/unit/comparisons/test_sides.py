"""Sides: each kind of what an argument can name, read in one place."""

from pathlib import Path

import pytest
from tests.support.repository import git

from modelfile.comparisons.diff import diff
from modelfile.comparisons.sides import ModelfileSide, ModelSide, Sources, read_side
from modelfile.errors import InputError, NotFound, UsageError
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.recipe.recipe import Recipe
from modelfile.stores.memory import MemoryRegistry, MemoryStore

V1 = "FROM base:v1\nSYSTEM old\n"


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sources:
    """Return a repository with `bot/Modelfile`, edited since the tag v1.0, a server, a folder and a registry."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "-q")
    Path("bot").mkdir()
    Path("bot/Modelfile").write_text(V1)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "x")
    git(tmp_path, "tag", "v1.0")
    Path("bot/Modelfile").write_text("FROM base:v1\nSYSTEM new\n")
    store, folder = MemoryStore(), MemoryStore()
    for each in (store, folder):
        each.create(ModelName.parse("base:v1"), Recipe(parameters={"top_k": 1}), {}, ignore)
    registry = MemoryRegistry.with_models("base:v1")
    return Sources(project=Project(), store=store, folder=folder, registry=registry)


def test_a_modelfile_now_and_at_a_revision(sources: Sources) -> None:
    for text in ("bot", "./bot", "bot/Modelfile", "file:bot"):
        now = read_side(text, sources)
        assert isinstance(now, ModelfileSide)
        assert (now.name, now.commit, now.target.recipe().system) == ("bot/Modelfile", None, "new")
    for text in ("git:v1.0:bot/Modelfile", "git:HEAD:bot", "git:HEAD~0:./bot/../bot/"):
        then = read_side(text, sources)
        assert isinstance(then, ModelfileSide)
        assert then.commit is not None
        assert (then.name, str(then.target.path), then.target.recipe().system) == (text, "bot/Modelfile", "old")


def test_a_path_at_a_revision_is_from_the_root_or_after_a_dot_from_here(
    sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("bot")
    for text in ("git:HEAD:bot/Modelfile", "git:HEAD:./Modelfile", "git:HEAD:.", "git:HEAD:../bot"):
        side = read_side(text, sources)
        assert isinstance(side, ModelfileSide)
        assert side.target.source.text == V1
    with pytest.raises(InputError, match="no Modelfile `Modelfile` at `HEAD`") as error:
        read_side("git:HEAD:Modelfile", sources)
    assert error.value.hint == "write `git:HEAD:bot/Modelfile`"


def test_models_of_a_server_a_folder_and_a_registry(sources: Sources) -> None:
    for text, store, name in (
        ("base:v1", sources.store, "base:v1"),
        ("model:base:v1", sources.store, "model:base:v1"),
        ("store:base:v1", sources.folder, "store:base:v1"),
        ("registry:base:v1", None, "registry:base:v1"),
    ):
        side = read_side(text, sources)
        assert isinstance(side, ModelSide)
        assert (side.name, side.store, str(side.stored.name)) == (name, store, "base:v1")


def test_a_modelfile_of_a_revision_is_compared_on_the_base_of_the_server(sources: Sources) -> None:
    sources.store.create(ModelName.parse("bot:v1"), Recipe(base="base:v1", system="old"), {}, ignore)

    def titles(a: str, b: str) -> list[str]:
        return [change.title for change in diff(a, b, sources.project, sources.store).changes]

    assert titles("git:v1.0:bot", "bot:v1") == titles("bot:v1", "git:v1.0:bot") == []
    assert titles("git:v1.0:bot", "bot/Modelfile") == titles("bot", "bot:v1") == ["system"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("git:v9:bot", "unknown revision `v9`", "`git branch -a` and `git tag` list revisions"),
        ("git:--all:bot", "unknown revision `--all`", "`git branch -a` and `git tag` list revisions"),
        ("git:HEAD:none", "no Modelfile `none` at `HEAD`", "write `git:HEAD:bot/Modelfile`"),
        ("git:HEAD:BOT/modelfile", "no Modelfile `BOT/modelfile` at `HEAD`", "write `git:HEAD:bot/Modelfile`"),
        ("git:HEAD", "`git:HEAD` names no Modelfile", "write `git:HEAD:bot/Modelfile`"),
        ("git:", "missing name after `git:`", "write it behind the colon, as in `git:HEAD:Modelfile`"),
    ],
)
def test_what_a_revision_does_not_have(sources: Sources, text: str, message: str, hint: str) -> None:
    with pytest.raises((InputError, UsageError)) as error:
        read_side(text, sources)
    assert (error.value.message, error.value.hint) == (message, hint)


def test_sides_that_are_nowhere(sources: Sources) -> None:
    for text in ("registry:base:v1", "store:base:v1"):
        with pytest.raises(UsageError, match=f"`{text}` cannot be read: no (registry|folder) was given"):
            read_side(text, Sources(project=sources.project, store=sources.store))
    for text, kind in (("none:v1", NotFound), ("model:none", NotFound), ("./none", InputError)):
        with pytest.raises(kind):
            read_side(text, sources)
