"""The cases in tests/commands/cases: files and commands, and exactly what the commands print.

A case is a `##` heading and fenced blocks, taken in order: `modelfile NAME` (or `text NAME`) writes a file, `gguf
NAME` the file of `bare_gguf` that its JSON describes, `folder NAME` what `add_described` makes of its JSON, `push
NAME` moves a tag in a registry to team/bot:v1 with the fields of its JSON, or removes it for `null`, `git` runs each
line with git on 2 January, `remove NAME` removes a file, and `console` runs each line that begins with `$ mf`. Beside
the files stands weights.gguf; at OLLAMA_HOST answers a fake server that has llama3.2:3b and can pull what has
weights.gguf, and the registries have team/bot, which the server does not have; the date is 2 January 2026. `make
cases` writes what the commands print now; look at the difference before you commit it.
"""

import json
import os
import re
import shlex
import subprocess
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.ollama import FakeOllama
from tests.fakes.store import published
from tests.support.cli import StoppedClock, mf
from tests.support.folder import add_described, empty_store
from tests.support.server import connect
from tests.support.tiny_gguf import bare_gguf

from modelfile.names import ModelName
from modelfile.recipe.model import Model
from modelfile.stores.memory import MemoryRegistry

CASES = Path(__file__).parent / "cases"
CASE = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^(~~~|```)(\w+)(?: (\S+))?\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
WEIGHTS = b"GGUF" + bytes(60)
WEIGHTS_DIGEST = f"sha256:{sha256(WEIGHTS).hexdigest()}"
WHO = {"NAME": "A", "EMAIL": "a@example.org", "DATE": "2026-01-02T12:00:00Z"}
UNPRINTED = " > /dev/null"
"""The end of a command whose output depends on the folder that the case runs in."""
BOT = Model(
    weights=(f"sha256:{'1' * 64}",),
    template="{{ .System }} {{ .Prompt }}",
    system="You are terse.",
    license="MIT License\n\nCopyright",
    parameters={"temperature": 0.5, "stop": ("<eot>",)},
)


class Day(StoppedClock):
    """A clock that stands at noon of a day."""

    def now(self) -> datetime:
        """Return noon."""
        return datetime(2026, 1, 2, 12, tzinfo=UTC)


def registries() -> MemoryRegistry:
    return MemoryRegistry(
        {
            ModelName.parse("team/bot:v1"): BOT,
            ModelName.parse("team/bot:v2"): replace(BOT, system="You are brief."),
            ModelName.parse("hf.co/team/bot:Q4_K_M"): BOT,
        }
    )


def push(registry: MemoryRegistry, fake: FakeOllama, name: ModelName, fields: dict[str, Any] | None) -> None:
    if fields is None:
        registry.delete(name)
        return
    lists: dict[str, Any] = {key: tuple(fields[key]) for key in ("weights", "adapters") if key in fields}
    model = replace(BOT, **(fields | lists))
    registry.push(name, model, (WEIGHTS,))
    if model.weights == (WEIGHTS_DIGEST,):
        fake.registry[str(name)] = published(WEIGHTS, system=model.system, parameters=dict(model.parameters))


def cases() -> list[object]:
    return [
        pytest.param(path, title, id=f"{path.stem}: {title}")
        for path in sorted(CASES.glob("*.md"))
        for title, _ in CASE.findall(path.read_text(encoding="utf-8"))
    ]


def git(folder: Path, *arguments: str) -> None:
    who = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()}
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, env={**os.environ, **who})


def play(body: str, folder: Path, fake: FakeOllama) -> str:
    """Return the text of a case with the current output of its commands."""
    registry = registries()

    def block(match: re.Match[str]) -> str:
        fence, kind, name, text = match.groups()
        if kind == "push":
            push(registry, fake, ModelName.parse(name), json.loads(text))
            return match[0]
        if kind == "folder":
            add_described(empty_store(folder / name), json.loads(text))
            return match[0]
        if kind == "git":
            for line in text.splitlines():
                git(folder, *shlex.split(line))
            return match[0]
        if kind == "remove":
            (folder / name).unlink()
            return match[0]
        if kind != "console":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(bare_gguf(**json.loads(text)) if kind == "gguf" else text.encode())
            return match[0]
        printed = ""
        for line in text.splitlines():
            if line.startswith("$ mf"):
                arguments = shlex.split(line.removesuffix(UNPRINTED))[2:]
                ran = mf(
                    *arguments,
                    cwd=folder,
                    together=True,
                    open_registry=lambda _: nullcontext(registry),
                    clock=Day(),
                )
                shown = "" if line.endswith(UNPRINTED) else ran.out
                printed += f"{line}\n{shown}" + (f"[exit {ran.code}]\n" if ran.code else "")
        return f"{fence}{kind}\n{printed.replace(fake.url, 'http://server').replace(str(folder), '/project')}{fence}"

    return BLOCK.sub(block, body)


@pytest.mark.parametrize(("path", "title"), cases())
def test_case(
    path: Path, title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = path.read_text(encoding="utf-8")
    (match,) = (match for match in CASE.finditer(text) if match[1] == title)
    (tmp_path / "weights.gguf").write_bytes(WEIGHTS)
    (tmp_path / ".git").mkdir()
    with FakeOllama() as fake:
        fake.store.clock = datetime(2026, 1, 1, tzinfo=UTC)
        monkeypatch.setenv("OLLAMA_HOST", fake.url)
        stock(fake, tmp_path / "weights.gguf")
        now = play(match[2], tmp_path, fake)
    if request.config.getoption("--update-cases"):
        path.write_text(text[: match.start(2)] + now + text[match.end(2) :], encoding="utf-8")
    else:
        assert now == match[2]


def stock(fake: FakeOllama, weights: Path) -> None:
    """Give a server the base that the cases build on."""
    with connect(fake.url) as client:
        client.push_blob(WEIGHTS_DIGEST, weights, lambda _: None)
        made = {
            "files": {"base.gguf": WEIGHTS_DIGEST},
            "system": "Be brief.",
            "parameters": {"num_ctx": 4096, "stop": ["<e>"]},
        }
        list(client.create("llama3.2:3b", made))
