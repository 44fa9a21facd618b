"""Rule MF512."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, parser_findings, rule
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Instruction, License, Message, System, Template

_TEXTS: Final = (System, Template, License, Message)
_LONGEST: Final = 200
"""Number of characters from which on a value is a text."""
_ENDINGS: Final = r"(?:txt|md|markdown|rst|tmpl|tpl|template|jinja2?|j2|gotmpl|prompt|system|license)"
_SEGMENT: Final = r"[\w.@()\[\]-]+(?: [\w.@()\[\]-]+){0,3}"
_PATH: Final = (
    rf"(?:(?:\.{{1,2}}[/\\]|~[/\\]|[A-Za-z]:[/\\])(?:{_SEGMENT}[/\\]){{0,12}}|[/\\](?:{_SEGMENT}[/\\]){{1,12}})"
    rf"{_SEGMENT}"
)
_NAMED_FILE: Final = (
    rf"(?:[\w.-]+[/\\]){{0,8}}[\w.-]*\.{_ENDINGS}"
    r"|(?:[\w.-]+[/\\]){1,8}[\w.-]+\.(?:json|ya?ml|html?|xml|py|pdf)"
)
_FIRST: Final = frozenset("@$%`<{./\\~!#f")
_LAST: Final = re.compile(r"[\w)]\.\w{2,10}\Z")
_REFERENCES: Final = (
    ("a shell variable", r"\$\{?[A-Za-z_]\w*(?:[:%#/-][^}]{0,60})?\}?|%[A-Za-z_]\w*%|\$\{?env:\w+\}?"),
    ("a shell command", r"\$\(.{1,190}\)|`(?:cat|type|curl|head|tail|echo|less)\s.{1,180}`|\$\(<\s?\S+\)"),
    ("a heredoc of a shell", r"<<[-~]?\s*[\"']?\w+[\"']?"),
    ("a redirection of a shell", r"<\s*[\w./\\~-]+\.\w{1,10}"),
    ("an expression of a template engine", r"\{\{-?[^{}\n]{1,150}\}\}|<%=?.{1,150}%>|\{%.{1,150}%\}"),
    ("a path", rf"@(?:{_PATH}|[\w./\\~-]+)|file://\S+|file:\s?\S+|!?#?include:?\s+\S+|{_PATH}|{_NAMED_FILE}"),
)
_IN_ANSWER: Final = rf"\$\(cat\s.{{1,190}}\)|@\S+\.\w{{1,10}}|file://\S+|\.{{1,2}}/\S+\.{_ENDINGS}"
_IN_QUESTION: Final = rf"{_IN_ANSWER}|\$\{{?[A-Z_]{{4,}}\}}?"
_IN_MESSAGE: Final = MappingProxyType({"assistant": _IN_ANSWER, "user": _IN_QUESTION})
"""References in a message by role; others can be the message itself, as an answer that is a command."""
_INSERTED: Final = (
    r"\$\((?:cat|date|curl|whoami|hostname|git|head|tail|echo|pwd|type)\b[^()\n]{0,80}\)|\$\{[A-Z][A-Z0-9_]{2,40}\}"
)
_NAMED: Final = (
    r"(?:\b(?:such as|for example|for instance|e\.g\.|literal(?:ly)?)(?:[^.!?\n]|\.(?!\s)){0,80}"
    r"|\b(?:replace|substitute|fill in)\b(?:(?!\b(?:by|with)\b)[^.!?\n]){0,80}"
    r"|\b(?:keep|leave|preserve)\W+)\Z"
)
_BEFORE: Final = 100
"""Characters before a variable that may name it as an example."""
_ABOUT_SHELLS: Final = (
    r"\b(?:shell|bash|zsh|script\w*|docker\w*|env(?:ironment)?|variables?|terraform|yaml|makefile|terminal|placeholders?"
    r"|config\w*)\b"
)


@rule("MF512", "unexpanded-reference", on=Modelfile, severity=Severity.WARNING)
def unexpanded_reference(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""A text is only a reference that Ollama does not expand.

    Ollama reads the text of SYSTEM, TEMPLATE, LICENSE and MESSAGE from the Modelfile alone. It opens no file, and it
    knows no variables, commands or heredocs of a shell: with `SYSTEM ./prompt.txt` the model receives these characters
    as its prompt. Write the text itself, or let a script write the Modelfile.

    ## Bad

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM @prompts/billing.txt
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM llama3.2:3b
    SYSTEM You answer questions on billing.
    ```
    """
    reported = set()
    for found in parser_findings(modelfile, "unexpanded-reference"):
        reported.add(found.span.start)
        yield found
    for node in modelfile.of_type(_TEXTS):
        if node.value.closed and not (reported and node.value.span.start in reported):
            yield from _in_value(node, modelfile)


def _in_value(node: Instruction, modelfile: Modelfile) -> Iterator[Finding]:
    text, word = node.value.text, node.keyword.text.strip().upper()
    if kind := reference(node):
        reader = "text of the license is" if isinstance(node, License) else "model receives"
        message = f"{word} is only {kind}, which Ollama does not expand: the {reader} `{text}`"
        yield Finding(node.value.span, message, f'write the text itself: {word} """…"""')
        return
    if isinstance(node, System) and "$" in text and not re.search(_ABOUT_SHELLS, text, re.IGNORECASE):
        from modelfile.linter.prose import hide_code  # for few files

        prose = hide_code(text)
        found = (each for each in re.finditer(_INSERTED, prose) if not is_example(prose, each.start()))
        if match := next(found, None):
            span = modelfile.locate_span(node.value, *match.span())
            message = f"`{match[0]}` in {word} is not expanded: the model receives these characters"
            yield Finding(span, message, "write the text itself, or let a script write the Modelfile")


def is_example(text: str, start: int) -> bool:
    """Return whether the words before a variable name it as an example, or as a text that is to stay as it is."""
    return re.search(_NAMED, text[max(start - _BEFORE, 0) : start], re.IGNORECASE) is not None


def reference(node: Instruction) -> str | None:
    """Return the kind of reference that a whole value is, with its article; None if it is a text."""
    text = node.value.text
    if len(text) > _LONGEST or "\n" in text or not (text[:1] in _FIRST or _LAST.search(text)):
        return None
    said = _IN_MESSAGE.get(node.role.text) if isinstance(node, Message) else None
    if said and not re.fullmatch(said, text):
        return None
    for kind, pattern in _REFERENCES:
        is_own = isinstance(node, Template) and text.startswith("{")  # the rules on templates explain it
        if not is_own and re.fullmatch(pattern, text, re.IGNORECASE):
            return kind
    return None
