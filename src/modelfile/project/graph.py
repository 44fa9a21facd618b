"""The models of a project by what they are built from: order and cycles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from modelfile.errors import UsageError
from modelfile.names import ModelName
from modelfile.project.target import Target


class Graph:
    """The bases among the models of a project.

    >>> bot, base = ModelName.parse("bot:v1"), ModelName.parse("base:v1")
    >>> graph = Graph({bot: ModelName.parse("BASE:v1"), base: None})
    >>> [[str(name) for name in layer] for layer in graph.layers()]
    [['base:v1'], ['bot:v1']]
    """

    def __init__(self, bases: Mapping[ModelName, ModelName | None]) -> None:
        """Make the graph of models and the names in their FROM; None is for local files.

        Raises:
            UsageError: Two models have one name.
        """
        self.names = tuple(bases)
        spelled: dict[str, ModelName] = {}
        for name in bases:
            if (other := spelled.setdefault(name.full.lower(), name)) is not name:
                raise UsageError(f"the project lists {name} twice", hint=f"to Ollama, {other} and {name} are one name")
        found = ((name, spelled.get(base.full.lower())) for name, base in bases.items() if base)
        self.base: Mapping[ModelName, ModelName] = {name: base for name, base in found if base}
        """The base of each model that is FROM another one of the project."""

    def sorter(self) -> TopologicalSorter[ModelName]:
        """Return a prepared sorter that gives each model after its base.

        Raises:
            UsageError: A model is, by way of others, FROM itself.
        """
        sorter = TopologicalSorter({name: [self.base[name]] if name in self.base else [] for name in self.names})
        try:
            sorter.prepare()
        except CycleError as error:
            circle: list[ModelName] = error.args[1][::-1]  # graphlib names the base before its child
            way = ", which is FROM ".join(str(name) for name in circle[1:])
            raise UsageError(
                f"the models of the project go in a circle: {circle[0]} is FROM {way}",
                hint="one of them has to be FROM something else",
            ) from None
        return sorter

    def layers(self) -> tuple[tuple[ModelName, ...], ...]:
        """Return the models in groups, each of which depends on the groups before it only.

        Raises:
            UsageError: A model is, by way of others, FROM itself.
        """

        def groups() -> Iterator[tuple[ModelName, ...]]:
            while ready := sorter.get_ready():
                yield ready
                sorter.done(*ready)

        sorter = self.sorter()
        return tuple(groups())


def graph_of(targets: Iterable[Target]) -> Graph:
    """Return which of these models is FROM which other one.

    Raises:
        UsageError: Two of them have one name.
    """
    return Graph({target.named: target.base for target in targets})
