"""Rule MF619."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, local_headers, model_header, no_folder, rule
from modelfile.linter.rules.parameters import effective_numbers
from modelfile.syntax.modelfile import Modelfile


@rule("MF619", "does-not-fit", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def does_not_fit(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The model needs more memory than the machine that is to run it has.

    Ollama then moves layers to the CPU, which makes answers many times slower, or cannot load the model. What a model
    needs grows with its context: `num_ctx`, or what Ollama chooses by the memory of the GPU.

    The rule only runs if mf.toml has `memory`, as in `memory = "24G"`, and reads the header of local GGUF files. Where
    the cache of an architecture is not known, only the weights count. `mf show --memory` prints each term.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./long.gguf
    PARAMETER num_ctx 131072
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./long.gguf
    PARAMETER num_ctx 8192
    ```
    """
    base, header = last_from(modelfile), model_header(modelfile, context) if context.memory else None
    if base is None or header is None or context.memory is None:
        return
    from modelfile.catalog.engines import default_context  # few projects set `memory`
    from modelfile.machine import format_memory
    from modelfile.weights.footprint import Runner, footprint, largest_context

    runner = Runner(version=context.ollama.version)
    beside = [other for other in local_headers(modelfile, context).values() if other is not header]
    given = effective_numbers(modelfile, context).get("num_ctx")
    size = int(given[0]) if given else default_context(runner.version, context.memory)
    needed = footprint(header, size, runner, beside)
    if needed.least <= context.memory:
        return
    longest = largest_context(header, context.memory, runner, beside)
    at_least = "" if needed.total else "at least "
    message = f"with a context of {needed.context:,} tokens, the model needs {at_least}{format_memory(needed.least)}"
    if longest:
        hint = f"write `PARAMETER num_ctx {longest}` or less"
    else:
        hint = "use a smaller quantization, or a smaller model"
    span = given[1].value.span if given and longest else base.value.span
    yield Finding(span, f"{message}, but `memory` is {format_memory(context.memory)}", hint)
