"""Plans as JSON: to be read by programs, or kept and done later if the world is still the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final, assert_never

from modelfile.build.plan import Copy, Create, Keep, Plan, Pull, Quantize, Step, Sweep, Upload
from modelfile.errors import InputError, VerificationError
from modelfile.semantics.fingerprint import fingerprint
from modelfile.store.base import Stored

VERSION: Final = 1
_AGAIN: Final = "write it again with --plan-out"


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


def _stored(stored: Stored | None) -> dict[str, str | None] | None:
    if stored is None:
        return None
    return {"name": str(stored.name), "digest": stored.digest or None, "fingerprint": fingerprint(stored.model)}


def _step(step: Step) -> dict[str, Any]:  # noqa: PLR0911  # one for each kind
    match step:
        case Sweep(name):
            return {"do": "sweep", "name": str(name)}
        case Pull(base):
            return {"do": "pull", "name": str(base)}
        case Upload(path, digest, size):
            return {"do": "upload", "file": path.name, "digest": digest, "size": size}
        case Quantize(kind):
            return {"do": "quantize", "to": kind}
        case Create(request):
            return {"do": "create", "request": dict(request)}
        case Keep(name, alias, lets_go):
            return {"do": "keep", "name": str(name), "alias": str(alias), "lets_go": [*map(str, lets_go)]}
        case Copy(name, loses):
            return {"do": "copy", "name": str(name), "loses": loses or None}
        case _:
            assert_never(step)


def dumps(plans: Iterable[Plan]) -> str:
    """The text of a file of plans."""
    content = {"version": VERSION, "plans": [plan_as_json(plan) for plan in plans]}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class Saved:
    """Plans of a file, each to be held against the one that is made now."""

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
            self._plans = {(plan["name"], plan["host"]): plan for plan in content["plans"]}
        except (ValueError, RecursionError, TypeError, KeyError) as error:
            raise InputError(f"`{path}` is not a plan", hint=_AGAIN) from error

    def approve(self, plan: Plan) -> None:
        """Hold a plan against the saved one.

        Raises:
            VerificationError: There is none of this name and place, or it is another.
        """
        now = plan_as_json(plan)
        saved = self._plans.get((now["name"], now["host"]))
        if saved is None:
            planned = ", ".join(f"{name} on {host}" for name, host in self._plans) or "nothing"
            message = f"`{self._path}` has no plan for {plan.name} on {plan.place}"
            raise VerificationError(message, hint=f"it has {planned}")
        if moved := list(_moved(saved, now)):
            told = "".join(f"\n  {line}" for line in moved)
            raise VerificationError(
                f"the plan for {plan.name} in `{self._path}` no longer holds:{told}",
                hint="nothing was changed; look at the plan of now with --dry-run",
            )


_CAUSES: Final = {"ollama": "the server's version", "existing": "what the name holds", "base": "the base"}


def _moved(saved: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What of a plan is no longer as it was: the causes, and only where there is none what may follow from one."""
    moved = [key for key in _CAUSES if saved.get(key) != now[key]]
    yield from (f"{_CAUSES[key]}: {_tell(saved.get(key))} then, {_tell(now[key])} now" for key in moved)
    if moved:
        return
    then, steps = saved.get("steps"), now["steps"]
    if isinstance(then, list) and then != steps:
        yield from (f"no longer to be done: {_words(step)}" for step in then if step not in steps)
        yield from (f"now to be done: {_words(step)}" for step in steps if step not in then)
    elif saved != now:
        yield f"what must come of it: {_tell(saved.get('gives'))} then, {_tell(now['gives'])} now"


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
            return "create"
        case {"do": do, "name": name}:
            return f"{do} {name}"
        case {"do": do, "to": kind}:
            return f"{do} to {kind}"
        case _:
            return str(step)
