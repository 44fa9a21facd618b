"""Rule MF103."""

from __future__ import annotations

from collections.abc import Iterator

from modelfile.diagnostics import Finding, Severity
from modelfile.lint.rule import Context, rule
from modelfile.syntax.nodes import WORDS, Headless, Modelfile, Unknown

_EXAMPLES = {"PARAMETER": "PARAMETER temperature 0.7", "MESSAGE": "MESSAGE user Hello!"}


@rule("MF103", "missing-argument", on=Modelfile, severity=Severity.ERROR)
def missing_argument(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""An instruction has no value, or a PARAMETER or MESSAGE no name or role.

    Ollama wants a blank behind every instruction word, and behind the name of a parameter and the role of a
    message. At the end of a line it reads on and gives up, sometimes a line later than the fault.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    for node in modelfile.nodes:
        match node:
            case Headless(keyword=keyword, rest=rest, span=span):
                word = keyword.text.strip().upper()
                part = "name" if word == "PARAMETER" else "role"
                if not rest.text:
                    yield Finding(span, f"{word} has no {part}", f"write `{_EXAMPLES[word]}`")
                elif rest.text.isidentifier():
                    yield Finding(span, f"{word} {rest.text} has no value", f"write `{word} {rest.text} …` on one line")
                else:
                    hint = f"put one blank behind the {part}, and nothing else: `{_EXAMPLES[word]}`"
                    yield Finding(rest.span, f"`{rest.text}` does not begin with a {word.lower()}'s {part}", hint)
            case Unknown(word=word, rest=rest, span=span) if word.text.upper() in WORDS and not rest.text:
                yield Finding(span, f"{word.text.upper()} has no value", "write it on the same line, behind a blank")
