"""The models of a project: how they are listed, ordered, and built side by side."""

import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.builder import scheduler as project
from modelfile.builder.scheduler import Failed, Skipped, Succeeded, build_all, layers
from modelfile.errors import ServerError, UsageError
from modelfile.names import ModelName
from modelfile.project.config import ProjectModel, load_config

A, B, C, D, E = (ModelName.parse(f"{letter}:v1") for letter in "abcde")
ELSEWHERE = ModelName.parse("llama3.2:3b")
WAIT = 20.0


def configured(tmp_path: Path, text: str) -> tuple[ProjectModel, ...]:
    (tmp_path / "mf.toml").write_text(text)
    return load_config(tmp_path / "mf.toml").models


def test_the_configuration(tmp_path: Path) -> None:
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
        ('modelfile = "M"', "`models.bot.tag` is missing", 'a text, as in "v1.1"'),
        ('tag = "v1"', "`models.bot.modelfile` is missing", 'a path from here, as in "bot/Modelfile"'),
        ('modelfile = "M"\ntag = 1.1', "`models.bot.tag` cannot be 1.1", 'a text, as in "v1.1"'),
        (
            'modelfile = ""\ntag = "v1"',
            "`models.bot.modelfile` cannot be ''",
            'a path from here, as in "bot/Modelfile"',
        ),
        ('modlefile = "M"\ntag = "v1"', "there is no setting `models.bot.modlefile`", "did you mean `modelfile`?"),
        (
            'modelfile = "M"\ntag = "v 1"',
            "`bot:v 1` is not a model name that Ollama takes",
            "its tag `v 1` is at fault",
        ),
    ],
)
def test_a_configuration_that_is_not_right(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        configured(tmp_path, f"[models.bot]\n{text}\n")
    assert caught.value.message == f"`{tmp_path / 'mf.toml'}`: {message}"
    assert str(caught.value.hint).startswith(hint)


@pytest.mark.parametrize(
    "text", ["models = 3", 'models = ["bot"]', '[models]\nbot = "Modelfile"', "keep = -1", "keep = true"]
)
def test_a_value_of_a_wrong_type(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="cannot be"):
        configured(tmp_path, text)


def test_the_layers() -> None:
    assert layers({D: C, C: A, B: A, A: ELSEWHERE, E: None}) == ((A, E), (C, B), (D,))
    assert layers({B: ModelName.parse("A:V1"), A: None}) == ((A,), (B,))
    assert layers({B: ModelName.parse("a"), A: None}) == ((B, A),)
    assert layers({}) == ()


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        ({A: A}, "a:v1 is FROM a:v1"),
        ({A: B, B: C, C: A, D: A}, "a:v1 is FROM b:v1, which is FROM c:v1, which is FROM a:v1"),
    ],
)
def test_a_circle(bases: project.Bases, message: str) -> None:
    for use in (layers, lambda bases: build_all(bases, lambda name, _: name)):
        with pytest.raises(UsageError) as caught:
            use(bases)
        assert caught.value.message == f"the models of the project go in a circle: {message}"


def test_one_name_twice() -> None:
    with pytest.raises(UsageError, match="the project lists A:v1 twice"):
        layers({A: None, ModelName.parse("A:v1"): None})


def test_what_depends_on_a_failure_is_not_tried() -> None:
    tried = []
    error = ServerError("no")

    def build_one(name: ModelName, _: threading.Event) -> str:
        tried.append(name)
        if name == B:
            raise error
        return str(name)

    outcomes = build_all({D: C, C: B, B: A, A: None, E: A}, build_one)
    assert outcomes == {D: Skipped(B), C: Skipped(B), B: Failed(error), A: Succeeded("a:v1"), E: Succeeded("e:v1")}
    assert list(outcomes) == [D, C, B, A, E]
    assert sorted(map(str, tried)) == ["a:v1", "b:v1", "e:v1"]


def test_side_by_side() -> None:
    """Two meet in the middle of their building, or the barrier breaks."""
    barrier = threading.Barrier(2)
    outcomes = build_all({A: None, B: None}, lambda _, __: barrier.wait(WAIT) >= 0)
    assert outcomes == {A: Succeeded(result=True), B: Succeeded(result=True)}


@given(st.integers(1, 3), st.lists(st.integers(0, 9), max_size=10))
def test_order_and_bounds(side_by_side: int, numbers: list[int]) -> None:
    names = [ModelName.parse(f"m{index}:v1") for index in range(len(numbers))]
    bases = {
        name: names[number] if number < index else None
        for index, (name, number) in enumerate(zip(names, numbers, strict=True))
    }
    lock = threading.Lock()
    begun: set[ModelName] = set()
    ended: set[ModelName] = set()

    def build_one(name: ModelName, _: threading.Event) -> None:
        base = bases[name]
        with lock:
            begun.add(name)
            assert base is None or base in ended
            assert len(begun - ended) <= side_by_side
        with lock:
            ended.add(name)

    assert build_all(bases, build_one, side_by_side=side_by_side) == dict.fromkeys(names, Succeeded(None))
    assert ended == {name for layer in layers(bases) for name in layer}


def interrupted_by(stop: Callable[[], None]) -> list[str]:
    """What comes of a build that waits while another one's thread does `stop`."""
    told: list[str] = []
    waits = threading.Event()

    def build_one(name: ModelName, interrupted: threading.Event) -> None:
        if name == A:
            waits.set()
            told.append("interrupted" if interrupted.wait(WAIT) else "not told")
        elif name == B:
            assert waits.wait(WAIT)
            stop()
            interrupted.wait(WAIT)
        else:
            told.append("begun afterwards")

    with pytest.raises(KeyboardInterrupt):
        build_all({A: None, B: None, C: None, D: A}, build_one, side_by_side=2)
    return told


def test_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main
    assert interrupted_by(lambda: signal.pthread_kill(main, signal.SIGINT)) == ["interrupted"]


def test_what_is_not_expected_ends_all() -> None:
    def stop() -> None:
        raise KeyboardInterrupt

    assert interrupted_by(stop) == ["interrupted"]


def test_a_silent_server_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "_GRACE", 0.0)
    silent = threading.Event()
    ended = threading.Event()

    def build_one(name: ModelName, _: threading.Event) -> None:
        if name == A:
            silent.wait(WAIT)
            ended.set()
        else:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build_all({A: None, B: None}, build_one)
    assert not ended.is_set()
    silent.set()
    assert ended.wait(WAIT)
