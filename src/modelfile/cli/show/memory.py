"""`mf show --memory`: the memory that a model needs, and whether it fits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from modelfile.catalog import engines
from modelfile.catalog.versions import NEWEST, Version, release
from modelfile.cli.options import load_project
from modelfile.cli.show.sources import Options, name_only, names_weights, open_model, recipe_of, target_of
from modelfile.cli.show.weights import open_weights
from modelfile.errors import InputError, NotFound, ServerUnreachable, UsageError
from modelfile.immutable import replace
from modelfile.machine import Machine, find_machine, format_memory, parse_memory
from modelfile.names import Prefix, split_prefix
from modelfile.report.json_output import print_json
from modelfile.report.memory import ShownMemory, memory_as_json, print_memory
from modelfile.report.terminal import current
from modelfile.weights.conversion import converted_header
from modelfile.weights.estimate import estimate
from modelfile.weights.footprint import Runner
from modelfile.weights.reading import read_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from modelfile.weights.header import GGUFHeader
    from modelfile.weights.reading import Weights

THIS_MACHINE: Final = "here"
"""The value of --memory without an amount."""


def show_memory(name: str, options: Options, size: str, *, as_json: bool) -> None:
    """Print the memory that a model needs, and whether it fits into an amount of memory, or into this machine.

    Raises:
        UsageError: The amount is not valid.
        InputError: The weights are of another format, of which the memory is not known.
    """
    machine = Machine(memory=None) if size != THIS_MACHINE else find_machine(current.get().environ)
    asked = parse_memory(size) if size != THIS_MACHINE else None
    memory, place, note, reserve = _memory(machine, asked, size)
    found, parameters, version = _model(name, options)
    context, origin = _context(parameters, version, asked or machine.gpu_memory)
    runner = Runner(version=version, reserve=reserve)
    models = [each for each in found if each.facts.kind == "model"] or found
    beside = [_header(each) for each in found if each not in models]
    documents = []
    for number, each in enumerate(models):
        needed = estimate(_header(each), context, memory, runner, beside, each.tensors() if each.header else ())
        lowered = f", lowered from {context:,} to what it was trained on" if needed.needed.context < context else ""
        shown = ShownMemory(
            name=each.name, facts=each.facts, estimate=needed, origin=origin + lowered, place=place, note=note
        )
        if as_json:
            documents.append(memory_as_json(shown))
            continue
        if number:
            current.get().print()
        print_memory(shown, current.get())
    if as_json:
        print_json({"models": documents}, current.get())


def _header(weights: Weights) -> GGUFHeader:
    """Return the header of weights that are whole.

    Raises:
        InputError: Parts of them are missing, or they are an adapter that Ollama converts first.
    """
    if weights.missing:
        message = f"cannot tell the memory of `{weights.name}` without {weights.missing}"
        raise InputError(message, hint="download all parts into one folder")
    if weights.header is None and weights.facts.kind == "adapter":
        message = f"cannot tell the memory of `{weights.name}`: Ollama converts {weights.facts.format} first"
        raise InputError(message, hint="build a model of it, and pass the name of the model")
    return weights.header or converted_header(weights)


def _memory(machine: Machine, asked: int | None, size: str) -> tuple[int, str, str, int]:
    """Return an amount of memory, its name, a remark about it, and what Ollama leaves free of it."""
    if asked:
        return asked, f"--memory {size}", "", engines.GPU
    if machine.memory is None:
        raise UsageError("cannot tell the memory of this machine", hint="pass an amount, as in `--memory 24G`")
    if machine.is_unified:
        return machine.memory, "RAM of this machine, which its GPU shares", "", engines.METAL
    if not machine.gpus:
        return machine.memory, "RAM of this machine; no GPU found", "", engines.CPU
    note = f"layers that do not fit into the GPU run on the CPU, slowly: {format_memory(machine.memory)} of RAM"
    return machine.gpu_memory, ", ".join(gpu.name for gpu in machine.gpus), note, engines.GPU


def _model(name: str, options: Options) -> tuple[tuple[Weights, ...], Mapping[str, Any], Version]:
    """Return the weights that an argument names, with the model's parameters and the version that runs it."""
    configured = load_project().config.ollama
    version = Version.parse(configured) if configured else None
    if names_weights(name, options):
        return _weights(name, options), {}, version or NEWEST
    if split_prefix(name)[0] is Prefix.REGISTRY:
        with open_model(name, options) as (stored, _):
            return _weights(name, options), stored.model.parameters, version or NEWEST
    if target := target_of(name, options):
        recipe = recipe_of(target, version)
        if recipe.base is None:
            return _weights(name, options), recipe.parameters, version or NEWEST
        found, inherited, base_version = _model(recipe.base, options)
        return (*found, *read_files(recipe.adapters)), {**inherited, **recipe.parameters}, version or base_version
    try:
        with open_model(name, options) as (stored, store):
            if not (weights := store.weights(stored) if store else ()):
                raise UsageError(f"cannot read the weights of {stored.name}", hint="pass the path of a GGUF file")
            if stored.model.adapters and all(each.facts.kind != "adapter" for each in weights):
                message = f"the adapter of {stored.name} is not counted, as a server does not tell its size"
                current.get().print_warning(message, "pass the Modelfile, or name the server's folder with --store")
            served = release(store.ollama) if store else None
            return weights, stored.model.parameters, served or version or NEWEST
    except (ServerUnreachable, NotFound) as error:
        return (name_only(name, error, " --memory"),), {}, version or NEWEST


def _weights(name: str, options: Options) -> tuple[Weights, ...]:
    """Return the weights that an argument names, with tensors that need no registry any more."""
    with open_weights(name, options) as found:
        return tuple(
            replace(each, list_tensors=partial(tuple, [*each.tensors()])) if each.list_tensors else each
            for each in found
        )


def _context(parameters: Mapping[str, Any], version: Version, gpu_memory: int) -> tuple[int, str]:
    """Return the tokens of the context, and their origin."""
    stated = parameters.get("num_ctx")
    if isinstance(stated, int | float) and float(stated).is_integer() and stated > 0:  # servers return floats
        return int(stated), "PARAMETER num_ctx of the model"
    found = f" with {format_memory(gpu_memory)} of GPU memory" if gpu_memory else " without a GPU"
    return engines.default_context(version, gpu_memory), f"default of Ollama {version}{found}"
