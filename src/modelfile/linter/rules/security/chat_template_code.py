"""Rule MF704."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from modelfile.diagnostics import Finding, Severity
from modelfile.linter.rule import Context, last_from, local_headers, no_folder, rule
from modelfile.syntax.modelfile import Modelfile

# Compiled on use: few Modelfiles name a file.
_INSIDE: Final = r"(?s)'(?:[^'\\]|\\.)*(?:'|\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\Z)|[%}]\}"
"""A string in a tag, or its end."""
_CODE: Final = (
    (r"__\w{1,40}__", "an attribute of Python's own"),
    (r"\|\s{0,8}attr\b", "attributes by name"),
    (r"(?<![\w.])(?:lipsum|cycler|joiner|self|request|config)\s{0,8}\.\s{0,8}_", "an attribute of Jinja's own"),
    (r"(?<![\w.])(?:os|sys|subprocess|builtins|importlib)\s{0,8}\.\s{0,8}\w", "a module of Python"),
    (r"(?<![\w.])(?:open|eval|exec|compile)\s{0,8}\(", "a function of Python"),
    (r"\A[-+]?\s{0,8}(?:import|include|extends|from)\b", "another file"),
)
"""Patterns of code in a tag, without its strings, and what it reaches for."""
_IN_BRACKETS: Final = r"\[\s{0,8}['\"](?:__\w|[^'\"\]]{0,40}\\(?:x5[fF]|u005[fF]|137))"
"""A name of Python's own as a subscript, maybe with escapes."""
_SIGNS: Final = (
    *("__", "attr", "import", "include", "extends", "from", "os.", "sys.", "subprocess", "builtins", "open", "eval"),
    *("exec", "compile", "\\x5", "\\u005", "\\137", "._", ". _"),
)
"""Texts of which a template with such code has one: a search for them is quicker than for code in its tags."""
_SHOWN: Final = 60
"""Characters of a tag that a message shows."""


@rule("MF704", "chat-template-code", on=Modelfile, severity=Severity.WARNING, cannot_decide=no_folder)
def chat_template_code(modelfile: Modelfile, context: Context) -> Iterator[Finding]:
    r"""The chat template inside the weights reaches for Python, or for files.

    A chat template is a program in Jinja. One that formats messages needs their fields, loops and conditions; one that
    reaches for `__class__`, `|attr`, `import` or `os` looks for a way out of the template, to run code of its author
    (CVE-2024-34359 in llama-cpp-python). Ollama does not run Jinja in Python, but other programs that read the same
    file do. Do not use weights of such a source.

    The rule reads the header of local GGUF files.

    ## Bad

    ```
    # Answers questions on billing.
    FROM ./attack.gguf
    ```

    ## Good

    ```
    # Answers questions on billing.
    FROM ./weights.gguf
    ```
    """
    base = last_from(modelfile)
    for header in local_headers(modelfile, context).values():
        chat = header.chat_template
        for whole, code in _tags(chat) if any(sign in chat for sign in _SIGNS) else ():
            found = next((what for pattern, what in _CODE if re.search(pattern, code)), None)
            if found is None and re.search(_IN_BRACKETS, whole):
                found = "an attribute of Python's own"
            if base and found:
                message = f"the chat template inside the weights reaches for {found}: `{_shorten(whole)}`"
                hint = "use weights of a source that you trust, and report these to it"
                yield Finding(base.value.span, message, hint)
                return


def _tags(chat: str) -> Iterator[tuple[str, str]]:
    """Yield what is inside each tag of a template, as it is and with its strings empty."""
    opening, inside, at = re.compile(r"\{[{%]"), re.compile(_INSIDE), 0
    while tag := opening.search(chat, at):
        pieces, at = [], tag.end()
        while (found := inside.search(chat, at)) and found[0][0] in "'\"":
            pieces.append(chat[at : found.start()])
            at = found.end()
        end = found.start() if found else len(chat)
        yield chat[tag.end() : end], "''".join((*pieces, chat[at:end]))
        at = end


def _shorten(code: str) -> str:
    line = " ".join(code.split()).replace("`", "'")
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"
