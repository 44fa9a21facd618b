"""Rule MF508."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, rule
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Comment

_FEWEST_LETTERS: Final = 8
"""Number of letters below which a comment says too little; a wide letter, as of Chinese, counts as two."""


@rule("MF508", "missing-purpose", on=Modelfile, severity=Severity.INFO, default=False)
def missing_purpose(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""No comment says what the model is for.

    Anyone who finds the file in a year wants to know which application it serves and why its numbers are what they
    are. One line at the top is enough, in any language; a word such as `# bot` is not. This rule is off unless you
    select it, as with `extend-select = ["missing-purpose"]`.

    ## Bad

    ```
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```

    ## Good

    ```
    # Answers questions on billing; cautious, because customers act on it.
    FROM llama3.2:3b
    PARAMETER temperature 0.2
    ```
    """
    comments = [node for node in modelfile.of_type(Comment) if not _is_directive(node)]
    longest = max(comments, key=lambda comment: _letters(comment.text), default=None)
    hint = "write one above FROM, such as `# Answers questions on billing.`"
    if longest is None:
        yield Finding(Span(0, 0), "missing comment on what this model is for", hint)
    elif _letters(longest.text) < _FEWEST_LETTERS:
        yield Finding(longest.span, "this comment says too little about what the model is for", hint)


def _is_directive(comment: Comment) -> bool:
    return comment.text.lower().startswith(("mf:", "fmt:"))


def _letters(text: str) -> int:
    """Return the number of letters in any script; wide ones count as two."""
    if text.isascii():
        return sum(map(str.isalpha, text))
    from unicodedata import east_asian_width  # 1 ms that ASCII saves

    return sum(1 + (east_asian_width(character) in "WF") for character in text if character.isalpha())
