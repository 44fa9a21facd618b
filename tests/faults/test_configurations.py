"""Hostile configurations: every command that reads one exits with 2 and names the file and the cause."""

import os
import random
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.cli import Ran, mf
from tests.support.operations import count_operations

MOST_LINES = 50_000
"""Lines of our code that a command may run."""

COMMANDS = (
    ("lint",),
    ("lint", "--fix"),
    ("lint", "Modelfile"),
    ("check",),
    ("fmt", "--check"),
    ("parse", "."),
    ("config",),
    ("pin",),
    ("pin", "--check", "--frozen"),
    ("outdated",),
    ("update",),
    ("verify",),
    ("build",),
    ("build", "bot:v1"),
    ("build", "--dry-run"),
    ("cp", "a:v1", "b:v1"),
)
"""Commands that read the configuration of the folder they run in."""

TEXTS: dict[str, tuple[str | bytes, str]] = {
    "deep list": ("exclude = " + "[" * 100_000, "lists or tables are nested too deeply"),
    "deep closed list": ("exclude = " + "[" * 5000 + "]" * 5000, "lists or tables are nested too deeply"),
    "deep inline table": ("models = " + "{a = " * 100_000, "lists or tables are nested too deeply"),
    "long dotted key": ("\n" + "a." * 100_000 + "b = 1", ":2: a key has more than 100 parts"),
    "long dotted key, quoted": ("'a' . " * 50_000 + "b = 1", ":1: a key has more than 100 parts"),
    "long table name": ("[" + ".".join("a" * 50_000) + "]", ":1: a key has more than 100 parts"),
    "keep of 5,000 digits": ("ollama = '1'\nkeep = " + "9" * 5000, ":2: a number has more than 4,300 digits"),
    "keep of a million digits": ("keep = 0x" + "f" * 900_000, "invalid value of `keep`: a number of too many digits"),
    "keep is huge": ("keep = 9223372036854775808", "invalid value of `keep`: 9223372036854775808"),
    "keep is negative": ("keep = -1", "invalid value of `keep`: -1"),
    "keep is a float": ("keep = 1e400", "invalid value of `keep`: inf"),
    "keep is not a number": ("keep = nan", "invalid value of `keep`: nan"),
    "keep is a list": ("keep = [[1]]", "invalid value of `keep`: [[1]]"),
    "version without quotes": (
        "ollama = 0.24",
        "invalid value of `ollama`: 0.24\nhelp: write a version in quotes, as in",
    ),
    "version is a date": ("ollama = 2026-01-01", "invalid value of `ollama`: datetime.date(2026, 1, 1)"),
    "version is a table": ("[ollama]\na = 1", "invalid value of `ollama`: {'a': 1}"),
    "NUL in a path": ('[models.bot]\ntag = "v1"\nmodelfile = "a\\u0000b"', "invalid value of `models.bot.modelfile`"),
    "NUL in a tag": ('[models.bot]\ntag = "v\\u0000"\nmodelfile = "M"', "invalid value of `models.bot.tag`"),
    "lone surrogate": ('exclude = ["\\ud800"]', "is not TOML: "),
    "invalid UTF-8": (b"exclude = ['\xff']", "is not TOML: "),
    "UTF-16": ("keep = 3".encode("utf-16"), "is not TOML: "),
    "NUL": (b"\0" * 1000, "is not TOML: "),
    "raw escape": (b"keep = '\x1b[2J'", "is not TOML: "),
    "escape in a key": ('"a\\u001b[2J\\n::error::x" = 1', "unknown setting `a<U+001B>[2J<U+000A>::error::x`"),
    "key of a megabyte": ("k" * 900_000 + " = 1", "unknown setting `" + "k" * 79 + "…`"),
    "value of a megabyte": ("keep = '" + "9" * 900_000 + "'", "invalid value of `keep`: '" + "9" * 78 + "…"),
    "more than a megabyte": ("#" * 1_000_001, "it has more than 1,000,000 bytes"),
    "many entries": ("exclude = [" + "'a'," * 200_000 + "]", "`exclude` has 200,000 entries"),
    "many models": ("".join(f"[models.m{i}]\n" for i in range(40_000)), "`models` has 40,000 entries"),
    "many rules of a file": ("per-file-ignores = {a = [" + "'MF1'," * 100_000 + "]}", "`per-file-ignores` has 100,000"),
    "list in place of a table": ("severities = []", "invalid value of `severities`: []"),
    "table in place of a list": ("select = {a = 1}", "invalid value of `select`: {'a': 1}"),
    "severity is a list": ("severities = {MF1 = ['error']}", "invalid value of `severities`"),
    "models is a list": ("[[models]]\ntag = 'v1'", "invalid value of `models`"),
    "model is a text": ("[models]\nbot = 'M'", "invalid value of `models`"),
    "duplicate key": ("keep = 1\nkeep = 2", "is not TOML: Cannot overwrite a value (at end of document)"),
    "unclosed text": ('ollama = """' + "x" * 100_000, "is not TOML: "),
}
"""Contents of mf.toml, and the cause that is reported."""

NODES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "is a directory"),
    "pipe": (os.mkfifo, "it is a pipe, not a file"),
    "dangling symlink": (lambda path: path.symlink_to("none"), "no such file or directory"),
    "symlink to itself": (lambda path: path.symlink_to(path.name), "too many levels of symbolic links"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a device, not a file"),
}
"""Nodes in place of the file, and the cause that is reported."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a project with a Modelfile."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "Modelfile").write_text("# A model.\nFROM llama3.2:3b\n")
    return tmp_path


def counted(*command: str, cwd: Path) -> Ran:
    """Run a command that may only do so much."""
    ran: list[Ran] = []
    assert count_operations(lambda: ran.append(mf(*command, cwd=cwd))) <= MOST_LINES, command
    return ran[0]


def check(
    folder: Path, cause: str, *, path: Path | None = None, commands: tuple[tuple[str, ...], ...] = COMMANDS
) -> None:
    for index, command in enumerate(commands):
        ran = mf(*command, cwd=folder) if index else counted(*command, cwd=folder)  # counting takes long
        assert (ran.code, ran.out) == (2, ""), (command, ran)
        assert ran.err.startswith("error: "), command
        assert f"`{path or folder / 'mf.toml'}`" in ran.err, command
        assert cause in ran.err, command
        assert "\nhelp: " in ran.err, command
        assert len(ran.err) < 2000, command


@pytest.mark.parametrize("name", TEXTS)
def test_hostile_text_is_an_error_of_the_configuration(folder: Path, name: str) -> None:
    text, cause = TEXTS[name]
    (folder / "mf.toml").write_bytes(text.encode() if isinstance(text, str) else text)
    check(folder, cause)


@pytest.mark.parametrize("name", [name for name, (text, _) in TEXTS.items() if isinstance(text, str)][:8])
def test_pyproject_is_read_as_carefully(folder: Path, name: str) -> None:
    text, cause = TEXTS[name]
    assert isinstance(text, str)
    (folder / "pyproject.toml").write_text(f"[tool.mf]\n{text}")
    cause = cause.replace(":2:", ":3:") if cause.startswith(":2") else cause.replace(":1:", ":2:")
    check(folder, cause, path=folder / "pyproject.toml", commands=COMMANDS[:2])


@pytest.mark.skipif(os.name == "nt", reason="Windows has none of these")
@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("file", ["mf.toml", "pyproject.toml"])
def test_a_configuration_that_is_no_file_is_an_error(folder: Path, file: str, name: str) -> None:
    make, cause = NODES[name]
    make(folder / file)
    check(folder, cause, path=folder / file)
    check(folder, cause, path=Path(file), commands=(("lint", "--config", file), ("config", "--config", file)))


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="may be read by anyone")
def test_an_unreadable_configuration_is_an_error(folder: Path) -> None:
    (folder / "mf.toml").touch(0)
    check(folder, "permission denied")


@pytest.mark.parametrize("pattern", ["*a" * 12 + "b", "**/a/" * 12 + "b", "[!b]*" * 12 + "b"])
def test_a_pattern_with_many_wildcards_takes_no_time(folder: Path, pattern: str) -> None:
    (folder / ("a" * 200 + ".Modelfile")).write_text("# A model.\nFROM llama3.2:3b\n")
    (folder / "mf.toml").write_text(f"exclude = ['{pattern}']\nper-file-ignores = {{'{pattern}' = ['MF1']}}")
    assert counted("lint", cwd=folder).code in {0, 1}


@pytest.mark.parametrize("pattern", ["[" * 200_000, f"[{'a' * 400_000}]", "[a]" * 150_000])
def test_a_long_pattern_is_an_error(folder: Path, pattern: str) -> None:
    for line in (f"exclude = ['{pattern}']", f"per-file-ignores = {{'{pattern}' = ['MF1']}}"):
        (folder / "mf.toml").write_text(line)
        check(folder, "it has more than 4,096 bytes", commands=COMMANDS[:1])


PIECES = [
    *("keep = 3", "[models.bot]", "[[models]]", "[tool.mf]", "tag = 'v1'", "modelfile = 'Modelfile'", "exclude = ["),
    *("{a = ", "]", "}", "'", '"""', "'''", "\\", "\\u0000", "\\x", "\n", "\r", "\0", "\x1b[2J", "\ufeff", "\u202e"),
    *("9" * 5000, "0x" + "f" * 5000, "1979-05-27", "nan", "-inf", "true", ".", "a.b", "=", ",", "#", "é", "a" * 300),
]


def test_random_configurations_never_fail_otherwise(folder: Path, rounds: int) -> None:
    """Every command exits with a documented code; those that cannot parse the file exit with 2."""
    pick = random.Random(12)  # noqa: S311  # the same in every run
    for _ in range(250 * rounds):
        text = "".join(pick.choice(PIECES) + pick.choice(("", " ", "\n")) for _ in range(pick.randrange(1, 12)))
        (folder / "mf.toml").write_text(text, encoding="utf-8", newline="")
        ran = mf(*pick.choice(COMMANDS), cwd=folder)
        assert ran.code in {0, 1, 2, 3}, (text, ran)
        try:
            tomllib.loads(text)
        except (ValueError, RecursionError):
            assert ran.code == 2, (text, ran)
