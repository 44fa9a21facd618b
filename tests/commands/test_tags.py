"""A tag alone: the model that it belongs to, in a folder that does not bear the model's name."""

import json
import os
from pathlib import Path

import pytest
from tests.fakes.ollama import FakeOllama
from tests.support.building import LOCAL, edit
from tests.support.cli import mf

from modelfile.cache import write_entry
from modelfile.names import ModelName
from modelfile.project.project import Project
from modelfile.project.target import Target


def change(old: str, new: str) -> str:
    """Return the difference of two models that are named."""
    sides = f"- {old}  mf1:edb8cef048b0…\n+ {new}  mf1:66a234963b99…\n"
    return f"{sides}behavior (may change answers)\n  temperature  0.5 -> 0.7  default 0.8\n"


@pytest.fixture(autouse=True)
def x(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder `x` with a Modelfile of which two tags of my-bot were built, without an mf.toml."""
    folder = project / "x"
    folder.mkdir()
    (project / "mf.toml").unlink()
    (project / "weights.gguf").rename(folder / "weights.gguf")
    (folder / "Modelfile").write_text(LOCAL)
    monkeypatch.chdir(folder)
    assert mf("build", "my-bot:v1.0").code == 0
    edit(folder / "Modelfile", "0.5", "0.7")
    assert mf("build", "my-bot:v1.1").code == 0
    return folder


def models_here() -> tuple[str, ...]:
    return Project().models_here()


def other_model(tag: str) -> None:
    """Give another model the same tag."""
    assert mf("cp", f"my-bot:{tag}", f"other:{tag}").code == 0


def test_tags_belong_to_the_model_that_was_built_here() -> None:
    assert models_here() == ("my-bot", "x")
    other_model("v1.0")
    other_model("v1.1")
    ran = mf("diff", "v1.0", "v1.1")
    assert (ran.code, ran.out, ran.err) == (1, change("my-bot:v1.0", "my-bot:v1.1"), "")
    shown = mf("show", "v1.1")
    assert (shown.code, shown.out.splitlines()[0], shown.err) == (0, "my-bot:v1.1", "")
    assert mf("diff", "v1.1", "Modelfile").code == 0


def test_tags_belong_to_the_only_model_of_the_server_that_has_both(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    other_model("v1.0")
    ran = mf("diff", "v1.0", "v1.1", cwd=nowhere)
    assert (ran.code, ran.out, ran.err) == (
        1,
        change("my-bot:v1.0", "my-bot:v1.1"),
        "`v1.0` and `v1.1` are tags of my-bot\n",
    )
    assert mf("diff", "v1.0", "v1.1", "-q", cwd=nowhere).err == ""
    other_model("v1.1")
    missing = mf("diff", "v1.0", "v1.1", cwd=nowhere)
    assert missing.code == 3
    assert missing.err.splitlines()[1] in (
        "help: name the model: `my-bot:v1.0` or `other:v1.0`",
        "help: name the model: `other:v1.0` or `my-bot:v1.0`",
    )


def test_two_tags_are_never_those_of_two_models(x: Path) -> None:
    assert mf("cp", "my-bot:v1.0", "x:v1.0").code == 0
    assert mf("cp", "my-bot:v1.1", "x:v9").code == 0
    assert mf("diff", "v1.0", "v1.1").out == change("my-bot:v1.0", "my-bot:v1.1")
    assert mf("diff", "v1.0", "v9").out == change("x:v1.0", "x:v9")  # of x, the name of the folder
    other_model("v1.0")
    (x / "mf.toml").write_text('[models.other]\nmodelfile = "Modelfile"\ntag = "v1.0"\n')
    assert models_here() == ("other", "my-bot", "x")
    assert mf("diff", "v1.0", "v1.1").out == change("my-bot:v1.0", "my-bot:v1.1")
    assert mf("cp", "my-bot:v1.1", "x:v3").code == 0
    assert mf("rm", "x:v1.0", "--yes").code == 0
    assert mf("diff", "v1.0", "v3").code == 3


def test_a_listed_model_comes_before_those_that_were_built(x: Path) -> None:
    (x / "mf.toml").write_text('[models.listed]\nmodelfile = "Modelfile"\ntag = "v1"\n')
    assert mf("build", "again:v2").code == 0
    assert models_here() == ("listed", "again", "my-bot", "x")
    (x / "Modelfile").rename(x / "other.Modelfile")
    assert models_here() == ("listed",)


def test_the_record_is_bounded_and_checked(x: Path) -> None:
    for number in range(10):
        Target(Project(), Path("Modelfile"), name=ModelName.parse(f"m{number}:v1")).record_build()
    target = Target(Project(), Path("Modelfile"))
    assert target.built_models() == tuple(f"m{number}" for number in range(9, 1, -1))
    (entry,) = (Path(os.environ["XDG_CACHE_HOME"]) / "modelfile" / "built").iterdir()
    for value in (None, "abc", {"a": 1}, [1, "a b", "c:v1", "\ud800"]):
        write_entry("built", entry.name, value)
        assert target.built_models() == ()
    entry.write_bytes(b"[" * 10_000)
    assert target.built_models() == ()
    assert x.exists()


def test_a_failed_build_and_a_modelfile_from_standard_input_are_not_recorded(fake: FakeOllama) -> None:
    assert mf("build", "failed:v1", "--host", "127.0.0.1:9").code == 3
    text = LOCAL.replace("./weights.gguf", "my-bot:v1.0").encode()
    assert mf("build", "stdin:v1", "-f", "-", stdin=text).code == 0
    assert "stdin:v1" in fake.models
    assert models_here() == ("my-bot", "x")
    assert json.loads(mf("build", "again:v1", "--dry-run", "--json").out)["name"] == "again:v1"
    assert models_here() == ("my-bot", "x")


BOTH = """[models.q-bot]
modelfile = "x/Modelfile"
tag = "dev"
[models.q-small]
modelfile = "x/Modelfile"
tag = "dev"
"""


def test_a_tag_of_several_configured_models_is_an_error(x: Path) -> None:
    root = x.parent
    (root / "Modelfile").unlink()
    (root / "mf.toml").write_text(BOTH)
    for name in ("q-bot:dev", "q-bot:v1"):
        assert mf("cp", "my-bot:v1.0", name).code == 0
    only = mf("show", "dev", cwd=root)
    assert (only.code, only.out.splitlines()[0], only.err) == (0, "q-bot:dev", "`dev` is a tag of q-bot\n")
    assert mf("cp", "my-bot:v1.1", "q-small:dev").code == 0
    error = "error: `dev` is a tag of several models\nhelp: name the model: `q-bot:dev` or `q-small:dev`\n"
    for folder in (root, x):
        for words in (("show", "dev"), ("diff", "dev", "q-bot:v1")):
            ran = mf(*words, cwd=folder)
            assert (ran.code, ran.out, ran.err) == (3, "", error)
    both = mf("diff", "dev", "v1", cwd=root)  # only q-bot has both
    assert (both.code, both.out, both.err) == (
        0,
        "same model: mf1:edb8cef048b0…\n",
        "`dev` and `v1` are tags of q-bot\n",
    )


def test_tags_of_different_models_are_named(x: Path) -> None:
    root = x.parent
    (root / "Modelfile").unlink()
    (root / "mf.toml").write_text(BOTH)
    for source, name in (("my-bot:v1.0", "q-bot:v1"), ("my-bot:v1.1", "q-small:v2")):
        assert mf("cp", source, name).code == 0
    assert mf("show", "v1", cwd=root).code == 0
    ran = mf("diff", "v1", "v2", cwd=root)
    assert (ran.code, ran.out, ran.err.splitlines()) == (
        *(3, ""),
        [
            "error: `v1` and `v2` are tags of different models",
            "help: name the models: `q-bot:v1` and `q-small:v2`",
        ],
    )


def test_show_names_all_that_it_looked_for(fake: FakeOllama) -> None:
    ran = mf("show", "v1.9")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines()[0] == f"error: v1.9:latest not found on {fake.url}, nor my-bot:v1.9 or x:v1.9"
