"""Build the models of a project in parallel, each after its base."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from contextvars import copy_context
from queue import SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeAlias, TypeVar

from modelfile.errors import ModelfileError
from modelfile.immutable import record
from modelfile.names import ModelName
from modelfile.project.graph import Graph
from modelfile.stores.protocol import StoreLocation
from modelfile.stores.uploads import next_of

if TYPE_CHECKING:
    from modelfile.builder.plan import Plan

_Result = TypeVar("_Result")

_PARALLEL: Final = 4
GRACE: Final = 0.08
"""Seconds after Ctrl-C that builds have to clean up: a server that works needs less, another may never answer."""


@record(kw_only=True)
class Succeeded(Generic[_Result]):
    """A model that was built, or planned."""

    name: ModelName
    store: StoreLocation
    result: _Result


@record(kw_only=True)
class Failed:
    """A model that could not be built."""

    name: ModelName
    store: StoreLocation
    error: ModelfileError


@record(kw_only=True)
class Skipped:
    """A model that was not attempted."""

    name: ModelName
    store: StoreLocation
    because: ModelName
    """The model that failed; there may be others between them."""
    ruled_out: bool = False
    """True if that model was ruled out beforehand, so that nothing is built; false if this one is based on it."""

    @property
    def reason(self) -> str:
        """The reason as a clause, as in `base:v1 failed`."""
        return f"{self.because} {'is ruled out' if self.ruled_out else 'failed'}"


Outcome: TypeAlias = Succeeded[_Result] | Failed | Skipped


def build_all(
    graph: Graph,
    store: StoreLocation,
    build_one: Callable[[ModelName, threading.Event], _Result],
    *,
    on_interrupt: Callable[[], None] = lambda: None,
    parallel: int = _PARALLEL,
) -> dict[ModelName, Outcome[_Result]]:
    """Build every model after its base; if one fails, those based on it are skipped, and all others built.

    A single model is built in this thread. The outcomes are in the order of building.

    Raises:
        UsageError: Models are FROM one another in a circle.
        BaseException: Any other exception of `build_one`, and Ctrl-C; no further build begins then.
    """
    sorter = graph.sorter()
    outcomes: dict[ModelName, Outcome[_Result]] = {}
    if len(graph.names) == 1:
        (only,) = graph.names
        return {only: _outcome(only, store, lambda: build_one(only, threading.Event()))}
    waiting: list[ModelName] = []
    with _Running(store, build_one, on_interrupt) as running:
        while True:
            waiting += sorter.get_ready()
            while waiting and len(running) < parallel:
                running.begin(waiting.pop(0))
            if not running:
                break
            name, outcomes[name] = running.next_to_end()
            if isinstance(outcomes[name], Succeeded):
                sorter.done(name)
    return {
        name: outcomes.get(name)
        or Skipped(name=name, store=store, because=_failed_dependency(name, graph.base, outcomes))
        for layer in graph.layers()
        for name in layer
    }


def refused(planned: Collection[Outcome[Any]], kind: type[ModelfileError]) -> tuple[Failed | Skipped, ...]:
    """Return the outcomes of models if one of them is ruled out by a kind of error: nothing is built; else nothing."""
    for ruled_out in planned:
        if isinstance(ruled_out, Failed) and isinstance(ruled_out.error, kind):
            return tuple(
                Skipped(name=outcome.name, store=outcome.store, because=ruled_out.name, ruled_out=True)
                if isinstance(outcome, Succeeded)
                else outcome
                for outcome in planned
            )
    return ()


def reject_replacements(outcomes: Iterable[Outcome[Plan]]) -> tuple[Outcome[Plan], ...]:
    """Return outcomes where a plan that would replace a different model under an immutable tag is a failure."""
    return tuple(
        Failed(name=outcome.name, store=outcome.store, error=error)
        if isinstance(outcome, Succeeded) and (error := outcome.result.replacement())
        else outcome
        for outcome in outcomes
    )


def _outcome(name: ModelName, store: StoreLocation, build: Callable[[], _Result]) -> Outcome[_Result]:
    try:
        return Succeeded(name=name, store=store, result=build())
    except ModelfileError as error:
        return Failed(name=name, store=store, error=error)


class _Running(Generic[_Result]):
    """Running builds, a thread each; an exception interrupts them all."""

    def __init__(
        self,
        store: StoreLocation,
        build_one: Callable[[ModelName, threading.Event], _Result],
        on_interrupt: Callable[[], None],
    ) -> None:
        self._store = store
        self._on_interrupt = on_interrupt
        self._build_one = build_one
        self._interrupted = threading.Event()
        self._threads: dict[ModelName, threading.Thread] = {}
        self._ended: SimpleQueue[tuple[ModelName, Outcome[_Result] | BaseException]] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._threads)

    def begin(self, name: ModelName) -> None:
        # a daemon, because a server that never answers must not keep the program from ending
        self._threads[name] = threading.Thread(
            target=copy_context().run, args=(self._run, name), name=str(name), daemon=True
        )
        self._threads[name].start()

    def next_to_end(self) -> tuple[ModelName, Outcome[_Result]]:
        name, outcome = next_of(self._ended)
        self._threads.pop(name).join()
        if isinstance(outcome, BaseException):
            raise outcome
        return name, outcome

    def _run(self, name: ModelName) -> None:
        try:
            outcome = _outcome(name, self._store, lambda: self._build_one(name, self._interrupted))
            self._ended.put((name, outcome))
        except BaseException as error:  # noqa: BLE001  # raised again in `next_to_end`
            self._ended.put((name, error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._interrupted.set()
        if self._threads:
            self._on_interrupt()
        deadline = monotonic() + GRACE
        for thread in self._threads.values():
            thread.join(max(deadline - monotonic(), 0))


def _failed_dependency(
    name: ModelName, needed: Mapping[ModelName, ModelName], outcomes: Mapping[ModelName, Outcome[_Result]]
) -> ModelName:
    while name not in outcomes:
        name = needed[name]
    return name
