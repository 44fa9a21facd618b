"""The configuration of a project: its models, and what is wrong with it."""

from pathlib import Path

import pytest

from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.project.config import ProjectModel, load_config


def configured(tmp_path: Path, text: str) -> tuple[ProjectModel, ...]:
    (tmp_path / "mf.toml").write_text(text)
    return load_config(tmp_path / "mf.toml").models


def test_configured_models(tmp_path: Path) -> None:
    models = configured(
        tmp_path,
        '[models.my-bot]\nmodelfile = "bot/Modelfile"\ntag = "v1.1"\n'
        '[models."team/base"]\nmodelfile = "../base.Modelfile"\ntag = "q4"\nquantize = "q4_K_M"\n',
    )
    assert models == (
        ProjectModel(name=ModelName.parse("my-bot:v1.1"), modelfile=tmp_path / "bot/Modelfile"),
        ProjectModel(name=ModelName.parse("team/base:q4"), modelfile=tmp_path / "../base.Modelfile", quantize="q4_K_M"),
    )


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ('modelfile = "M"', "missing setting `models.bot.tag`", 'write a string, as in "v1.1"'),
        (
            'tag = "v1"',
            "missing setting `models.bot.modelfile`",
            'write a path relative to this file, as in "bot/Modelfile"',
        ),
        ('modelfile = "M"\ntag = 1.1', "invalid value of `models.bot.tag`: 1.1", 'write a string, as in "v1.1"'),
        (
            'modelfile = ""\ntag = "v1"',
            "invalid value of `models.bot.modelfile`: ''",
            'write a path relative to this file, as in "bot/Modelfile"',
        ),
        ('modlefile = "M"\ntag = "v1"', "unknown setting `models.bot.modlefile`", "did you mean `modelfile`?"),
        (
            'modelfile = "M"\ntag = "v 1"',
            "invalid model name `bot:v 1`",
            "invalid tag `v 1`",
        ),
    ],
)
def test_invalid_models_are_rejected(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        configured(tmp_path, f"[models.bot]\n{text}\n")
    assert caught.value.message == f"`{tmp_path / 'mf.toml'}`: {message}"
    assert str(caught.value.hint).startswith(hint)


@pytest.mark.parametrize(
    "text",
    [
        "models = 3",
        'models = ["bot"]',
        '[models]\nbot = "Modelfile"',
        "keep = -1",
        "keep = true",
        "memory = 24",
        'memory = "24X"',
        'memory = ""',
        "store = 3",
        'store = ""',
        'store = "a\\u0000"',
    ],
)
def test_invalid_values_are_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="invalid value of"):
        configured(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models", "project/models"),
        ("../shared", "shared"),
        ("~/models", "home/models"),
        ("/srv/models", "/srv/models"),
    ],
)
def test_the_folder_of_the_store_is_relative_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    file = tmp_path / "project" / "pyproject.toml"
    file.parent.mkdir()
    file.write_text(f'[tool.mf]\nstore = "{text}"\n')
    assert load_config(file).store_folder == tmp_path / expected
    assert load_config(file).store == text


def test_without_a_store_there_is_no_folder_of_it(tmp_path: Path) -> None:
    (tmp_path / "mf.toml").write_text("")
    assert load_config(tmp_path / "mf.toml").store_folder is None


@pytest.mark.parametrize(
    ("text", "expected"), [("", None), ('memory = "24G"', 24 << 30), ('memory = "512 MiB"', 512 << 20)]
)
def test_memory_of_the_machine_that_runs_the_models(tmp_path: Path, text: str, expected: int | None) -> None:
    (tmp_path / "mf.toml").write_text(text)
    assert load_config(tmp_path / "mf.toml").memory_size == expected
