"""Prompts on a real Ollama server: what it passes to the weights is what `mf show --prompt` and `--messages` print."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tests.support.cli import mf
from tests.support.paths import ROOT, VECTORS
from tests.support.real_ollama import Unavailable
from tests.support.running_ollama import RunningOllama, run, write_bytes_gguf

import modelfile

pytestmark = pytest.mark.live

CASES = [json.loads(line) for line in (VECTORS / "render.jsonl").read_text(encoding="utf-8").splitlines()]
WITH_MESSAGES = [case["template"] for case in CASES if case["ok"] and len(case["template"]) > 100]
OWN = [modelfile.parse(path.read_bytes()).commands for path in sorted((ROOT / "modelfiles").glob("*/Modelfile"))]
TEMPLATES = [
    *(dict(commands)["template"] for commands in OWN if "template" in dict(commands)),
    *dict.fromkeys(WITH_MESSAGES),
][:40]
CHAT = [
    {"role": "user", "content": 'Hi <b> & "q"'},
    {"role": "assistant", "content": "Hello!"},
    {"role": "tool", "content": "22"},
    {"role": "tool", "content": "sunny"},
    {"role": "user", "content": "And \u00e9?"},
]


@pytest.fixture(scope="module")
def ollama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningOllama]:
    try:
        with run(tmp_path_factory.mktemp("running")) as server:
            folder = server.log.parent
            (folder / "Modelfile").write_text(f"FROM {write_bytes_gguf(folder / 'bytes.gguf')}\n")
            built = mf("build", "bytes:v1", "-f", str(folder / "Modelfile"), "--host", server.url)
            assert built.code == 0, built.out
            yield server
    except Unavailable as error:
        pytest.skip(str(error))


def post(url: str, **body: Any) -> int:
    options = {"num_predict": 1, "num_ctx": 4096}
    data = json.dumps({"model": "own:v1", "stream": False, "options": options, **body}).encode()
    try:
        with urlopen(Request(url, data, method="POST"), timeout=60) as answer:  # noqa: S310  # of the test's own server
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.mark.parametrize("template", TEMPLATES, ids=map(str, range(len(TEMPLATES))))
def test_prompts_are_those_of_the_server(ollama: RunningOllama, template: str, tmp_path: Path) -> None:
    body = {"model": "own:v1", "from": "bytes:v1", "template": template, "system": "Be brief.", "stream": False}
    request = Request(f"{ollama.url}/api/create", json.dumps(body).encode(), method="POST")  # noqa: S310  # likewise
    try:
        urlopen(request, timeout=60).close()  # noqa: S310  # likewise
    except HTTPError:
        with pytest.raises(modelfile.TemplateError):
            modelfile.render(template, prompt="Why?", ollama="0.9.3")
        return
    messages = tmp_path / "chat.json"
    messages.write_text(json.dumps(CHAT), encoding="utf-8")
    for path, fields, arguments in (
        ("generate", {"prompt": "Why?"}, ["--prompt", "Why?"]),
        ("chat", {"messages": CHAT}, ["--messages", str(messages)]),
    ):
        status = post(f"{ollama.url}/api/{path}", **fields)
        shown = mf("show", "own:v1", *arguments, "--host", ollama.url)
        assert (status == 200) == (shown.code == 0), shown.err
        if status == 200:
            assert shown.out == ollama.last_prompt()


THOUGHTS = [
    "<think>a</think>\n\nb",
    " <think>\n a </think>b<think>c</think> d",
    "b<think>c</think>",
    "<think>never closed",
    "</think>b",
    "<thin",
    " ",
]


@pytest.mark.parametrize("name", ["deepseek-r1:v1", "team/deepseek-r1:v1", "plain:v1"])
def test_earlier_thoughts_are_removed_as_the_server_does(ollama: RunningOllama, name: str, tmp_path: Path) -> None:
    template = "{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}"
    body = {"model": name, "from": "bytes:v1", "template": template, "stream": False}
    request = Request(f"{ollama.url}/api/create", json.dumps(body).encode(), method="POST")  # noqa: S310  # likewise
    urlopen(request, timeout=60).close()  # noqa: S310  # likewise
    answers = ({"role": role, "content": text} for text in THOUGHTS for role in ("assistant", "user"))
    chat = [*answers, {"role": "assistant", "content": THOUGHTS[0]}]
    messages = tmp_path / "chat.json"
    messages.write_text(json.dumps(chat), encoding="utf-8")
    assert post(f"{ollama.url}/api/chat", model=name, messages=chat) == 200
    shown = mf("show", name, "--messages", str(messages), "--host", ollama.url)
    assert shown.out == ollama.last_prompt()
    assert ("<think>a</think>\n\nb[user]" in shown.out) == (name == "plain:v1")
