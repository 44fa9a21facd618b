"""`mf show` of weights: their facts, chat template and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelfile.cli.options import load_project, open_registry
from modelfile.cli.show.sources import (
    Options,
    WeightsOptions,
    names_local_weights,
    names_repository,
    open_model,
    recipe_of,
    target_of,
)
from modelfile.errors import ExitCode, InputError, UsageError
from modelfile.names import Prefix, split_prefix
from modelfile.report.json_output import print_json
from modelfile.report.progress import progress
from modelfile.report.terminal import current
from modelfile.report.weights import (
    describe_template,
    print_tensors,
    print_values,
    print_weights,
    template_as_json,
    tensor_as_json,
    weights_as_json,
)
from modelfile.weights.reading import Weights, read_files, read_weights

if TYPE_CHECKING:
    from modelfile.weights.header import Tensor
    from modelfile.weights.tensor_values import TensorValues


@contextmanager
def open_weights(name: str, options: Options) -> Iterator[tuple[Weights, ...]]:
    """Yield the weights that an argument names: of a file, a folder, a registry, a model, or those of a Modelfile.

    Raises:
        UsageError: The store does not tell what the weights of its models are.
    """
    prefix, rest = split_prefix(name)
    if names_local_weights(name):
        if not (path := Path(rest)).exists():
            raise InputError(f"file not found: `{rest}`")
        yield read_weights(path)
    elif prefix is Prefix.REGISTRY or names_repository(name, options):
        from modelfile.library.published_weights import published_weights

        with open_registry(load_project().config) as registry:
            yield published_weights(rest, registry)
    elif target := target_of(name, options):
        recipe = recipe_of(target, None)
        own = read_files([*dict.fromkeys((*recipe.model_files, *recipe.adapters))])
        if recipe.base:
            with open_weights(recipe.base, options) as found:
                yield (*found, *own)
        else:
            yield own
    else:
        with open_model(name, options) as (stored, store):
            if not (found := store.weights(stored) if store else ()):
                raise UsageError(f"cannot read the weights of {stored.name}", hint="pass the path of a GGUF file")
            yield found


def show_weights(name: str, options: Options, wanted: WeightsOptions) -> None:
    """Print weights, or what an option names of them.

    Raises:
        UsageError: The options do not go together, or with these weights.
    """
    terminal = current.get()
    if wanted.values and not wanted.tensors:
        raise UsageError("--values needs --tensors")
    if wanted.template and (wanted.tensors or wanted.sha256):
        raise UsageError("--template cannot be used with --tensors or --sha256")
    with open_weights(name, options) as found:
        _warn_of_defects(found)
        if wanted.template:
            _print_template(found, as_json=wanted.as_json)
            return
        if wanted.values and not all(each.files and each.header for each in found):
            raise UsageError("--values needs a GGUF file on this machine", hint="pass the path of the file")
        digests = [_digests(each) if wanted.sha256 else () for each in found]
        if wanted.as_json:
            documents = [_as_json(each, own, wanted) for each, own in zip(found, digests, strict=True)]
            print_json({"weights": documents}, terminal)
            is_bad = any(map(_has_bad_values, documents))
        else:
            is_bad = False
            for number, (each, own) in enumerate(zip(found, digests, strict=True)):
                if number:
                    terminal.print()
                is_bad |= _print(each, own, wanted)
    if is_bad:
        terminal.print_warning("some values are no finite numbers: the model would answer nonsense")
    if is_bad | (wanted.tensors and _warn_of_gaps(found, wanted)):
        raise SystemExit(ExitCode.FINDINGS)


def _warn_of_defects(found: Sequence[Weights]) -> None:
    for each in found:
        if each.header and each.header.defect:
            message = f"`{each.name}` is corrupt, and Ollama does not load it: {each.header.defect}"
            current.get().print_warning(message, "download or convert it again")


def _warn_of_gaps(found: Sequence[Weights], wanted: WeightsOptions) -> bool:
    """Warn of tensors that are not listed, or whose values are not read; return whether values are not read."""
    terminal, is_truncated = current.get(), False
    for each in found:
        if each.missing:
            terminal.print_warning(
                f"`{each.name}` is listed without {each.missing}", "download all parts into one folder"
            )
        if wanted.values and (each.facts.size or 0) < (each.facts.needed or 0):
            terminal.print_warning(f"`{each.name}` is truncated: some values are not read", "download it again")
            is_truncated = True
    return is_truncated


def _print(weights: Weights, digests: Sequence[str], wanted: WeightsOptions) -> bool:
    """Print one of the weights; return whether some of its values are not finite."""
    terminal = current.get()
    if not wanted.tensors or digests:
        print_weights(weights.name, weights.facts, terminal, missing=weights.missing, digests=digests)
    elif wanted.values:
        rows = _read_values(weights)
        print_values(rows, terminal)
        return any(values.nan or values.infinite for _, values in rows)
    if wanted.tensors:
        print_tensors([*weights.tensors()], terminal)
    return False


def _as_json(weights: Weights, digests: Sequence[str], wanted: WeightsOptions) -> dict[str, Any]:
    tensors = None
    if wanted.values:
        tensors = [tensor_as_json(tensor, values) for tensor, values in _read_values(weights)]
    elif wanted.tensors:
        tensors = [tensor_as_json(tensor) for tensor in weights.tensors()]
    return weights_as_json(weights.name, weights.facts, missing=weights.missing, digests=digests, tensors=tensors)


def _has_bad_values(document: Mapping[str, Any]) -> bool:
    counts = [tensor.get("values") for tensor in document.get("tensors", ())]
    return any(each and (each["nan"] or each["infinite"]) for each in counts)


def _read_values(weights: Weights) -> list[tuple[Tensor, TensorValues]]:
    with progress("reading values", current.get()) as events:
        return [*weights.values(events)]


def _digests(weights: Weights) -> Sequence[str]:
    """Return the digests of weights, which are computed if nobody tells them, and cached."""
    if weights.digests or not weights.files:
        return weights.digests
    from modelfile.weights.digests import digests_of

    with progress("hashing", current.get()) as events:
        return [*digests_of(weights.files, events).values()]


def _print_template(found: Sequence[Weights], *, as_json: bool) -> None:
    """Print the chat template of a model, in Jinja, and to standard error what Ollama makes of it."""
    terminal = current.get()
    models = [each for each in found if each.facts.kind == "model"] or found
    if len(models) > 1:
        names = ", ".join(f"`{each.name}`" for each in models)
        raise UsageError(f"--template needs one model, not {len(models)}: {names}", hint="pass the path of one file")
    template = models[0].facts.chat_template
    if not template:
        if template is None:
            hint = f"`mf show {models[0].name}` prints the TEMPLATE that the server uses"
            raise InputError(f"a server does not show the chat template of `{models[0].name}`", hint=hint)
        raise InputError(f"`{models[0].name}` has no chat template", hint="write a TEMPLATE into the Modelfile")
    if as_json:
        print_json(template_as_json(template), terminal)
        return
    terminal.print_note(describe_template(template))
    terminal.write_without_commands(template if template.endswith("\n") or not terminal.is_tty() else f"{template}\n")
