"""The models of a project: how they are listed, ordered, and built side by side."""

import signal
import threading
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelfile.builder import scheduler as project
from modelfile.builder.scheduler import Failed, Skipped, Succeeded, build_all
from modelfile.errors import ServerError, UsageError
from modelfile.names import ModelName
from modelfile.project.graph import Graph
from modelfile.stores.protocol import StoreLocation

HERE = StoreLocation(url="http://here")
A, B, C, D, E = (ModelName.parse(f"{letter}:v1") for letter in "abcde")
ELSEWHERE = ModelName.parse("llama3.2:3b")
WAIT = 60.0


def test_the_layers() -> None:
    assert Graph({D: C, C: A, B: A, A: ELSEWHERE, E: None}).layers() == ((A, E), (C, B), (D,))
    assert Graph({B: ModelName.parse("A:V1"), A: None}).layers() == ((A,), (B,))
    assert Graph({B: ModelName.parse("a"), A: None}).layers() == ((B, A),)
    assert Graph({}).layers() == ()


@pytest.mark.parametrize(
    ("bases", "message"),
    [
        ({A: A}, "a:v1 is FROM a:v1"),
        ({A: B, B: C, C: A, D: A}, "a:v1 is FROM b:v1, which is FROM c:v1, which is FROM a:v1"),
    ],
)
def test_a_circle(bases: Mapping[ModelName, ModelName | None], message: str) -> None:
    for use in (Graph.layers, lambda graph: build_all(graph, HERE, lambda name, _: name)):
        with pytest.raises(UsageError) as caught:
            use(Graph(bases))
        assert caught.value.message == f"the models of the project go in a circle: {message}"


def test_one_name_twice() -> None:
    with pytest.raises(UsageError, match="the project lists A:v1 twice"):
        Graph({A: None, ModelName.parse("A:v1"): None}).layers()


def test_what_depends_on_a_failure_is_not_tried() -> None:
    tried = []
    error = ServerError("no")

    def build_one(name: ModelName, _: threading.Event) -> str:
        tried.append(name)
        if name == B:
            raise error
        return str(name)

    outcomes = build_all(Graph({D: C, C: B, B: A, A: None, E: A}), HERE, build_one)
    assert outcomes == {
        A: Succeeded(name=A, store=HERE, result="a:v1"),
        B: Failed(name=B, store=HERE, error=error),
        E: Succeeded(name=E, store=HERE, result="e:v1"),
        C: Skipped(name=C, store=HERE, because=B),
        D: Skipped(name=D, store=HERE, because=B),
    }
    assert list(outcomes) == [A, B, E, C, D]
    assert sorted(map(str, tried)) == ["a:v1", "b:v1", "e:v1"]


def test_side_by_side() -> None:
    """Two meet in the middle of their building, or the barrier breaks."""
    barrier = threading.Barrier(2)
    outcomes = build_all(Graph({A: None, B: None}), HERE, lambda _, __: barrier.wait(WAIT) >= 0)
    assert outcomes == {name: Succeeded(name=name, store=HERE, result=True) for name in (A, B)}


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

    outcomes = build_all(Graph(bases), HERE, build_one, parallel=side_by_side)
    assert outcomes == {name: Succeeded(name=name, store=HERE, result=None) for name in names}
    assert ended == {name for layer in Graph(bases).layers() for name in layer}


def interrupted_by(stop: Callable[[], None]) -> list[str]:
    """Return the outcome of a build that waits while the thread of another one calls `stop`."""
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
        build_all(Graph({A: None, B: None, C: None, D: A}), HERE, build_one, parallel=2)
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
    monkeypatch.setattr(project, "GRACE", 0.0)
    silent = threading.Event()
    ended = threading.Event()

    def build_one(name: ModelName, _: threading.Event) -> None:
        if name == A:
            silent.wait(WAIT)
            ended.set()
        else:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build_all(Graph({A: None, B: None}), HERE, build_one)
    assert not ended.is_set()
    silent.set()
    assert ended.wait(WAIT)
