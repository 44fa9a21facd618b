"""What `mf build` is to make, and on which servers: plans and builds of one model or of a whole project."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, TypeAlias

from modelfile.builder.planfile import BuildRequest
from modelfile.cli.files import read_source
from modelfile.cli.locks import find_pin
from modelfile.cli.server import open_store
from modelfile.errors import InputError, ModelfileError, ServerError, UsageError
from modelfile.events import Events, Progress
from modelfile.lockfile import find_lock
from modelfile.names import ModelName
from modelfile.project.config import Config
from modelfile.recipe.recipe import resolve
from modelfile.report.terminal import print_warning
from modelfile.syntax.modelfile import Modelfile
from modelfile.weights.digests import hash_ahead

if TYPE_CHECKING:
    from modelfile.builder.execute import Built, Job
    from modelfile.builder.plan import Pinned, Plan
    from modelfile.builder.scheduler import Outcome
    from modelfile.lock.resolve import Entry
    from modelfile.lock.schema import Pin
    from modelfile.recipe.recipe import Recipe
    from modelfile.stores.protocol import Store

_MUCH: Final = 1 << 26
"""So many bytes take 50 ms to hash."""

Approve: TypeAlias = "Callable[[Plan], None]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order(BuildRequest):
    """A model that is to be built of a Modelfile, which has been looked through."""

    checked: Modelfile | InputError
    """The Modelfile, or why there is none to build from."""

    @property
    def modelfile(self) -> Modelfile:
        """What is built.

        Raises:
            InputError: It cannot be read, or has errors.
        """
        if isinstance(self.checked, InputError):
            raise self.checked
        return self.checked

    def recipe(self, store: Store) -> Recipe:
        """What the Modelfile says; folders of weights by the rules of the store's version."""
        from modelfile.catalog.versions import release

        version = release(store.version())
        return replace(resolve(self.modelfile, self.path.parent, version), quantize=self.quantize)


def order(name: str, path: str, *, latest: bool, quantize: str, keep: int) -> Order:
    """The order of one model.

    Raises:
        UsageError: The name is none, or has no tag.
        InputError: The Modelfile cannot be read, or is Refused for its errors.
    """
    model = ModelName.parse(name)
    if not model.tagged and not latest:
        hint = f"write {name}:v1, or --latest if `latest` is meant: it changes for everybody who calls {name}"
        raise UsageError(f"`{name}` has no tag", hint=hint)
    path = str(_from_here(Path(path)))
    modelfile = Modelfile.parse(read_source(path))
    with contextlib.suppress(ModelfileError):  # what is wrong is told when it has been looked through
        hash_ahead(resolve(modelfile, Path(path).parent).local_files)
    from modelfile.cli.checked import load_for_build  # the rules: 40 ms, in which much is hashed

    load_for_build(path, modelfile)
    return Order(name=model, path=Path(path), checked=modelfile, quantize=quantize, keep=keep)


def project(config: Config, *, quantize: str, keep: int) -> list[Order]:
    """The orders of all models that are configured, also where a Modelfile cannot be built from.

    Raises:
        UsageError: There are none; or a type is said for all of them, though one FROM another has its weights.
    """
    if quantize:
        hint = 'name it, as in `mf build my-bot:v1`, or write `quantize = "…"` in mf.toml under [models.my-bot]'
        raise UsageError("--quantize is about one model", hint=hint)
    if not config.models:
        hint = "name a model, as in `mf build my-bot:v1`, or list the project's in mf.toml under [models.my-bot]"
        raise UsageError("nothing says which models to build", hint=hint)
    return [
        order_of(
            BuildRequest(name=model.name, path=model.modelfile, quantize=model.quantize or "", keep=keep),
        )
        for model in config.models
    ]


def order_of(asked: BuildRequest) -> Order:
    """The order of what is asked, also where the Modelfile cannot be built from."""
    path = _from_here(asked.path)
    checked: Modelfile | InputError
    from modelfile.cli.checked import load_for_build

    try:
        checked = load_for_build(str(path)).modelfile
    except InputError as error:
        checked = error
    return Order(name=asked.name, path=path, quantize=asked.quantize, keep=asked.keep, checked=checked)


def _from_here(path: Path) -> Path:
    """A path as short as a message wants it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _bases(orders: list[Order], store: Store) -> dict[ModelName, ModelName | None]:
    """What each model is FROM; None, too, where its Modelfile cannot say, so that its own build tells why."""

    def base(order: Order) -> ModelName | None:
        with contextlib.suppress(InputError, UsageError):
            written = order.recipe(store).base
            return ModelName.parse(written) if written else None
        return None

    return {order.name: base(order) for order in orders}


def plans(orders: list[Order], host: str | None, events: Events) -> dict[ModelName, Outcome[Plan]]:
    """What builds would do on a server now, in their order.

    Raises:
        UsageError: They go in a circle.
    """
    from modelfile.builder.execute import prepare
    from modelfile.builder.plan import check_pin
    from modelfile.builder.scheduler import Failed, Skipped, Succeeded, layers, needs

    outcomes: dict[ModelName, Outcome[Plan]] = {}
    by_name = {order.name: order for order in orders}
    with open_store(host) as store:
        try:
            ahead = _bases(orders, store) if len(orders) > 1 else dict.fromkeys(by_name)
        except ServerError as error:
            return dict.fromkeys(by_name, Failed(error))
        needed = needs(ahead)
        for name in (name for layer in layers(ahead) for name in layer):
            base = None
            match outcomes[needed[name]] if name in needed else None:
                case Succeeded(plan) if not plan.nothing_to_do:
                    base = plan
                case Failed():
                    outcomes[name] = Skipped(needed[name])
                    continue
                case Skipped() as skipped:
                    outcomes[name] = skipped
                    continue
                case _:
                    pass
            try:
                job = _job(by_name[name], store, base=base)
                if base and base.gives and job.pinned.base:
                    what = f"the base {base.name}, as it is to be built on {store.place},"
                    check_pin(what, job.pinned.base, base.gives, name)
                outcomes[name] = Succeeded(prepare(job, store, events))
            except ModelfileError as error:
                outcomes[name] = Failed(error)
    return outcomes


def build_one(order: Order, host: str | None, events: Events, approve: Approve) -> Built:
    """Build one model on one server.

    Raises:
        ModelfileError: It could not be built; the name is as it was.
    """
    from modelfile.builder.execute import build

    with open_store(host) as store:
        job = _job(order, store)
        built = build(job, store, _meanwhile(events), approve)
    _warn(job, built)
    return built


def _meanwhile(events: Events) -> Events:
    """While much is hashed, import what will send it: 100 ms that are over then."""
    begun = False

    def hear(now: Progress) -> None:
        nonlocal begun
        if not begun and now.total >= _MUCH:
            begun = True
            Thread(target=import_module, args=("modelfile.stores.ollama.client",), daemon=True).start()
        events(now)

    return hear


def build_project(
    orders: list[Order], host: str | None, events: Events, approve: Approve
) -> Mapping[ModelName, Outcome[Built]]:
    """Build all models of a project on one server, each after what it is FROM, independent ones side by side.

    If it is known ahead that the lock refuses one of them, none is built: they belong together.

    Raises:
        UsageError: They go in a circle.
    """
    from modelfile.builder.scheduler import Failed, build_all, refused

    if any(find_lock(order.path.parent) for order in orders):
        planned = plans(orders, host, events)
        if without := refused({order.name: planned[order.name] for order in orders}):
            return without
    by_name = {order.name: order for order in orders}

    def build(name: ModelName, interrupted: Event) -> Built:
        def hear(now: Progress) -> None:
            if interrupted.is_set():
                raise KeyboardInterrupt
            events(replace(now, status=f"{name}: {now.status}"))

        return build_one(by_name[name], host, hear, approve)

    try:
        with open_store(host) as store:
            ahead = _bases(orders, store)
    except ServerError as error:
        return dict.fromkeys(by_name, Failed(error))
    return build_all(ahead, build)


def _job(order: Order, store: Store, base: Plan | None = None) -> Job:
    from modelfile.builder.execute import Job

    recipe = order.recipe(store)
    if order.quantize:
        from modelfile.catalog.versions import release
        from modelfile.weights.checks import check_quantization

        named = store.find(ModelName.parse(recipe.base)) if recipe.base else None
        known = named.quantization if named else ""
        check_quantization(recipe.files, order.quantize, release(store.version()), base=recipe.base, base_type=known)
    return Job(name=order.name, recipe=recipe, pinned=_pinned(order, recipe), keep=order.keep, base=base)


def _pinned(order: Order, recipe: Recipe) -> Pinned:
    """What the lock says of a build, as far as it is about what the Modelfile says now."""
    from modelfile.builder.plan import NOTHING_PINNED, Pinned

    pin, lock = find_pin(order.path), find_lock(order.path.parent)
    if pin is None or lock is None:
        return NOTHING_PINNED
    from modelfile.lock.resolve import Entry

    entry = Entry(root=lock.parent, path=order.path, modelfile=order.modelfile)
    files = {path: pin.files[name] for path in recipe.local_files if (name := entry.portable(path)) in pin.files}
    model = pin.fingerprint if not order.quantize and _as_pinned(entry, pin) else None
    if (ground := pin.ground) is None:
        return Pinned(files=files, model=model, version=pin.ollama)
    if recipe.base and ModelName.parse(ground.name).same_as(ModelName.parse(recipe.base)):
        maker = pin.project_base.modelfile if pin.project_base else ""
        return Pinned(base=ground.fingerprint, maker=maker, files=files, model=model)
    return Pinned(files=files)


def _as_pinned(entry: Entry, pin: Pin) -> bool:
    """Whether a Modelfile and its files are as the lock has them."""
    from modelfile.lock.schema import Lock
    from modelfile.lock.verify import drift_of_files

    return not any(drift_of_files(entry, Lock(modelfiles={entry.key: pin})))


def _warn(job: Job, built: Built) -> None:
    from modelfile.recipe.model import fingerprint

    pinned, version = job.pinned, built.plan.version
    if pinned.version and pinned.version != version and pinned.model not in (None, fingerprint(built.made.model)):
        print_warning(f"Ollama {version} makes something else of these weights than the {pinned.version} of mf.lock")
