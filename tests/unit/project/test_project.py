"""A project: each file is read, parsed, resolved and hashed once."""

import io
from pathlib import Path

import pytest

from modelfile.errors import InputError, UsageError
from modelfile.names import ModelName
from modelfile.project.discovery import LOCK_FILE
from modelfile.project.graph import graph_of
from modelfile.project.project import Project
from modelfile.project.target import Target

CONFIGURATION = """\
[models.bot]
modelfile = "bot/Modelfile"
tag = "v1"

[models.base]
modelfile = "base/Modelfile"
tag = "v1"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with two models, `bot:v1` FROM `base:v1`, which is made of local weights."""
    for name, text in (("bot", "FROM base:v1\n"), ("base", "FROM ./w.gguf\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Modelfile").write_text(text)
    (tmp_path / "base" / "w.gguf").write_bytes(b"GGUF")
    (tmp_path / "mf.toml").write_text(CONFIGURATION)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_modelfile_is_read_parsed_and_resolved_once(folder: Path) -> None:
    project = Project()
    target, same = project.targets[1], Target(project, folder / "base" / "Modelfile")
    modelfile, recipe = target.modelfile, target.recipe()
    (folder / "base" / "Modelfile").write_text("FROM x:y\n")
    assert same.modelfile is modelfile
    assert same.recipe() is recipe
    assert Target(Project(), folder / "base" / "Modelfile").base == ModelName.parse("x:y")


def test_local_files_are_hashed_once(folder: Path) -> None:
    target = Project().targets[1]
    digests = target.digests()
    (folder / "base" / "w.gguf").write_bytes(b"GGUF, and more")
    assert target.digests() is digests
    assert [path.name for path in digests] == ["w.gguf"]


def test_configuration_and_lock_are_read_once(folder: Path) -> None:
    (folder / LOCK_FILE).write_text('{"version": "1.0", "modelfiles": {}}')
    project = Project()
    bot = project.targets[0]
    assert bot.pin is None
    for name in ("mf.toml", LOCK_FILE):
        (folder / name).write_text("{")
    assert [str(target.name) for target in project.targets] == ["bot:v1", "base:v1"]
    assert bot.pin is None
    assert bot.lock is project.find_lock(folder / "base")


@pytest.mark.usefixtures("folder")
def test_another_text_belongs_to_a_copy_of_the_target() -> None:
    bot = Project().targets[0]
    changed = bot.with_text("FROM other:v1\n")
    assert (str(changed.base), str(bot.base)) == ("other:v1", "base:v1")
    assert changed.text_digest != bot.text_digest
    assert (changed.name, changed.path) == (bot.name, bot.path)


def test_standard_input_is_read_once(folder: Path) -> None:
    target = Target(Project(stdin=io.BytesIO(b"FROM x:y\n")), Path("-"))
    assert target.is_stdin
    assert target.modelfile is target.modelfile
    assert target.folder.resolve() == folder


@pytest.mark.usefixtures("folder")
def test_the_base_that_the_project_makes() -> None:
    project = Project()
    bot, base = project.targets
    found = project.base_of(bot)
    assert found
    assert (found.name, found.path.resolve()) == (base.name, base.path.resolve())
    assert project.base_of(base) is None
    graph = graph_of(project.targets)
    assert [[str(name) for name in layer] for layer in graph.layers()] == [["base:v1"], ["bot:v1"]]


def test_a_quantized_model_is_the_base_of_another(folder: Path) -> None:
    (folder / "mf.toml").write_text(
        f'{CONFIGURATION}quantize = "q4_K_M"\n\n[models.plain]\nmodelfile = "base/Modelfile"\ntag = "v1"\n'
    )
    project = Project()
    bot, base, plain = project.targets
    found = project.base_of(bot)
    assert found
    assert (found.name, found.quantize) == (base.name, "q4_K_M")
    assert project.targets[1].recipe().quantize == "q4_K_M"
    assert project.quantizations(bot) == {""}
    assert project.quantizations(base) == project.quantizations(plain) == {"", "q4_K_M"}
    assert project.quantizations(Target(project, folder / "other" / "Modelfile")) == {""}


def test_a_target_by_name_by_file_or_here(folder: Path) -> None:
    project = Project()
    assert project.target("BOT:v1").path == Path("bot/Modelfile")
    assert project.target("bot:v2", file="base/Modelfile").path == Path("base/Modelfile")
    with pytest.raises(InputError, match="Modelfile") as missing:
        project.target("other:v2")
    assert "bot:v1, base:v1" in (missing.value.hint or "")
    (folder / "Modelfile").write_text("FROM x:y\n")
    assert Project().target("other:v2").path == Path("Modelfile")


def test_other_tags_of_a_listed_model_are_built_from_its_modelfile(folder: Path) -> None:
    (folder / "Modelfile").write_text("FROM x:y\n")
    target = Project().target("bot:v2")
    assert (str(target.name), target.path) == ("bot:v2", Path("bot/Modelfile"))


@pytest.mark.usefixtures("folder")
def test_a_tag_is_required() -> None:
    with pytest.raises(UsageError, match="`other`"):
        Project().target("other")
    assert str(Project().target("bot", file="bot/Modelfile", latest=True).name) == "bot:latest"


@pytest.mark.usefixtures("folder")
def test_the_tag_of_a_listed_model_need_not_be_given() -> None:
    assert str(Project().target("BOT").name) == "BOT:v1"
    assert str(Project().target("bot", file="base/Modelfile").name) == "bot:v1"


def test_a_lock_is_written_at_the_root_of_the_repository_or_beside_the_configuration(folder: Path) -> None:
    bot = folder / "bot"
    assert Project().lock_to_write(bot).path == folder / LOCK_FILE
    (bot / LOCK_FILE).write_text('{"version": "1.0", "modelfiles": {}}')
    assert Project().lock_to_write(bot).path == bot / LOCK_FILE
    (bot / LOCK_FILE).unlink()
    (folder / ".git").rmdir()
    assert Project().lock_to_write(bot).path == folder / LOCK_FILE
    (folder / "mf.toml").unlink()
    assert Project().lock_to_write(bot).path == bot / LOCK_FILE


def test_paths_in_the_lock_are_portable(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    target = Project().targets[1]
    assert [*target.portable_digests()] == ["w.gguf"]
    assert target.portable(folder / "bot" / "w.gguf") == "../bot/w.gguf"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "w.gguf"
    assert target.portable(elsewhere) == elsewhere.as_posix()
    assert target.portable(Path.home() / "w.gguf") == "~/w.gguf"


def test_a_configuration_and_none_cannot_be_used_together(folder: Path) -> None:
    with pytest.raises(UsageError, match="--isolated"):
        _ = Project(config=folder / "mf.toml", isolated=True).config
    assert Project(isolated=True).targets == ()
