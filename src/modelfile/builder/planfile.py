"""Plans as JSON: to be read by programs, or kept and done later if the world is still the same."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import takewhile, zip_longest
from pathlib import Path
from typing import Any, Final, assert_never

from modelfile.builder.plan import Backup, Create, Plan, PruneStaging, Publish, Pull, Quantize, Step, Upload
from modelfile.errors import InputError, UsageError, VerificationError
from modelfile.names import ModelName
from modelfile.recipe.model import fingerprint
from modelfile.stores.protocol import StoredModel

VERSION: Final = 2
_AGAIN: Final = "write it again with --plan-out"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """A model that is to be built, and of what."""

    name: ModelName
    path: Path
    """Of the Modelfile."""
    quantize: str = ""
    keep: int = 0


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """A plan for programs; the same plan is the same JSON."""
    changes = None
    if plan.changes is not None:
        changes = [{**asdict(change), "aspect": str(change.aspect)} for change in plan.changes]
    return {
        "name": str(plan.name),
        "host": plan.place,
        "ollama": plan.version,
        "nothing_to_do": plan.nothing_to_do,
        "existing": _stored(plan.existing),
        "base": _stored(plan.base),
        "steps": [_step(step) for step in plan.steps],
        "gives": plan.gives,
        "changes": changes,
        "unknown_until": plan.unknown or None,
    }


def _stored(stored: StoredModel | None) -> dict[str, str | None] | None:
    if stored is None:
        return None
    return {"name": str(stored.name), "digest": stored.digest or None, "fingerprint": fingerprint(stored.model)}


def _step(step: Step) -> dict[str, Any]:  # noqa: PLR0911  # one for each kind
    match step:
        case PruneStaging(name):
            return {"do": "sweep", "name": str(name)}
        case Pull(base):
            return {"do": "pull", "name": str(base)}
        case Upload(path, digest, size):
            return {"do": "upload", "file": path.name, "digest": digest, "size": size}
        case Quantize(kind):
            return {"do": "quantize", "to": kind}
        case Create(request):
            return {"do": "create", "request": dict(request)}
        case Backup(name, alias, evicted):
            return {"do": "keep", "name": str(name), "alias": str(alias), "lets_go": [*map(str, evicted)]}
        case Publish(name, discarded):
            return {"do": "copy", "name": str(name), "loses": discarded or None}
        case _:
            assert_never(step)


def dumps(asked: Iterable[BuildRequest], plans: Iterable[Plan], folder: Path) -> str:
    """The text of a file of plans in a folder: what is to be built, and what builds would do."""
    content = {
        "version": VERSION,
        "models": [
            {
                "name": str(model.name),
                "modelfile": _from(folder, model.path),
                "quantize": model.quantize,
                "keep": model.keep,
            }
            for model in asked
        ],
        "plans": [plan_as_json(plan) for plan in plans],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _from(folder: Path, path: Path) -> str:
    start, path = folder.resolve(), path.parent.resolve() / path.name  # the Modelfile's own folder counts, not a link's
    return Path(os.path.relpath(path, start) if path.drive == start.drive else path).as_posix()


def _asked(item: Any, folder: Path) -> BuildRequest:
    match item:
        case {"name": str(name), "modelfile": str(path), "quantize": str(kind), "keep": int(keep)}:
            at = Path(os.path.normpath(folder.resolve() / path))
            return BuildRequest(name=ModelName.parse(name), path=at, quantize=kind, keep=keep)
        case _:
            raise ValueError


class PlanFile:
    """Plans of a file, each to be held against the one that is made now."""

    hosts: tuple[str, ...]
    """The servers that they are for."""

    def __init__(self, data: bytes, path: str) -> None:
        """Read the file.

        Raises:
            InputError: It is not one of ours.
        """
        self._path = path
        try:
            content = json.loads(data)
            if content["version"] != VERSION:
                raise InputError(f"`{path}` is a plan of version {content['version']}", hint=_AGAIN)
            self._plans = {(str(plan["name"]), str(plan["host"])): plan for plan in content["plans"]}
            self._asked = [_asked(item, Path(path).parent) for item in content["models"]]
        except (ValueError, RecursionError, TypeError, KeyError, UsageError) as error:
            raise InputError(f"`{path}` is not a plan", hint=_AGAIN) from error
        self.hosts = tuple(dict.fromkeys(host for _, host in self._plans))

    def asked(self, name: ModelName | None) -> list[BuildRequest]:
        """What is to be built: the model of that name, or all.

        Raises:
            VerificationError: There is none.
        """
        if found := [model for model in self._asked if name is None or model.name.same_as(name)]:
            return found
        raise self._missing(str(name) if name else "any model")

    def approve(self, plan: Plan) -> None:
        """Hold a plan against the saved one.

        Raises:
            VerificationError: There is none of this name and place, or it is another.
        """
        now = plan_as_json(plan)
        saved = self._plans.get((now["name"], now["host"]))
        if saved is None:
            raise self._missing(f"{plan.name} on {plan.place}")
        if moved := list(_moved(saved, now)):
            told = "".join(f"\n  {line}" for line in moved)
            raise VerificationError(
                f"the plan for {plan.name} in `{self._path}` no longer holds:{told}",
                hint="nothing was changed; look at the plan of now with --dry-run",
            )

    def _missing(self, what: str) -> VerificationError:
        planned = ", ".join(f"{name} on {host}" for name, host in self._plans) or "nothing"
        return VerificationError(f"`{self._path}` has no plan for {what}", hint=f"it has {planned}")


_CAUSES: Final = {"ollama": "the server's version", "existing": "what the name holds", "base": "the base"}


def _moved(saved: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What of a plan is no longer as it was: the causes, and only where there is none what may follow from one."""
    moved = [key for key in _CAUSES if saved.get(key) != now[key]]
    yield from (f"{_CAUSES[key]}: {_tell(saved.get(key))} then, {_tell(now[key])} now" for key in moved)
    if moved:
        return
    then, steps = saved.get("steps"), now["steps"]
    if isinstance(then, list) and then != steps:
        asked, asks = _request(then), _request(steps)
        told = [step for step in (*then, *steps) if not (asked and asks and _is_create(step))]
        yield from (f"no longer to be done: {_words(step)}" for step in told if step not in steps)
        yield from (f"now to be done: {_words(step)}" for step in told if step not in then)
        if asked and asks:
            yield from differing(asked, asks)
    elif saved != now:
        yield f"what must come of it: {_tell(saved.get('gives'))} then, {_tell(now['gives'])} now"


def _is_create(step: Any) -> bool:
    return isinstance(step, dict) and step.get("do") == "create"


def _request(steps: list[Any]) -> Any:
    return next((step.get("request") for step in steps if _is_create(step)), None)


def _tell(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case {"name": name, "fingerprint": fingerprint_, "digest": digest}:
            return f"{name} ({fingerprint_}, {digest})"
        case _:
            return str(value)


def _words(step: Any) -> str:
    match step:
        case {"do": "upload", "file": file, "digest": digest}:
            return f"upload {file} ({digest})"
        case {"do": "create"}:
            return "create the model"
        case {"do": do, "name": name}:
            return f"{do} {name}"
        case {"do": do, "to": kind}:
            return f"{do} to {kind}"
        case _:
            return str(step)


_WIDTH: Final = 80
"""Of a longer text, so much is shown."""


def differing(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """What is no longer as it was; in lists, and in texts of several lines, the first place.

    Args:
        then: A request as JSON has it, or what it says at a place.
        now: The other.
        place: Where, as in `messages[1].content`.
    """
    match then, now:
        case _ if then == now:
            return
        case (dict() | None, dict() | None):
            before, after = then or {}, now or {}
            for key in {**before, **after}:
                yield from differing(before.get(key), after.get(key), f"{place}.{key}" if place else key)
        case (list() | None, list() | None):
            number, old, new = _first(then or [], now or [])
            yield from differing(old, new, f"{place}[{number}]")
        case (str(), str()) if "\n" in then + now:
            number, old, new = _first(then.splitlines(keepends=True), now.splitlines(keepends=True))
            yield f"{place}, line {number + 1}: {_short(old, new)} then, {_short(new, old)} now"
        case _:
            yield f"{place}: {_short(then, now)} then, {_short(now, then)} now"


def _first(then: list[Any], now: list[Any]) -> tuple[int, Any, Any]:
    pairs = enumerate(zip_longest(then, now))
    return next((number, old, new) for number, (old, new) in pairs if old != new)


def _short(value: Any, other: Any) -> str:
    """A value as JSON; of a long text, the place where it begins to differ from the other."""
    if value is None:
        return "nothing"
    if not isinstance(value, str) or len(value) <= _WIDTH:
        return json.dumps(value, ensure_ascii=False)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(value, other if isinstance(other, str) else "", strict=False))
    start = min(max(len([*same]) - _WIDTH // 2, 0), len(value) - _WIDTH)
    shown = json.dumps(value[start : start + _WIDTH], ensure_ascii=False)
    return f"{'…' if start else ''}{shown}{'…' if start + _WIDTH < len(value) else ''}"
