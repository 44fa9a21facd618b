"""Rule MF701."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.redaction import find_secrets
from modelfile.syntax.modelfile import Modelfile


@rule("MF701", "secret-in-text", on=Modelfile, severity=Severity.WARNING)
def secret_in_text(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The file contains a key or a password.

    Anyone who has the model can read it with `ollama show`, and anyone who talks to the model can make it repeat
    its prompt. A comment does not become part of the model, but it is in the repository. Remove the secret, and revoke
    it: others may have seen it.

    The rule knows the tokens of common services, private keys, passwords in URLs and after words such as "password is",
    card numbers and IBANs with a valid checksum. Placeholders and numbers that the text calls an example are not
    reported. Findings and diffs that `mf` prints show at most the first four characters of a secret.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Ask the billing service with api_key=7f3kQ9xT2mLw8Zr4VbNc
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM Ask the billing service through the tool that you are given.
    ```
    """
    for secret in find_secrets(modelfile.text):
        start = modelfile.text[secret.span.start : secret.span.start + secret.shown]
        hint = "remove it from the file, and revoke it: others may have seen it"
        yield Finding(secret.span, f"this looks like {secret.kind}: `{start}…`", hint)
