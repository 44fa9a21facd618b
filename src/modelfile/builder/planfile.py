"""Plans as JSON, for programs and for a later build, which compares them with its own plans."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice, takewhile, zip_longest
from pathlib import Path
from typing import Any, Final, assert_never

from modelfile.addresses import ServerAddress
from modelfile.builder.plan import (
    Backup,
    Create,
    Fetch,
    PinBase,
    Plan,
    PruneStaging,
    Publish,
    Pull,
    Quantize,
    Step,
    Upload,
)
from modelfile.catalog.versions import release
from modelfile.errors import InputError, UsageError, VerificationError
from modelfile.filesystem import MAX_JSON, absolute_path, read_file, real_path
from modelfile.immutable import record
from modelfile.names import ModelName
from modelfile.project.discovery import may_mean_stream
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.redaction import redact
from modelfile.stores.ollama.wire import create_request
from modelfile.stores.protocol import StoredModel, StoreLocation

VERSION: Final = 1
_UNCOMPARED: Final = {"nothing_to_do", "changes", "replaces", "pending", "stale", "dropped_capabilities"}
"""Keys of a plan that depend on the cache or the lock, and not on what is to be done.

Other keys have what the capabilities depend on: the fingerprint of the base, and the request.
"""
_WIDTH: Final = 80
"""Characters of a long text that a message shows."""
_AGAIN: Final = "write it again with --plan-out"
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""A byte of a path that is not UTF-8; only JSON's escape can express it."""


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON; equal plans give equal JSON."""
    changes = None if plan.changes is None else [change.as_json() for change in plan.changes]
    return {
        "name": str(plan.name),
        "host": str(plan.location),
        "ollama": plan.version,
        "nothing_to_do": plan.nothing_to_do,
        "existing": _stored(plan.existing),
        "base": _stored(plan.base),
        "steps": [_step(step, plan.version) for step in plan.steps],
        "expected_fingerprint": plan.expected_fingerprint,
        "changes": changes,
        "replaces": plan.replaces,
        "pending": plan.pending or None,
        "stale": [drift.as_json() for drift in plan.stale],
        "dropped_capabilities": [name for name, _ in plan.dropped_capabilities],
    }


def _stored(stored: StoredModel | None) -> dict[str, str | None] | None:
    if stored is None:
        return None
    return {"name": str(stored.name), "digest": stored.digest or None, "fingerprint": stored.fingerprint}


def _step(step: Step, version: str) -> dict[str, Any]:  # noqa: PLR0911  # one for each kind
    match step:
        case PruneStaging(name):
            return {"do": "prune_staging", "name": str(name)}
        case Pull(base, replaced):
            return {"do": "pull", "name": str(base), "replaced": replaced or None}
        case Fetch(base, alias, manifest, replaced):
            found = {"name": str(base), "alias": str(alias), "manifest": manifest.digest}
            return {"do": "fetch", **found, "replaced": replaced or None}
        case PinBase(base, alias, replaced):
            return {"do": "pin_base", "name": str(base), "alias": str(alias), "replaced": replaced or None}
        case Upload(path, digest, size):
            return {"do": "upload", "file": path.name, "digest": digest, "size": size}
        case Quantize(kind):
            return {"do": "quantize", "to": kind}
        case Create(recipe, digests):
            return {"do": "create", "request": create_request(recipe, digests, release(version))}
        case Backup(name, alias, evicted):
            return {"do": "backup", "name": str(name), "alias": str(alias), "evicted": [*map(str, evicted)]}
        case Publish(name, discarded):
            return {"do": "publish", "name": str(name), "discarded": discarded or None}
        case _:
            assert_never(step)


def check_replaceable(path: Path) -> None:
    """Check that a plan file may be written to a path, so that no other file is overwritten by mistake.

    Raises:
        InputError: A file that is not a plan is there, or it cannot be read.
    """
    content = read_file(path, limit=MAX_JSON) if path.is_file() else b""
    if content.strip() and not _is_plan(content):
        hint = "write the plan to another file, or remove this one first"
        raise InputError(f"`{path}` exists and is not a plan", hint=hint)


def _is_plan(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"version", "keep", "models", "plans"} <= found.keys()


def dumps(targets: Iterable[Target], plans: Iterable[Plan], folder: Path, *, keep: int, replace: bool) -> str:
    """Return the text of a plan file in a folder: the models to build, and their plans."""
    content = {
        "version": VERSION,
        "keep": keep,
        "replace": replace,
        "models": [
            {"name": str(target.named), "modelfile": _from(folder, target.path), "quantize": target.quantize}
            for target in targets
        ],
        "plans": [plan_as_json(plan) for plan in plans],
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def _from(folder: Path, path: Path) -> str:
    start, path = (
        real_path(folder),
        real_path(path.parent) / path.name,
    )  # the Modelfile's own folder counts, not a link's
    return Path(os.path.relpath(path, start) if path.drive == start.drive else path).as_posix()


@record(kw_only=True)
class _Model:
    name: ModelName
    path: Path
    quantize: str


def _model(item: Any, folder: Path) -> _Model:
    match item:
        case {"name": str(name), "modelfile": str(path), "quantize": str(kind)} if "\0" not in path:
            os.fsencode(path)  # raises a ValueError if no file can have that name
            at = Path(os.path.normpath(real_path(folder) / path))
            if may_mean_stream(at):
                raise ValueError
            return _Model(name=ModelName.parse(name), path=at, quantize=kind)
        case _:
            raise ValueError


def _location(text: str) -> ServerAddress | Path:
    """Return a server or a folder.

    Raises:
        ValueError: It is neither, or no path as `absolute_path` returns it, with which the folder is opened.
    """
    folder = Path(text)
    if not folder.is_absolute():
        return ServerAddress.from_url(text)
    if "\0" in text or str(absolute_path(folder)) != text:
        raise ValueError(text)
    return folder


def _keep(value: Any) -> int:
    match value:
        case bool():
            raise ValueError
        case int() if value >= 0:
            return value
        case _:
            raise ValueError


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _not_a_plan(path: Path) -> InputError:
    return InputError(f"`{path}` is not a plan", hint=_AGAIN)


class PlanFile:
    """Saved plans, each to be compared with the current plan."""

    locations: tuple[ServerAddress | Path, ...]
    """The servers or the folders that they are for."""
    keep: int
    """The number of previous models of a tag to keep."""
    replace: bool
    """True if different models under immutable tags are to be replaced."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            InputError: It cannot be read, or is not a plan file.
        """
        self._path = path
        try:
            content = json.loads(read_file(path, limit=MAX_JSON))
            if type(version := content["version"]) is not int or version != VERSION:
                what = f"plan version {_short(version, None)} of `{path}` is not supported"
                raise InputError(what, hint=_AGAIN)
            self._plans = {(str(plan["name"]), str(plan["host"])): plan for plan in content["plans"]}
            self._models = [_model(item, path.parent) for item in content["models"]]
            self.locations = tuple(map(_location, dict.fromkeys(url for _, url in self._plans)))
            self.keep, self.replace = _keep(content["keep"]), _flag(content["replace"])
        except (ValueError, RecursionError, TypeError, KeyError, UsageError) as error:
            raise _not_a_plan(path) from error

    def targets(self, project: Project, names: Iterable[str] | None = None) -> tuple[Target, ...]:
        """Return the models to build: those of the names, or all.

        Raises:
            UsageError: A name is not valid.
            VerificationError: There is no plan for one of them.
        """
        wanted = [*map(ModelName.parse, names or ())]
        missing = [name for name in wanted if not any(name.same_as(model.name) for model in self._models)]
        if missing or not self._models or not self._plans:
            raise self._missing(str([*missing, *wanted][0]) if wanted else "any model")
        found = (model for model in self._models if not wanted or any(map(model.name.same_as, wanted)))
        return tuple(project.at(model.path, model.name, quantize=model.quantize) for model in found)

    def expected(self, name: ModelName, location: StoreLocation) -> str | None:
        """Return the fingerprint that a plan says a build must give.

        None if there was nothing to do: such a plan has no request, so it does not say what the fingerprint is of.
        """
        plan = self._plans.get((str(name), str(location)), {})
        fingerprint = None if plan.get("nothing_to_do") else plan.get("expected_fingerprint")
        return fingerprint if isinstance(fingerprint, str) else None

    def check(self, plan: Plan) -> None:
        """Compare a plan with the saved one; a model that is already what the saved plan builds needs nothing.

        The cache of another machine may predict more or less, so a prediction is compared only if both plans have it.

        Raises:
            InputError: The file is not a plan file.
            VerificationError: There is none of this name and server, or it differs.
        """
        now = plan_as_json(plan)
        saved = self._plans.get((now["name"], now["host"]))
        if saved is None:
            raise self._missing(f"{plan.name} {plan.location.where}")
        is_saved = saved.get("expected_fingerprint") == plan.expected_fingerprint
        if plan.nothing_to_do and plan.expected and is_saved:  # without a prediction, the fingerprint is the saved one
            return
        try:
            changed = [*differing(_comparable(saved, now), _comparable(now, saved))]
        except RecursionError as error:
            raise _not_a_plan(self._path) from error
        if changed:
            raise VerificationError(
                f"the plan for {plan.name} in `{self._path}` is out of date:",
                details=changed,
                hint=f"nothing was changed; {_AGAIN}, or print it with --dry-run instead of --plan",
            )

    def _missing(self, what: str) -> VerificationError:
        planned = ", ".join(f"{name} {StoreLocation(url=url).where}" for name, url in self._plans) or "nothing"
        return VerificationError(f"`{self._path}` has no plan for {what}", hint=f"it has {planned}")


def _comparable(plan: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan without the keys that are not compared, and without the fingerprint if one of both lacks it."""
    known = plan.get("expected_fingerprint") and other.get("expected_fingerprint")
    return {
        key: value for key, value in plan.items() if key not in _UNCOMPARED and (key != "expected_fingerprint" or known)
    }


def differing(then: Any, now: Any, place: str = "") -> Iterator[str]:
    """Yield the differences of two JSON values; of lists and of texts of several lines, the first difference.

    An absent member of an object is the same as null.

    Args:
        then: The earlier value.
        now: The later value.
        place: The place of both, as in `messages[1].content`.
    """
    lines = [*_inside(then, now, place)]
    yield from lines
    if not lines and not _same(then, now):
        yield f"{place}: {_short(then, now)} then, {_short(now, then)} now"


def _inside(then: Any, now: Any, place: str) -> Iterator[str]:
    """Yield the differences of the members, the items or the lines of two values."""
    match then, now:
        case (dict() | None, dict() | None):
            before, after = then or {}, now or {}
            another_step = before.get("do") != after.get(
                "do"
            )  # the other members of two such steps have nothing in common
            for key in ["do"] if another_step else {**before, **after}:
                yield from differing(before.get(key), after.get(key), f"{place}.{key}" if place else key)
        case (list() | None, list() | None):
            pairs = enumerate(zip_longest(then or [], now or []))
            items = ([*differing(old, new, f"{place}[{number}]")] for number, (old, new) in pairs)
            yield from next(filter(None, items), [])
        case (str(), str()) if "\n" in then + now:
            redacted = zip_longest(*map(_lines, map(redact, (then, now))))  # a key may have several lines
            written = zip_longest(_lines(then), _lines(now))
            lines = (
                f"{place}, line {number}: {_short(*shown)} then, {_short(*reversed(shown))} now"
                for number, ((old, new), shown) in enumerate(zip(written, redacted, strict=True), start=1)
                if old != new
            )
            yield from islice(lines, 1)
        case _:
            pass


def _lines(text: str) -> list[str]:
    return re.findall("[^\n]*\n|[^\n]+", text)


def _same(then: Any, now: Any) -> bool:
    """Return whether two values without a difference inside are the same."""
    match then, now:
        case (dict(), dict()):
            return True
        case (list(), list()):
            return len(then) == len(now)
        case _:
            return bool(then == now) and isinstance(then, bool) == isinstance(now, bool)


def _short(value: Any, other: Any) -> str:
    """Return a value as JSON; of a long text, the part around the first difference from the other value.

    Secrets are redacted here, because a part of one cannot be recognized.
    """
    if value is None:
        return "nothing"
    if not isinstance(value, str):
        text = redact(json.dumps(value, ensure_ascii=False))
        return f"{text[:_WIDTH]}…" if len(text) > _WIDTH else text
    redacted = redact(value)
    if len(value) <= _WIDTH:
        return json.dumps(redacted, ensure_ascii=False)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(value, other if isinstance(other, str) else "", strict=False))
    start = min(max(len([*same]) - _WIDTH // 2, 0), len(value) - _WIDTH)
    shown = json.dumps(redacted[start : start + _WIDTH], ensure_ascii=False)
    return f"{'…' if start else ''}{shown}{'…' if start + _WIDTH < len(value) else ''}"
