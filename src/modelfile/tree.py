"""The tree of models: which is built on which, in a project, its locks, and a store."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from modelfile.errors import InputError, NotFound, ServerError, ServerUnreachable
from modelfile.immutable import field, record, replace
from modelfile.names import ModelName, join_alternatives
from modelfile.pinning.pin_aliases import locks_of
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.stores.backups import is_internal
from modelfile.stores.protocol import Store, parsed_name

_MOST_SIMILAR: Final = 3
"""Number of names that an error suggests."""
_Found: TypeAlias = "tuple[ModelName, str, Node]"
"""A model of a store: its name, its digest, and the node."""


class Place(StrEnum):
    """The places that know a model."""

    PROJECT = "project"
    LOCK = "lock"
    SERVER = "server"
    STORE = "store"
    """A folder of models."""


@record(kw_only=True)
class Node:
    """A model, or a Modelfile that has no name."""

    name: str
    """The name of the model, or the path of the Modelfile."""
    modelfile: str = ""
    """The path of its Modelfile, if the project has it."""
    places: frozenset[Place] = frozenset()
    """The places that know it; none for a base that is only named."""
    base: str | None = None
    """The name of its base; None if it is built from files, or that is not known."""
    files: tuple[str, ...] = ()
    """The local files that it is built from, as its Modelfile names them."""
    size: int | None = None
    """Size of its layers, in bytes; None if it is in no store."""
    own: int | None = None
    """Size of the layers that no other model of the store has; None if unknown, as on a server."""
    shared: int | None = None
    """Size of the layers that other models of the store have, too; None if unknown."""
    problem: str = ""
    """Why its base is not known, or that it is missing."""

    @property
    def key(self) -> str:
        """The key of its name: Ollama tells no cases of letters apart, a file system may."""
        return self.name if self.name == self.modelfile else _key(self.name)


@record(kw_only=True)
class Tree:
    """Models by what they are built on."""

    nodes: Mapping[str, Node]
    """The models by their keys, sorted; each base of one is a node, too."""
    children: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The models that are built on each."""

    @classmethod
    def of(cls, nodes: Iterable[Node]) -> Tree:
        """Return the tree of nodes; a base that is none of them is left out."""
        by_key = {node.key: node for node in sorted(nodes, key=lambda node: node.key)}
        children: dict[str, list[str]] = {}
        for key, node in by_key.items():
            if node.base and _key(node.base) in by_key:
                children.setdefault(_key(node.base), []).append(key)
        return cls(nodes=by_key, children={key: tuple(found) for key, found in children.items()})

    def rows(self) -> Iterator[tuple[tuple[bool, ...], Node, bool]]:
        """Yield the nodes from the bases down: for each level whether more follow on it, and whether it is repeated.

        A node is repeated where a circle of bases comes back to it.
        """
        seen = set[str]()
        for root in self._roots():
            left: list[tuple[str, tuple[bool, ...]]] = [(root, ())]
            while left:
                key, follow = left.pop()
                yield follow, self.nodes[key], key in seen
                if key in seen:
                    continue
                seen.add(key)
                below = self.children.get(key, ())
                left += [(child, (*follow, child != below[-1])) for child in reversed(below)]

    def _roots(self) -> Iterator[str]:
        """Yield the nodes that are built on no other, then one of each circle."""
        reached = set[str]()
        for key in [key for key, node in self.nodes.items() if _key(node.base or "") not in self.nodes]:
            reached |= self.below(key)
            yield key
        for key in self.nodes:
            if key not in reached:
                first = self._in_circle(key)
                reached |= self.below(first)
                yield first

    def _in_circle(self, key: str) -> str:
        """Return the first by name of the circle of bases that a node leads to."""
        chain = self.above(key)
        last = _key(self.nodes[chain[-1]].base or "")
        return min(chain[chain.index(last) :])

    def below(self, key: str) -> set[str]:
        """Return a node and all that is built on it."""
        found, left = set[str](), [key]
        while left:
            at = left.pop()
            if at not in found:
                found.add(at)
                left += self.children.get(at, ())
        return found

    def above(self, key: str) -> list[str]:
        """Return a node, its base, the base of that, and so on."""
        chain, known = [key], {key}
        while (base := _key(self.nodes[chain[-1]].base or "")) in self.nodes and base not in known:
            chain.append(base)
            known.add(base)
        return chain

    def only(self, pattern: str) -> Tree:
        """Return the part of the tree with the nodes that a glob matches, their bases, and what is built on them.

        Raises:
            NotFound: It matches none.
        """
        found = [key for key, node in self.nodes.items() if _matches(node, pattern)]
        if not found:
            from difflib import get_close_matches

            close = get_close_matches(pattern.lower(), self.nodes, n=_MOST_SIMILAR)
            similar = join_alternatives([f"`{self.nodes[key].name}`" for key in close]) if close else ""
            hint = f"did you mean {similar}?" if close else "run `mf tree` for all models"
            raise NotFound(f"no model or Modelfile matches `{pattern}`", hint=hint)
        wanted = {each for key in found for each in (*self.above(key), *self.below(key))}
        return Tree.of(node for key, node in self.nodes.items() if key in wanted)


def model_tree(
    project: Project, store: Store, *, internal: bool = False, on_note: Callable[[str], object] = lambda _: None
) -> Tree:
    r"""Return the models of a project, its locks and a store by what they are built on.

    A store records what a model was created FROM. If the project has the Modelfile of a model, its FROM counts.

    >>> from pathlib import Path
    >>> import modelfile
    >>> from modelfile.stores.memory import MemoryStore
    >>> store = MemoryStore.with_models("llama3.2:3b")
    >>> _ = Path("Modelfile").write_text("FROM llama3.2:3b\nSYSTEM Be brief.\n")
    >>> [node.name for _, node, _ in model_tree(modelfile.Project(), store).rows()]
    ['llama3.2:3b', 'Modelfile']

    Args:
        project: The project.
        store: The store.
        internal: Whether to include backups, pin aliases and models that are being built.
        on_note: Receives a note if the store does not answer, and only the project is known.

    Raises:
        InputError: A lock is damaged, or the folder cannot be read.
        UsageError: The configuration is not valid.
        ServerError: The store does not answer, and there is no project.
    """
    nodes = {node.key: node for node in _of_project(project)}
    for base in _locked_bases(project) if nodes else ():
        _add(nodes, Node(name=str(base), places=frozenset({Place.LOCK})))
    try:
        stored = _of_folder(Path(store.location.url)) if store.location.is_folder else _of_server(store)
    except ServerUnreachable as error:
        if not nodes:
            raise
        on_note(f"{error.message}: only the project and mf.lock are known")
        stored, is_known = (), False
    else:
        is_known = True
    for node in _without_internal(stored, internal=internal):
        _add(nodes, node)
    for node in [*nodes.values()]:
        if node.base and _key(node.base) not in nodes:
            problem = f"not found {store.location.where}" if is_known else ""
            nodes[_key(node.base)] = Node(name=node.base, problem=problem)
    return Tree.of(nodes.values())


def _key(name: str) -> str:
    return name.lower()


def _matches(node: Node, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    if fnmatchcase(node.modelfile, pattern):
        return True
    return any(fnmatchcase(text, pattern.lower()) for text in (node.name.lower(), node.name.lower().rpartition(":")[0]))


def _add(nodes: dict[str, Node], node: Node) -> None:
    """Add what a place knows of a model to what others know; a Modelfile says best what it is built on."""
    before = nodes.get(node.key)
    if before is None:
        nodes[node.key] = node
        return
    nodes[node.key] = replace(
        before,
        places=before.places | node.places,
        base=before.base if before.modelfile else before.base or node.base,
        size=node.size if before.size is None else before.size,
        own=node.own if before.own is None else before.own,
        shared=node.shared if before.shared is None else before.shared,
        problem=before.problem or node.problem,
    )


def _of_project(project: Project) -> Iterator[Node]:
    """Yield the models that the configuration lists, and the Modelfiles that it does not."""
    listed = {project.real_path(target.path) for target in project.targets}
    found: tuple[Target, ...] = ()
    with contextlib.suppress(InputError):  # no Modelfile
        found = tuple(target for target in project.modelfiles() if project.real_path(target.path) not in listed)
    for target in (*project.targets, *found):
        name = str(target.name or target.path)
        node = Node(name=name, modelfile=str(target.path), places=frozenset({Place.PROJECT}))
        try:
            recipe, first = target.recipe(), target.modelfile.first_error
        except InputError as error:
            yield replace(node, problem=error.message)
            continue
        if first:
            yield replace(node, problem=f"line {target.source.line_of(first.span.start)}: {first.message}")
            continue
        base = target.base
        yield replace(
            node,
            base=str(base) if base else None,
            files=() if base else tuple(map(_shown(target), recipe.model_files)),
        )


def _shown(target: Target) -> Callable[[Path], str]:
    return lambda path: path.relative_to(target.folder).as_posix() if path.is_relative_to(target.folder) else str(path)


def _locked_bases(project: Project) -> Iterator[ModelName]:
    for lock in locks_of(project):
        for pin in lock.modelfiles.values():
            if pin.base:
                yield ModelName.parse(pin.base.name)


def _of_server(store: Store) -> tuple[_Found, ...]:
    """Return the models of a server, each asked what it was created from."""
    place, found = frozenset({Place.SERVER}), []
    for listed in store.list():
        try:
            stored = store.read(listed)
            problem = "" if stored else "cannot be read"
        except ServerError as error:
            if isinstance(error, ServerUnreachable):
                raise
            stored, problem = None, error.message
        base = stored.base_name if stored else None
        node = Node(
            name=str(listed.name),
            places=place,
            size=listed.size,
            base=str(base) if base else None,
            problem=problem,
        )
        found.append((listed.name, listed.digest, node))
    return tuple(found)


def _of_folder(folder: Path) -> tuple[_Found, ...]:
    """Return the models of a folder, with what each has to itself; only manifests are read."""
    from modelfile.manifest import parent_of
    from modelfile.stores.disk.inventory import take_inventory
    from modelfile.stores.disk.layout import open_layout
    from modelfile.stores.disk.usage import usage_of

    inventory = take_inventory(open_layout(folder, create=False))
    sizes = {usage.name.full: usage for usage in usage_of(inventory).models}
    found = []
    for name, manifest in inventory.models:
        usage, base = sizes[name.full], parsed_name(parent_of(manifest))
        node = Node(
            name=str(name),
            places=frozenset({Place.STORE}),
            base=str(base) if base else None,
            size=usage.size,
            own=usage.unique,
            shared=usage.shared,
            problem="lacks a layer" if usage.missing else "",
        )
        found.append((name, manifest.digest, node))
    return tuple(found)


def _without_internal(stored: Iterable[_Found], *, internal: bool) -> Iterator[Node]:
    """Yield models without backups, pin aliases and staging tags, unless a model is built on one.

    A base that has another name, too, goes by that.
    """
    models = tuple(stored)
    if internal:
        yield from (node for _, _, node in models)
        return
    named = {digest: str(name) for name, digest, _ in models if not is_internal(name)}
    others = {_key(str(name)): named[digest] for name, digest, _ in models if is_internal(name) and digest in named}
    wanted = set[str]()
    for name, _, node in models:
        if is_internal(name):
            continue
        base = others.get(_key(node.base or ""), node.base)
        found = node if base is None or base == node.name else replace(node, base=base)
        wanted.add(_key(found.base or ""))
        yield found
    yield from (node for name, _, node in models if is_internal(name) and node.key in wanted)
