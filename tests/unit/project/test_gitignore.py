"""Patterns as in .gitignore, against git's own answers."""

import contextlib
import os
import random
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from re import _constants as op
from re import _parser
from typing import Any

import pytest
from tests.support.operations import GROWTH, count_copied, count_operations, growth

from modelfile.project.gitignore import Ignored, Pattern, Rules, _segment, parse_patterns, walk_repository

FILES = ("a", "b", "c", "foo", "x.Modelfile", "Modelfile", "fox", "-", "]", "é")
FOLDERS = ("a", "b", "foo", "foo/a", "a/b", "a/b/c", "foo/b", "c d")
PARTS = (
    *("*", "**", "a", "b", "c", "foo", "f*", "?", "[ab]", "*.Modelfile", "Modelfile", "x.*", "[!a]", "[^a-c]", "*o*"),
    *("\\a", "fo\\o", "[[:alpha:]]", "[]-]", "c\\ d", "c d", "\\*", "[\\]]", "é", "*x*"),
)


def pattern(chance: random.Random) -> str:
    text = "/".join(chance.choice(PARTS) for _ in range(chance.choice((1, 1, 1, 2, 2, 3))))
    text = text.replace(
        "**/**", "**"
    )  # several in a row have a meaning of their own in git 2.39: `f**/**/**` matches `f`
    text = f"{chance.choice(('', '', '/'))}{text}{chance.choice(('', '', '/'))}"
    return f"{chance.choice(('', '', '!'))}{text}{chance.choice(('',) * 9 + (' ', chr(13)))}"


def test_the_files_that_git_lists(tmp_path: Path, rounds: int) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for folder in ("", *FOLDERS):
        (tmp_path / folder).mkdir(exist_ok=True)
        for name in FILES:
            if f"{folder}/{name}".removeprefix("/") not in FOLDERS:
                (tmp_path / folder / name).touch()
    ignore_files = [tmp_path / folder / ".gitignore" for folder in ("", *FOLDERS)]
    ignore_files.append(tmp_path / ".git" / "info" / "exclude")
    command = ["git", "-C", str(tmp_path), "ls-files", "-z", "--others", "--exclude-standard"]
    for seed in range(100 * rounds):
        chance = random.Random(seed)  # noqa: S311  # reproducible
        for file in ignore_files:
            file.unlink(missing_ok=True)
            if file.parent == tmp_path or chance.random() < 0.2:
                file.write_text("".join(f"{pattern(chance)}\n" for _ in range(chance.randint(1, 4))))
        listed = subprocess.run(command, check=True, capture_output=True).stdout
        found = [os.fsencode(path.relative_to(tmp_path)) for path in walk_repository(tmp_path, tmp_path, bool)]
        assert sorted(found) == sorted(filter(None, listed.split(b"\0"))), seed


def test_a_folder_inside_has_the_patterns_of_those_above_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name in ("a/x", "a/y", "a/b/x", "a/b/z"):
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("x\n!y\n")
    (tmp_path / "a" / ".gitignore").write_text("!b/x\ny\n")
    walked = [path.name for path in walk_repository(tmp_path / "a", tmp_path, lambda name: not name.startswith("."))]
    assert walked == ["x", "z"]
    (tmp_path / ".gitignore").write_text("a/\n")
    assert [*walk_repository(tmp_path / "a" / "b", tmp_path, lambda _: True)] == []


def test_repositories_inside_and_symlinks_are_not_searched(tmp_path: Path) -> None:
    for name in ("inner", "target"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").touch()
    subprocess.run(["git", "init", "-q", tmp_path / "inner"], check=True)
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "target" / ".gitignore").symlink_to("../patterns")
    (tmp_path / "patterns").write_text("x\n")
    found = {path.relative_to(tmp_path).as_posix() for path in walk_repository(tmp_path, tmp_path, lambda _: True)}
    assert found == {"link", "patterns", "target/.gitignore", "target/x"}


def test_unreadable_patterns_are_none(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    patterns = tmp_path / ".gitignore"
    patterns.write_bytes(b"\xff\0\nx\n" * 300_000)
    assert tmp_path / "x" in [*walk_repository(tmp_path, tmp_path, lambda _: True)]
    patterns.unlink()
    os.mkfifo(patterns)
    assert tmp_path / "x" in [*walk_repository(tmp_path, tmp_path, lambda _: True)]


@pytest.mark.parametrize("text", ["!", "/", "a\\", "[a", "!/"])
def test_patterns_that_match_nothing_are_invalid(text: str) -> None:
    with pytest.raises(ValueError, match="invalid pattern"):
        Pattern.parse(text)


@pytest.mark.parametrize("text", ["[" * 200_000, f"[{'a' * 400_000}]", "[a]" * 150_000, "é" * 2049, "a/" * 2049])
def test_a_pattern_over_the_limit_is_invalid(text: str, tmp_path: Path) -> None:
    def check() -> None:
        with pytest.raises(ValueError, match="it has more than 4,096 bytes") as found:
            Pattern.parse(text)
        assert len(str(found.value)) < 150
        assert tmp_path / "x" in [*walk_repository(tmp_path, tmp_path, lambda _: True)]

    (tmp_path / "x").touch()
    (tmp_path / ".gitignore").write_text(f"{text}\n#{text}\n")
    assert count_operations(check) < 1_000
    Pattern.parse("a" * 4096)


WILD = ("[", "]", "[a]", "[!", "[^]", "[[:alpha:]", "[:", "\\", "\\[", "*", "?", "**/", "/", "-", "a-", "é", "!", " ")


def test_random_patterns_take_linear_time(rounds: int) -> None:
    chance = random.Random(4)  # noqa: S311  # reproducible
    for _ in range(20 * rounds):
        part = "".join(chance.choices(WILD, k=chance.randint(1, 4)))

        def prepare(number: int, part: str = part.replace("/", "")) -> Callable[[], None]:
            def parse() -> None:
                with contextlib.suppress(ValueError):
                    _segment(part * number)

            return parse

        for count in (count_operations, count_copied):
            assert growth(prepare, 20, count) <= GROWTH, part


def test_a_file_in_an_ignored_folder_is_ignored() -> None:
    rules = Rules(parse_patterns(["drafts/", "!drafts/x", "*.old"]))
    assert [rules.ignore_file(path.split("/")) for path in ("drafts/x", "a/drafts/b/c", "a.old", "a/b.old/c", "a")] == [
        *(True, True, True, True, False)
    ]


@pytest.mark.parametrize("text", ["*a" * 2000 + "b", "**/a/" * 819 + "b", "[ab]*" * 819 + "c", "a/**/" * 500 + "**/b"])
def test_matching_takes_no_exponential_time(text: str) -> None:
    parsed = Pattern.parse(text)
    assert parsed
    for path in (["a" * 250] * 100, ["a"] * 500):
        lines = count_operations(partial(parsed.matches, path, is_folder=False))
        assert lines <= 5 * len(parsed.segments) * len(path)
    for segment in parsed.segments:
        if isinstance(segment, re.Pattern):
            assert max(backtracks(segment)) <= 1


def backtracks(pattern: re.Pattern[str]) -> Iterator[int]:
    """Yield the number of repeats that are gone back over when something after them fails: each multiplies the time."""

    def of(tree: Any) -> Iterator[int]:
        yield sum(kind in (op.MAX_REPEAT, op.MIN_REPEAT) for kind, _ in tree)
        for kind, value in tree:
            if kind is op.ATOMIC_GROUP:
                yield from of(value)
            else:
                assert kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.LITERAL, op.IN, op.ANY), kind

    return of(_parser.parse(pattern.pattern, pattern.flags))


def test_missing_path_is_ignored_by_the_files_of_its_folders(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".git/info").mkdir(parents=True)
    (tmp_path / ".git/info/exclude").write_text("*.bin\n")
    (tmp_path / ".gitignore").write_text("*.gguf\nout/\n")
    (tmp_path / "a/.gitignore").write_text("!keep.gguf\n/b\n")
    paths = {"x.gguf": True, "x.bin": True, "a/keep.gguf": False, "a/b/c": True, "b/c": False, "out": True, ".": False}
    ignored = Ignored(tmp_path)
    assert {path: tmp_path / path in ignored for path in paths} == paths
    assert tmp_path.parent / "x.gguf" not in ignored
