"""Rule MF612."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.catalog.versions import NEWEST
from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, model_header, no_folder, rule
from modelfile.linter.rules.weights import rejected
from modelfile.syntax.modelfile import Modelfile


@rule("MF612", "unsupported-architecture", on=Modelfile, severity=Severity.ERROR, cannot_decide=no_folder)
def unsupported_architecture(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""This version of Ollama cannot load the architecture of the weights.

    Ollama makes a model of weights of any architecture, and fails when it loads them ("unknown model architecture",
    measured on 0.9.3). Each release knows more of them: name yours as `ollama` in mf.toml or with `--ollama`. It is a
    warning for an architecture of which no release is known: it may be newer than this rule.

    Safetensors have to be converted first, for which Ollama knows fewer architectures; it rejects others after the
    upload. The rule reads `general.architecture` in the header of local GGUF files, and `architectures` in config.json.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./novel.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    yield from rejected(context, "unsupported-architecture")
    base, header = last_from(modelfile), model_header(modelfile, context)
    if base is None or header is None or not header.architecture:
        return
    from modelfile.catalog.architectures import ARCHITECTURES, LISTS_END  # most Modelfiles name no file

    if header.architecture not in ARCHITECTURES and context.ollama.version >= LISTS_END:
        message = f"no release of Ollama up to {NEWEST} is known to load the architecture `{header.architecture}`"
        hint = "build with a newer Ollama, or use weights of a known architecture, such as `llama`"
        yield Finding(base.value.span, message, hint, severity=Severity.WARNING)
