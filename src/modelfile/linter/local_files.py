"""Local files that Ollama rejects, or makes a wrong model of: what `mf build` checks, found at its instruction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from modelfile.catalog.versions import Version
from modelfile.diagnostics import Severity
from modelfile.errors import InputError, ModelfileError, UsageError
from modelfile.filesystem import expand
from modelfile.immutable import replace
from modelfile.linter.rule import RejectedFile, last_from
from modelfile.linter.rules.references.wrong_file import BasesWritten, describe_misplaced
from modelfile.project.target import Target
from modelfile.recipe.recipe import files_at, reject_shared
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction
from modelfile.weights.checks import check_pair, check_weights, find_misplaced
from modelfile.weights.content_type import read_head, reject_content


def rejected_files(target: Target, named: Iterable[Instruction], version: Version) -> Iterator[RejectedFile]:
    """Yield the files that a Modelfile names and a version of Ollama cannot use, at most one for each instruction.

    Args:
        target: The Modelfile.
        named: The instructions in it that name an existing path, in order.
        version: The version of Ollama.
    """
    files: dict[Instruction, tuple[Path, ...]] = {}
    for instruction in named:
        try:
            files[instruction] = files_at(_path(target, instruction), version, target.project.stat)
            for file in files[instruction]:
                reject_content(file, read_head(file))
        except InputError as error:
            files.pop(instruction, None)
            yield _rejected(instruction, error)
    yield from _rejected_together(target, files, version)


def _rejected_together(
    target: Target, files: Mapping[Instruction, tuple[Path, ...]], version: Version
) -> Iterator[RejectedFile]:
    """Yield what is wrong with files that are fine by themselves, or only in one instruction."""
    bases, adapters, drafts = (
        [instruction for instruction in files if isinstance(instruction, kind)] for kind in (From, Adapter, Draft)
    )
    commands = [node for node in target.modelfile.nodes if isinstance(node, From)]
    if len(bases) < len(commands):  # a FROM names a model, which is the base, or has been reported
        bases = []

    def together(instructions: Iterable[Instruction]) -> tuple[Path, ...]:
        return tuple(dict.fromkeys(file for instruction in instructions for file in files[instruction]))

    checks: tuple[tuple[Sequence[Instruction], Callable[[], None]], ...] = (
        (bases, lambda: check_weights(together(bases), version=version)),
        (adapters[-1:], lambda: check_weights((), together(adapters[-1:]), version=version)),
        (drafts, lambda: check_weights((), drafts=together(drafts), version=version)),
        (drafts, lambda: reject_shared({_path(target, one) for one in bases}, {_path(target, one) for one in drafts})),
    )
    misplaced = find_misplaced(together(bases), together(adapters[-1:]))
    fit = bool(bases and adapters)
    for instructions, check in checks:
        try:
            check()
        except InputError as error:
            fit = False
            quoted = (one for one in instructions if any(f"`{file}`" in error.message for file in files[one]))
            instruction = next(quoted, instructions[-1])
            is_model = isinstance(instruction, Adapter) and "model" in map(misplaced.get, files[instruction])
            yield replace(_rejected(instruction, error), content="model" if is_model else "")
        else:
            yield from _misplaced_files(target, {one: files[one] for one in instructions}, misplaced)
    if fit:
        try:
            check_pair(together(bases), together(adapters[-1:]), version)
        except InputError as error:
            yield _rejected(adapters[-1], error)


def _misplaced_files(
    target: Target, files: Mapping[Instruction, tuple[Path, ...]], misplaced: Mapping[Path, str]
) -> Iterator[RejectedFile]:
    bases = BasesWritten.of(target.modelfile)
    for instruction, named in files.items():
        if isinstance(instruction, From | Adapter) and (found := next(filter(misplaced.__contains__, named), None)):
            written, in_folder = instruction.value.text, found != _path(target, instruction)
            if in_folder:
                written = f"{written.rstrip('/')}/{found.name}"
            content = misplaced[found]
            message, hint = describe_misplaced(written, content, bases)
            if in_folder:
                hint = f"name each file: `{'ADAPTER' if content == 'adapter' else 'FROM'} {written}`"
            yield RejectedFile(instruction=instruction, message=message, hint=hint, content=content)


def rejected_quantizations(target: Target, kinds: Iterable[str], version: Version) -> Iterator[RejectedFile]:
    """Yield the types that a version of Ollama cannot quantize the weights of a Modelfile to, at its FROM.

    It is a warning where `mf build --with llama-quantize` can.

    Args:
        target: The Modelfile, whose files are fine.
        kinds: The types.
        version: The version of Ollama.
    """
    base = last_from(target.modelfile)
    if base is None:
        return
    for kind in kinds:
        for here, severity in ((True, None), (False, Severity.WARNING)):
            try:
                target.check_quantization(kind, version, here=here)
            except UsageError as error:
                yield replace(_rejected(base, error), severity=severity)
                break
            except InputError:  # other rules report it
                return


def _path(target: Target, instruction: Instruction) -> Path:
    return expand(instruction.value.text, target.folder)


def _rejected(instruction: Instruction, error: ModelfileError) -> RejectedFile:
    hint = error.hint or "replace it with a file that Ollama can use"
    return RejectedFile(instruction=instruction, message=error.message, hint=hint, rule=error.rule)
