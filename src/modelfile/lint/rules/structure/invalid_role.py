"""Rule MF108."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.nodes import Message

_ROLES = ("system", "user", "assistant")


@rule("MF108", "invalid-role", on=Message, severity=Severity.ERROR)
def invalid_role(message: Message, context: Context) -> Iterator[Finding]:
    r"""The role of a MESSAGE is not `system`, `user` or `assistant`.

    Ollama takes these three, in lower case, behind exactly one blank.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE User When is my bill due?
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE user When is my bill due?
    ```
    """
    role = message.role.text
    if role in _ROLES:
        return
    if not role:
        yield Finding(message.role.span, "MESSAGE has two blanks before its role", "leave one of them")
    else:
        hint = f"write `{role.lower()}`" if role.lower() in _ROLES else f"Ollama takes {', '.join(_ROLES)}"
        yield Finding(message.role.span, f"`{role}` is not a role", hint)
