"""Quantized weights of a build: by the server, or beforehand by a program on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from shlex import quote

from modelfile.builder.constraints import check_pin, locked_base
from modelfile.catalog.versions import Version
from modelfile.errors import StaleLock, UsageError
from modelfile.events import Events, ignore
from modelfile.immutable import replace
from modelfile.lockfile.lock import Lock
from modelfile.names import ModelName
from modelfile.project.target import Target
from modelfile.recipe.recipe import Recipe
from modelfile.stores.protocol import Store
from modelfile.weights.digests import digests_of


def check_type(target: Target, recipe: Recipe, store: Store, version: Version | None, *, here: bool) -> None:
    """Reject a type that a server would reject after the upload, or with `here` llama-quantize.

    Raises:
        UsageError: It would.
        ServerError: The store cannot answer.
    """
    if here:
        if not recipe.base:  # `quantized` rejects a base
            target.check_quantization(target.quantize, version, here=True)
        return
    named = store.find(ModelName.parse(recipe.base)) if recipe.base else None
    locked = locked_base(target, recipe)  # the tag may have moved
    moved = named and locked and locked.fingerprint not in (None, named.fingerprint)
    known = named.quantization if named and not moved else ""
    target.check_quantization(target.quantize, version, base_type=known)


def quantized(
    target: Target,
    recipe: Recipe,
    digests: Mapping[Path, str],
    program: str,
    events: Events = ignore,
    *,
    locked: bool = False,
) -> tuple[Recipe, Mapping[Path, str], str]:
    """Return a recipe FROM the quantized weights in the place of its own, the digests of its files, and that of these.

    Args:
        target: The target, with the type.
        recipe: Its recipe.
        digests: `sha256:…` of every local file.
        program: The llama-quantize.
        events: Receives progress.
        locked: Whether the lock has to have the digest of the result.

    Raises:
        UsageError: It has no local weights in a single GGUF file.
        StaleLock: `locked` is given, and the lock does not have the result.
        VerificationError: The weights, or the result, differ from those in the lock.
    """
    from modelfile.weights.quantizer import quantize

    source, pin, kind = _source(target, recipe), target.pin, target.quantize.upper()
    if pin and (known := pin.files.get(target.portable(source))):
        check_pin(f"`{source}`", known, digests[source])
    result = quantize(source, digests[source], kind, program, events)
    digest = digests_of([result], events)[result]
    recorded = (pin.quantized or {}).get(kind) if pin else None
    if recorded:
        hint = f"use the {program} that made them, or delete `quantized` of `{target.key}` in mf.lock and build again"
        check_pin(f"`{source}` quantized to {kind} by {program}", recorded, digest, hint)
    elif locked:
        hint = "build it once without --locked, and commit mf.lock"
        raise StaleLock(f"mf.lock does not record `{source}` quantized to {kind}", hint=hint)
    files = tuple(result if path == source else path for path in recipe.files)
    made = {result if path == source else path: digest if path == source else of for path, of in digests.items()}
    return replace(recipe, files=files, quantize=""), made, digest


def _source(target: Target, recipe: Recipe) -> Path:
    """Return the file to quantize: the language model of a recipe."""
    from modelfile.weights.facts import content_of
    from modelfile.weights.gguf import recall_header

    if recipe.base:
        hint = "leave out --with: the server quantizes it" if recipe.quantize else None
        raise UsageError(f"--with needs local weights: `{target.path}` is FROM {recipe.base}", hint=hint)
    if any(path.suffix == ".safetensors" for path in recipe.files):
        folder = target.portable(recipe.files[0].parent)
        command = f"python convert_hf_to_gguf.py {quote(folder)} --outtype f16 --outfile model-f16.gguf"
        hint = f"convert them with llama.cpp, `{command}`, and write `FROM ./model-f16.gguf`"
        raise UsageError(f"--with needs a GGUF file: `{folder}` has safetensors", hint=hint)
    found = [path for path in recipe.files if content_of(recall_header(path)) == "model"]
    if len(found) != 1:
        hint = "merge them: `llama-gguf-split --merge FIRST.gguf MERGED.gguf`"
        raise UsageError(f"--with needs one GGUF file: `{target.path}` names {len(found)}", hint=hint)
    return found[0]


def record_quantized(built: Mapping[Target, str], events: Events = ignore) -> None:
    """Record the digests of quantized weights in the locks that list their types.

    Args:
        built: The digest of the quantized weights of each target that was built.
        events: Receives progress.

    Raises:
        InputError: A lock cannot be written.
    """
    for target, digest in built.items():
        kind, lock, pin = target.quantize.upper(), target.lock, target.pin
        if lock and pin and target.quantize in (pin.quantize or ()) and kind not in (pin.quantized or {}):
            lock.update(partial(_with_quantized, key=target.key, kind=kind, digest=digest), events)


def _with_quantized(lock: Lock, *, key: str, kind: str, digest: str) -> Lock:
    pin = lock.modelfiles[key]
    changed = replace(pin, quantized={**(pin.quantized or {}), kind: digest})
    return replace(lock, modelfiles={**lock.modelfiles, key: changed})
