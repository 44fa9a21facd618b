"""Rule MF322."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, base_family, last_from, looks_like_path, name_or_none, rule
from modelfile.names import DEFAULT_HOST, DEFAULT_NAMESPACE
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Parameter, Requires


@rule("MF322", "unset-context", on=Modelfile, severity=Severity.INFO)
def unset_context(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""`num_ctx` is not set, and Ollama chooses it by the memory of the machine.

    Up to 0.15.4, the default was 4096 tokens. Ollama 0.15.5 and later take 4096, 32768 or 262144, by the memory of the
    GPUs: the same Modelfile forgets early on one machine, and needs far more memory on another. Set what the model is
    for. The rule runs if the Modelfile is for such a version, by `ollama` in the configuration or by REQUIRES; not on
    models for embeddings, nor on bases that may set `num_ctx` themselves.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES 0.15.5
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    REQUIRES 0.15.5
    PARAMETER num_ctx 8192
    ```
    """
    base = last_from(modelfile)
    if base is None or not base.value.closed or not _leaves_choice(modelfile, context):
        return
    if any(node.name.text.lower() == "num_ctx" for node in modelfile.of_type(Parameter)):
        return
    written = base.value.text
    name = None if looks_like_path(written) else name_or_none(written)
    if name and (name.host, name.namespace) != (DEFAULT_HOST, DEFAULT_NAMESPACE) and not written.startswith("hf.co/"):
        return
    family = base_family(modelfile, context)
    if (
        "embed" in written.lower()
        or (family and family.capabilities == frozenset({"embedding"}))
        or (name and not family)
    ):
        return
    message = "`num_ctx` is not set: Ollama 0.15.5 and later choose it by the machine's memory"
    yield Finding(base.span, message, "write `PARAMETER num_ctx 8192`, or what your prompts and answers need")


def _leaves_choice(modelfile: Modelfile, context: Context) -> bool:
    """Return whether the Modelfile is certainly for a version that chooses the context."""
    if context.ollama.default("num_ctx") is not None:
        return False
    if context.ollama_is_given:
        return True
    requires = modelfile.last(Requires)
    if requires is None or not requires.value.closed:
        return False
    from modelfile.catalog.catalog import catalog
    from modelfile.catalog.versions import release

    version = release(requires.value.text)
    return version is not None and catalog(version).default("num_ctx") is None
