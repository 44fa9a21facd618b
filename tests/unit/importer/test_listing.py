"""Configurations that list the Modelfiles in a folder."""

from pathlib import Path

import pytest

import modelfile
from modelfile.errors import UsageError
from modelfile.importer.listing import list_models_of


def listed(folder: Path, *names: str) -> list[tuple[str, str]]:
    """Return the models of a configuration that lists files, as it is read."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("FROM llama3.2:3b\n")
    (folder / "mf.toml").write_text(list_models_of([folder / name for name in names], folder), encoding="utf-8")
    models = modelfile.Project(folder).config.models
    return [(str(model.name), model.modelfile.relative_to(folder).as_posix()) for model in models]


def test_names_are_those_that_paths_suggest(tmp_path: Path) -> None:
    names = ("bot/Modelfile", "Modelfile.judge", "team.Modelfile", "qwen2.5/Modelfile", 'my "bot"/Modelfile')
    assert listed(tmp_path, *names) == [
        ("judge:v1", "Modelfile.judge"),
        ("bot:v1", "bot/Modelfile"),
        ("my-bot:v1", 'my "bot"/Modelfile'),
        ("qwen2.5:v1", "qwen2.5/Modelfile"),
        ("team:v1", "team.Modelfile"),
    ]


def test_two_modelfiles_of_one_name_are_named_after_their_paths(tmp_path: Path) -> None:
    assert listed(tmp_path, "a/bot.Modelfile", "b/Bot.Modelfile", "c/d/Modelfile") == [
        ("a-bot:v1", "a/bot.Modelfile"),
        ("b-Bot:v1", "b/Bot.Modelfile"),
        ("d:v1", "c/d/Modelfile"),
    ]


def test_path_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the path `Modelfile\.é` suggests no name for its model"):
        list_models_of([tmp_path / "Modelfile.é"], tmp_path)
