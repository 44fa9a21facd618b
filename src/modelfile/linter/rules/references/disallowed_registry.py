"""Rule MF211."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, looks_like_path, name_or_none, rule
from modelfile.names import registry_host
from modelfile.syntax.nodes import From


@rule("MF211", "disallowed-registry", on=From, severity=Severity.WARNING)
def disallowed_registry(base: From, context: Context) -> Iterator[Finding]:
    r"""The base comes from a registry that the project does not allow.

    The allowed hosts are `registries` in the configuration, as in `registries = ["registry.ollama.ai", "hf.co"]`;
    without that, nothing is reported. A name without a host is from `registry.ollama.ai`, and `huggingface.co` counts
    as `hf.co`. Local files come from no registry, so an empty list allows only them.

    ## Bad

    ```
    # Answers questions on billing.
    FROM models.example.org/team/llama3.2:3b
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    ```
    """
    written, allowed = base.value.text, context.registries
    if allowed is None or looks_like_path(written) or (context.exists and context.exists(written)):
        return
    name = name_or_none(written)
    if name and registry_host(name.host) not in map(registry_host, allowed):
        source = f"a model from {', '.join(f'`{host}`' for host in allowed)}" if allowed else "a local file"
        hint = f"use {source}, or add the host to `registries` in the configuration"
        yield Finding(base.value.span, f"registry not allowed: `{name.host}`", hint)
