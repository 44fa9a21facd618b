"""Text of others in every command and format: no control character, no command to CI, and JSON that parses."""

import json
import os
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.support.cli import Ran, mf

from modelfile.addresses import ServerAddress
from modelfile.characters import CONTROLS, is_unprintable
from modelfile.errors import ServerError
from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.stores.memory import MemoryStore
from modelfile.stores.protocol import Store

ACTING = "".join(chr(point) for point in range(sys.maxunicode) if re.match(f"[{CONTROLS}]", chr(point)))
LINES = "\n::error::a\r::add-mask::b\r\n  ::stop-commands::c\n##[error]d ##vso[task]e\u2028::error::f\x85::error::g"
CHUNK = 100
"""Number of other characters a round."""
RAW = re.compile(f"(?!\n)[{CONTROLS}]")
COMMAND = re.compile(r"^\s*::([\w-]+)[^:]*::(.*)|##\w*\[\w+[^\]]*\]")
OUR_COMMAND = re.compile(r"::(error|warning|notice) file=[^:]*::")
CI = ("GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION")
"""Variables of CI systems that read output for commands."""
COLOR = re.compile(r"\x1b\[[0-9;]*m")


class Hostile:
    """Texts that contain every control character, commands, and some of the rest of Unicode."""

    def __init__(self, seed: int) -> None:
        numbers = random.Random(seed)  # noqa: S311  # no secret
        controls = [*ACTING[:200], *numbers.sample(ACTING, 50)]
        others = [chr(numbers.randrange(numbers.choice((0x800, 0x3000, sys.maxunicode)) + 1)) for _ in range(CHUNK)]
        characters = [*controls, *others]
        numbers.shuffle(characters)
        self.text = f"{LINES}{''.join(characters)}{LINES}"
        self.word = "".join(numbers.sample(characters, 40))
        usable = (each for each in characters if each not in "/\0" and not 0xD800 <= ord(each) < 0xE000)
        self.name = f"\n::error::{''.join(usable)}"[:40] + "##[error]x"

    @property
    def written(self) -> bytes:
        """The text in a file, without quotes, which would end a value, and NUL, which makes a file binary."""
        return self.text.translate({ord('"'): None, 0: None}).encode("utf-8", "surrogatepass")

    def fill(self, folder: Path) -> tuple[str, str]:
        """Write a Modelfile with errors and one without; return their names."""
        line = self.written.decode(errors="ignore").encode().translate(None, b"\r\n")
        head = b"#   " + line + b"\nFROM   m:v1\n"
        kept = "".join(each for each in self.written.decode(errors="ignore") if not is_unprintable(each)).encode()
        good = (
            b'FROM   m:v1\nSYSTEM   """' + kept + b'"""\nLICENSE """' + kept + b'"""\nMESSAGE user """' + kept + b'"""'
        )
        bad = head + line + b" x\nPARAMETER " + line + b" 1\nPARAMETER temperature " + line + b'\nTEMPLATE """{{'
        names = f"{self.name}.Modelfile", f"{self.name}\udcff.Modelfile"
        for name, content in zip(names, (good, bad + self.written + b'"""\n'), strict=True):
            (folder / os.fsdecode(os.fsencode(name))).write_bytes(content + b"\n# " + line + b" " * 9000 + b"\0")
        (folder / ".git").mkdir()
        return names

    @contextmanager
    def open(self, _: ServerAddress) -> Iterator[Store]:
        """Open a store of a hostile model, with a server that answers with hostile errors."""
        text = self.text.encode(errors="replace").decode()  # JSON of a server with lone surrogates is rejected
        model = Model(
            weights=("sha256:" + "0" * 64,),
            template=text,
            system=text,
            license=text,
            parameters={"stop": (text,), text: 1},
            messages=(Message("user", text),),
            renderer=text,
            parser=text,
            requires=text,
        )
        name = ModelName.parse("m:v1")
        store = Failing(registry={name: model})
        store.pull(name, lambda _: None)
        store.answer = self.text
        yield store


class Failing(MemoryStore):
    """A store that fails with a text of others."""

    answer = ""

    def copy(self, source: ModelName, destination: ModelName) -> None:
        """Fail."""
        del source, destination
        raise ServerError(self.answer, hint=self.answer, details=[self.answer])


def obeyed(output: str, ci: str) -> list[str]:
    """Return the commands in an output that a CI system would obey.

    An output can stop GitHub's runner (src/Runner.Worker/ActionCommandManager.cs), the others cannot.
    """
    if ci != "GITHUB_ACTIONS":
        return [line for line in re.split(r"[\r\n]", output) if re.search(r"##\w*\[", line)]
    found, token = [], ""
    for line in re.split(r"\r\n|\r|\n", output):
        command = COMMAND.search(line)
        if token or command is None:
            token = "" if line == f"::{token}::" else token
        elif command[1] == "stop-commands":
            token = command[2]
        else:
            found.append(line)
    return found


def check(ran: Ran, arguments: tuple[str, ...], *, is_content: bool, ci: str = "GITHUB_ACTIONS") -> None:
    out = COLOR.sub("", ran.out) if "always" in arguments else ran.out
    err = COLOR.sub("", ran.err) if "always" in arguments else ran.err
    assert ran.code in (0, 1, 2, 3), (arguments, ran.err[-3000:])
    if not is_content:
        assert not (raw := RAW.search(out)), (arguments, raw, out[raw.start() - 50 : raw.end()])
    assert not (raw := RAW.search(err)), (arguments, raw, err[raw.start() - 50 : raw.end()])
    commands = obeyed(out, ci) + obeyed(err, ci)
    is_ours = ci == "GITHUB_ACTIONS" and "github" in arguments
    commands = [line for line in commands if not (is_ours and OUR_COMMAND.match(line))]
    assert not (commands and arguments != ("show", "m:v1", "--modelfile")), (arguments, commands)
    if {"--json", "json", "sarif", "gitlab"} & {*arguments} and out:
        json.loads(out)
    if "junit" in arguments:
        ET.fromstring(out)  # noqa: S314  # what has just been written


def commands(text: Hostile, good: str, bad: str) -> Iterator[tuple[str, ...]]:
    for output_format in ("text", "concise", "json", "sarif", "github", "gitlab", "junit"):
        yield "lint", ".", "--format", output_format, "--select", "ALL"
        yield "check", "--format", output_format
    yield "lint", ".", "--color", "always", "--verbose"
    for options in (["--statistics"], ["--diff", "--unsafe-fixes"], ["--diff", "--color", "always"], ["--json"]):
        yield "lint", ".", *options
    for options in (["--check"], ["--diff"], ["--diff", "--color", "always"], ["--check", "--json"]):
        yield "fmt", *options
    for options in ([], ["--json"], ["--request"]):
        yield "parse", ".", *options
    for options in ([], ["--json"], ["--modelfile"], ["--color", "always"]):
        yield "show", "m:v1", *options
    for options in ([], ["--json"]):
        yield "ls", *options
        yield "ls", text.text, *options
        yield "diff", f"./{good}", "m:v1", *options
        yield "diff", f"./{bad}", text.text, *options
        yield "build", "b:v1", "-f", good, "--dry-run", *options
        yield "build", "b:v1", "-f", good, *options
        yield "build", "b:v1", "-f", bad, *options
        yield "build", text.text, "--plan", "plan.json", *options
        yield "build", "--plan", text.word, *options
        yield "pin", good, *options
        yield "pin", "--check", *options
        for command in ("outdated", "update", "verify"):
            yield command, *options
        yield "update", text.text, *options
        yield "verify", text.text, *options
        yield "find", text.text, *options
        yield "find", "000000", *options
        yield "check", *options
        yield "explain", text.text, *options
        yield "config", *options
        yield "config", "--config", text.name, *options
        yield "cp", "m:v1", "m:v2", *options
        yield "cp", text.text, text.text, *options
        yield "rm", text.text, *options
        yield "pull", text.text, "n:v1", *options
        yield "rollback", "m:v1", "--to", text.text, *options
        yield "show", "m:v1", "--host", text.text, *options
        yield text.text, *options
        yield "lint", f"--{text.word}", *options
        yield "lint", "--select", text.text, "--fail-level", text.text, *options
        yield "lint", "--fail-level", text.text, *options
        yield "show", "m:v1", text.text, *options
    yield "verify", "--format", "junit"
    yield "update", "--message"
    yield "update", "--format", "markdown"
    yield "lint", ".", "--fix"
    yield "fmt", "."


def test_hostile_text(tmp_path: Path, rounds: int) -> None:
    for seed, ci in product(range(rounds), CI):
        folder = tmp_path / f"{seed}{ci}"
        folder.mkdir()
        text, environ = Hostile(seed), {**dict.fromkeys(CI, ""), ci: "true"}
        good, bad = text.fill(folder)
        (folder / "plan.json").write_text(json.dumps({"version": 1, "plans": [{"name": text.text}], text.text: 1}))
        for arguments in commands(text, good, bad):
            ran = mf(*arguments, cwd=folder, environ=environ, open_store=text.open)
            is_content = "--modelfile" in arguments or ("--diff" in arguments and "always" not in arguments)
            check(ran, arguments, is_content=is_content, ci=ci)


@pytest.mark.parametrize("ci", CI)
def test_ci_obeys_no_line_of_a_prompt(tmp_path: Path, ci: str) -> None:
    (tmp_path / "Modelfile").write_bytes(
        b'FROM ./x.gguf\nTEMPLATE {{ .System }}{{ .Prompt }}\nSYSTEM """a' + LINES.encode() + b'"""\n'
    )
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    (tmp_path / "chat.json").write_text(json.dumps([{"role": "user", "content": LINES}]))
    environ = {**dict.fromkeys(CI, ""), ci: "true"}
    for arguments in (("--prompt", LINES), ("--messages", "chat.json"), ("--prompt", LINES, "--json")):
        exact = mf("show", "Modelfile", *arguments, cwd=tmp_path, environ=dict.fromkeys(CI, ""))
        ran = mf("show", "Modelfile", *arguments, cwd=tmp_path, environ=environ)
        assert (exact.code, ran.code) == (0, 0), exact.err
        assert obeyed(ran.out, ci) == []
        if ci == "GITHUB_ACTIONS":
            assert exact.out in ran.out
        elif "--json" not in arguments:
            note = "commands to the CI system are escaped in the prompt; `--json` prints it exactly\n"
            assert ran.err == exact.err + note


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("mf.toml", "select = [TEXT]"),
        ("mf.toml", "TEXT = 1"),
        ("mf.toml", "[models.TEXT]\nmodelfile = TEXT"),
        ("mf.toml", '[models.m]\nmodelfile = TEXT\ntag = "v1"'),
        ("mf.toml", "ollama = TEXT"),
        ("mf.toml", "a = TEXT b"),
        ("pyproject.toml", "[tool.mf]\nignore = [TEXT]"),
        ("mf.lock", "TEXT"),
        ("mf.lock", "{TEXT"),
        ("mf.lock", '{"version": {}}'),
        ("mf.lock", '{"version": "1.0", "modelfiles": {TEXT: {"base": {}}}}'),
        ("mf.lock", '{"version": "1.0", TEXT: 1}'),
    ],
)
def test_hostile_configurations_and_locks(tmp_path: Path, name: str, content: str, rounds: int) -> None:
    for seed in range(rounds):
        text = Hostile(seed)
        folder = tmp_path / f"{seed}{text.name}"
        folder.mkdir()
        good, _ = text.fill(folder)
        value = json.dumps(text.text.encode(errors="replace").decode())
        (folder / name).write_text(content.replace("TEXT", value))
        for arguments in [
            *(("lint", "."), ("fmt", "--check"), ("config",), ("config", "--json"), ("diff", "v1", "v2")),
            *(("build",), ("build", "m:v1", "-f", good), ("cp", "m:v1", "m:v2")),
            *(("pin", "--check"), ("pin", "--check", "--json"), ("check",), ("pin",)),
            *(("outdated",), ("update",), ("verify",), ("find", "000000")),
        ]:
            ran = mf(*arguments, cwd=folder, environ={"GITHUB_ACTIONS": "true"}, open_store=text.open)
            check(ran, arguments, is_content=False)
