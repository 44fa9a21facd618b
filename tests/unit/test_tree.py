"""The tree of models, in a project, its locks and a store."""

from pathlib import Path

import pytest
from tests.support.folder import add_described, empty_store
from tests.support.tiny_gguf import bare_gguf

from modelfile.errors import InputError, NotFound, ServerError, ServerUnreachable
from modelfile.events import ignore
from modelfile.names import ModelName
from modelfile.pinning.pin import pin
from modelfile.project.project import Project
from modelfile.recipe.recipe import Recipe
from modelfile.stores.backups import alias_of, pin_alias
from modelfile.stores.disk.store import FolderStore
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import ListedModel, StoredModel
from modelfile.tree import Node, Place, Tree, model_tree

BASE, BOT = ModelName.parse("base:v1"), ModelName.parse("bot:v1")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore.with_models("llama3.2:3b")
    store.create(BASE, Recipe(base="llama3.2:3b", system="S"), {}, ignore)
    store.create(BOT, Recipe(base="base:v1"), {}, ignore)
    return store


def drawn(tree: Tree) -> list[str]:
    return [f"{'  ' * len(follow)}{node.name}{' again' * repeated}" for follow, node, repeated in tree.rows()]


def test_models_of_a_server(store: MemoryStore) -> None:
    tree = model_tree(Project(), store)
    assert drawn(tree) == ["llama3.2:3b", "  base:v1", "    bot:v1"]
    node = tree.nodes["bot:v1"]
    assert node.places == {Place.SERVER}
    assert node.modelfile == ""
    assert node.own is node.shared is None
    assert node.size


def test_a_missing_base_is_shown(store: MemoryStore) -> None:
    store.delete(BASE)
    tree = model_tree(Project(), store)
    assert drawn(tree) == ["base:v1", "  bot:v1", "llama3.2:3b"]
    assert (tree.nodes["base:v1"].problem, tree.nodes["base:v1"].places) == ("not found on memory:", frozenset())


def test_the_from_of_a_modelfile_counts_more_than_what_the_store_recorded(here: Path, store: MemoryStore) -> None:
    (here / "mf.toml").write_text('[models.bot]\ntag = "v1"\nmodelfile = "bot.Modelfile"\n')
    (here / "bot.Modelfile").write_text("FROM llama3.2:3b\n")
    (here / "Modelfile").write_text("FROM BOT:v1\n")
    tree = model_tree(Project(), store)
    assert drawn(tree) == ["llama3.2:3b", "  base:v1", "  bot:v1", "    Modelfile"]
    assert tree.nodes["bot:v1"].places == {Place.PROJECT, Place.SERVER}


def test_local_files_and_rejected_modelfiles(here: Path, store: MemoryStore) -> None:
    (here / "a").mkdir()
    (here / "a/w.gguf").write_bytes(bare_gguf("w"))
    (here / "a/Modelfile").write_text("FROM ./w.gguf\n")
    (here / "b.Modelfile").write_text("FORM x\n")
    nodes = model_tree(Project(), store).nodes
    assert nodes["a/Modelfile"].files == ("w.gguf",)
    assert nodes["b.Modelfile"].problem


def test_paths_differ_by_case_and_names_do_not(here: Path, store: MemoryStore) -> None:
    for path in ("A/Modelfile", "a/Modelfile"):
        (here / path).parent.mkdir(exist_ok=True)
        (here / path).write_text("FROM BASE:V1\n")
    assert drawn(model_tree(Project(), store).only("*odelfile")) == [
        "llama3.2:3b",
        "  base:v1",
        "    A/Modelfile",
        "    a/Modelfile",
    ]


def test_locked_bases(here: Path, store: MemoryStore) -> None:
    (here / "Modelfile").write_text("FROM llama3.2:3b\n")
    pin(Project().modelfiles(), store)
    assert model_tree(Project(), store).nodes["llama3.2:3b"].places == {Place.LOCK, Place.SERVER}


def test_a_damaged_lock_is_an_error(here: Path, store: MemoryStore) -> None:
    (here / "Modelfile").write_text("FROM llama3.2:3b\n")
    (here / "mf.lock").write_text("{")
    with pytest.raises(InputError, match=r"mf\.lock"):
        model_tree(Project(), store)


class Silent(MemoryStore):
    """A server that does not answer."""

    def list(self) -> tuple[ListedModel, ...]:
        """Raise an error."""
        raise ServerUnreachable("no Ollama server answers at x")


def test_without_a_server_the_project_is_shown(here: Path) -> None:
    with pytest.raises(ServerUnreachable):
        model_tree(Project(), Silent())
    (here / "Modelfile").write_text("FROM llama3.2:3b\n")
    notes: list[str] = []
    tree = model_tree(Project(), Silent(), on_note=notes.append)
    assert (drawn(tree), tree.nodes["llama3.2:3b"].problem) == (["llama3.2:3b", "  Modelfile"], "")
    assert notes == ["no Ollama server answers at x: only the project and mf.lock are known"]


def test_a_model_that_cannot_be_read_hides_no_other() -> None:
    class Damaged(MemoryStore):
        def read(self, listed: ListedModel) -> StoredModel | None:
            if listed.name == BOT:
                raise ServerError("it has a cloud model")
            return None

    store = Damaged.with_models("llama3.2:3b", "bot:v1")
    nodes = model_tree(Project(), store).nodes
    assert [node.problem for node in nodes.values()] == ["it has a cloud model", "cannot be read"]


def test_internal_names_are_hidden_and_stand_for_their_tags(store: MemoryStore) -> None:
    digest = next(model.digest for model in store.list() if model.name == BASE)
    alias, backup = pin_alias(BASE, digest), alias_of(BOT, digest)
    store.copy(BASE, alias)
    listed = {model.name: model.digest for model in store.list()}
    assert listed[alias] == listed[BASE]
    store.copy(BOT, backup)
    store.create(BOT, Recipe(base=str(alias), system="T"), {}, ignore)
    assert drawn(model_tree(Project(), store)) == ["llama3.2:3b", "  base:v1", "    bot:v1"]
    everything = model_tree(Project(), store, internal=True)
    assert {str(alias), str(backup)} <= {node.name for node in everything.nodes.values()}
    store.delete(BASE)
    assert drawn(model_tree(Project(), store)) == ["llama3.2:3b", f"  {alias}", "    bot:v1"]


def test_models_of_a_folder_have_their_sizes(here: Path) -> None:
    layout = empty_store(here / "store")
    add_described(
        layout,
        {
            "models": {
                "base:v1": {"model": "GGUF shared by both"},
                "bot:v1": {"model": "GGUF shared by both", "system": "You are terse."},
            }
        },
    )
    nodes = model_tree(Project(), FolderStore(layout)).nodes
    bot = nodes["bot:v1"]
    assert bot.places == {Place.STORE}
    assert bot.own is not None
    assert bot.shared is not None
    assert bot.own >= len("You are terse.")
    assert bot.size == bot.own + bot.shared
    next(layout.root.glob("blobs/*")).unlink()
    assert "lacks a layer" in {node.problem for node in model_tree(Project(), FolderStore(layout)).nodes.values()}


def circle(*pairs: tuple[str, str | None]) -> Tree:
    return Tree.of(Node(name=name, base=base) for name, base in pairs)


def test_circles_are_shown_once() -> None:
    assert drawn(circle(("a:1", "a:1"))) == ["a:1", "  a:1 again"]
    tree = circle(("a:1", "c:1"), ("b:1", "a:1"), ("c:1", "b:1"), ("d:1", "b:1"), ("e:1", "d:1"), ("0:1", "e:1"))
    assert drawn(tree) == ["a:1", "  b:1", "    c:1", "      a:1 again", "    d:1", "      e:1", "        0:1"]


def test_a_long_chain_is_no_recursion() -> None:
    tree = circle(("m0:1", None), *((f"m{number}:1", f"m{number - 1}:1") for number in range(1, 3_000)))
    assert len([*tree.rows()]) == 3_000
    assert len(tree.only("m2999:1").nodes) == 3_000


def test_a_part_of_the_tree() -> None:
    tree = circle(("a:1", None), ("b:1", "a:1"), ("c:1", "b:1"), ("d:1", "a:1"), ("e:1", None))
    assert drawn(tree.only("b")) == ["a:1", "  b:1", "    c:1"]
    assert drawn(tree.only("E*")) == ["e:1"]
    with pytest.raises(NotFound, match="no model or Modelfile matches `bb:1`") as error:
        tree.only("bb:1")
    assert error.value.hint == "did you mean `b:1`?"
    with pytest.raises(NotFound) as error:
        tree.only("nothing-like-it")
    assert error.value.hint == "run `mf tree` for all models"
