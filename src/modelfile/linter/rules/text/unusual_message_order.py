"""Rule MF506."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Incomplete, Message
from modelfile.syntax.syntax_errors import ROLES


@rule("MF506", "unusual-message-order", on=Modelfile, severity=Severity.INFO)
def unusual_message_order(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The messages do not alternate between user and assistant.

    Ollama accepts MESSAGE in any order, and puts them before the user's first message. For a TEMPLATE, it joins two
    messages in a row with the same role into one, with an empty line between them, and joins a last one of the user
    with the user's first message. Models learn from conversations in which the user begins and the assistant answers,
    and the template that comes with the weights may reject anything else at the first request. A `system` message
    belongs before the others.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE user When is my bill due?
    MESSAGE assistant On the first of the month.
    MESSAGE user And where do I pay?
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    MESSAGE user When is my bill due?
    MESSAGE assistant On the first of the month.
    MESSAGE user And where do I pay?
    MESSAGE assistant In the customer center.
    ```
    """
    messages = modelfile.of_type(Message)
    if any(node.role.text not in ROLES or not node.value.closed for node in messages) or modelfile.of_type(Incomplete):
        return
    before = "system"
    for node in messages:
        role = node.role.text
        match before, role:
            case "user" | "assistant", "system":
                message = f"system message after a message of the {before}"
                yield Finding(node.role.span, message, "move it before the others")
            case "system", "assistant":
                hint = "write a message of the user before it; many models know no other beginning"
                yield Finding(node.role.span, "the conversation begins with the assistant", hint)
            case "user" | "assistant", _ if role == before:
                message = f"two {role} messages in a row: Ollama joins them into one"
                hint = "write a message of the other role between them, or make them one message"
                yield Finding(node.role.span, message, hint)
        before = role
    if before == "user":
        message = "the last message is the user's: Ollama joins it with the user's first message"
        yield Finding(messages[-1].role.span, message, "write the assistant's answer after it, or delete it")
