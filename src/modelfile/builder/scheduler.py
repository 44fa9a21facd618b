"""The models of a project: the order in which they are built, and the building of all of them.

    bases = {model.name: base of its Modelfile, or None, …}   (`Config.models`; the base is `Recipe.base`, parsed)
    layers(bases)                   -> what can be built side by side, one group after the other, for a plan to show
    build_all(bases, build_one)     -> {name: Succeeded(result) | Failed(error) | Skipped(because), …}, in that order

`build_one(name, interrupted)` runs in a thread of its own, so it has to open a store of its own. `interrupted` is a
`threading.Event`: after Ctrl-C it is set, and who listens to progress should then raise, so that the scratch names go.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from queue import SimpleQueue
from time import monotonic
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

from modelfile.errors import ModelfileError, UsageError, VerificationError
from modelfile.names import ModelName
from modelfile.stores.uploads import next_of

_Result = TypeVar("_Result")

Bases: TypeAlias = Mapping[ModelName, ModelName | None]
"""What each model of a project is FROM; None: local files."""

_SIDE_BY_SIDE: Final = 4
_GRACE: Final = 5.0
"""After Ctrl-C, builds have so many seconds to tidy up; what a server is silent about cannot be waited for."""


@dataclass(frozen=True, slots=True)
class Succeeded(Generic[_Result]):
    """It was built."""

    result: _Result


@dataclass(frozen=True, slots=True)
class Failed:
    """It could not be built."""

    error: ModelfileError


@dataclass(frozen=True, slots=True)
class Skipped:
    """It was not tried, for what it is FROM was not built; or for the lock refuses another model of the project."""

    because: ModelName
    """The model that failed, which may be several steps away."""


Outcome: TypeAlias = Succeeded[_Result] | Failed | Skipped


def needs(bases: Bases) -> dict[ModelName, ModelName]:
    """Which model of a project is FROM which other one of it; with the names as the project spells them.

    Raises:
        UsageError: Two models bear one name.
    """
    spelled: dict[str, ModelName] = {}
    for name in bases:
        if (other := spelled.setdefault(name.full.lower(), name)) is not name:
            raise UsageError(f"the project lists {name} twice", hint=f"to Ollama, {other} and {name} are one name")
    found = ((name, spelled.get(base.full.lower())) for name, base in bases.items() if base)
    return {name: base for name, base in found if base}


def layers(bases: Bases) -> tuple[tuple[ModelName, ...], ...]:
    """The models in groups: those of one depend on those of the groups before it only.

    Raises:
        UsageError: A model is, by way of others, FROM itself; or two bear one name.
    """

    def groups() -> Iterator[tuple[ModelName, ...]]:
        while ready := sorter.get_ready():
            yield ready
            sorter.done(*ready)

    sorter = _sorter(bases, needs(bases))
    return tuple(groups())


def build_all(
    bases: Bases,
    build_one: Callable[[ModelName, threading.Event], _Result],
    *,
    side_by_side: int = _SIDE_BY_SIDE,
) -> dict[ModelName, Outcome[_Result]]:
    """Build every model once what it is FROM is there; what is FROM one that failed is skipped, all else is built.

    Raises:
        UsageError: A model is, by way of others, FROM itself; or two bear one name.
        BaseException: Whatever else `build_one` raises, and Ctrl-C: nothing more is begun then.
    """
    needed = needs(bases)
    sorter = _sorter(bases, needed)
    outcomes: dict[ModelName, Outcome[_Result]] = {}
    waiting: list[ModelName] = []
    with _Running(build_one) as running:
        while True:
            waiting += sorter.get_ready()
            while waiting and len(running) < side_by_side:
                running.begin(waiting.pop(0))
            if not running:
                break
            name, outcomes[name] = running.next_to_end()
            if isinstance(outcomes[name], Succeeded):
                sorter.done(name)
    return {name: outcomes.get(name) or Skipped(_failed_dependency(name, needed, outcomes)) for name in bases}


def refused(planned: Mapping[ModelName, Outcome[Any]]) -> dict[ModelName, Failed | Skipped] | None:
    """What becomes of a project if the lock refuses a model of it ahead: nothing is built. None: it refuses none."""
    for name, outcome in planned.items():
        if isinstance(outcome, Failed) and isinstance(outcome.error, VerificationError):
            return {other: Skipped(name) if isinstance(was, Succeeded) else was for other, was in planned.items()}
    return None


class _Running(Generic[_Result]):
    """Builds under way, a thread each; what ends them early interrupts them all."""

    def __init__(self, build_one: Callable[[ModelName, threading.Event], _Result]) -> None:
        self._build_one = build_one
        self._interrupted = threading.Event()
        self._threads: dict[ModelName, threading.Thread] = {}
        self._ended: SimpleQueue[tuple[ModelName, Outcome[_Result] | BaseException]] = SimpleQueue()

    def __len__(self) -> int:
        return len(self._threads)

    def begin(self, name: ModelName) -> None:
        # a daemon: what a silent server holds up must not hold up the end of the program
        self._threads[name] = threading.Thread(target=self._run, args=(name,), name=str(name), daemon=True)
        self._threads[name].start()

    def next_to_end(self) -> tuple[ModelName, Outcome[_Result]]:
        name, outcome = next_of(self._ended)
        self._threads.pop(name).join()
        if isinstance(outcome, BaseException):
            raise outcome
        return name, outcome

    def _run(self, name: ModelName) -> None:
        try:
            self._ended.put((name, Succeeded(self._build_one(name, self._interrupted))))
        except ModelfileError as error:
            self._ended.put((name, Failed(error)))
        except BaseException as error:  # noqa: BLE001  # it is raised again where it is waited for
            self._ended.put((name, error))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._interrupted.set()
        deadline = monotonic() + _GRACE
        for thread in self._threads.values():
            thread.join(max(deadline - monotonic(), 0))


def _failed_dependency(
    name: ModelName, needed: Mapping[ModelName, ModelName], outcomes: Mapping[ModelName, Outcome[_Result]]
) -> ModelName:
    while name not in outcomes:
        name = needed[name]
    return name


def _sorter(bases: Bases, needed: Mapping[ModelName, ModelName]) -> TopologicalSorter[ModelName]:
    sorter = TopologicalSorter({name: [needed[name]] if name in needed else [] for name in bases})
    try:
        sorter.prepare()
    except CycleError as error:
        circle: list[ModelName] = error.args[1][::-1]  # graphlib has what is needed before what needs it
        way = ", which is FROM ".join(str(name) for name in circle[1:])
        hint = "one of them has to be FROM something else"
        raise UsageError(f"the models of the project go in a circle: {circle[0]} is FROM {way}", hint=hint) from None
    return sorter
