"""Files of other kinds under the name of a Modelfile: one finding says what the file is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from modelfile.diagnostics import Finding
from modelfile.source import Source, Span
from modelfile.syntax.nodes import Adapter, Instruction, Message, Node, Parameter, System, Template, Unknown

_LONGEST_START: Final = 2000
"""Characters at the start of a file that show its kind."""
_DOCKERFILE: Final = frozenset(
    "ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL MAINTAINER RUN SHELL USER VOLUME WORKDIR".split()  # noqa: SIM905  # words
)
_FEWEST: Final = 2
"""Lines of another language from which on a file is written in it."""
_STARTS: Final = (
    (r"GGUF[\x00-\x03\ufffd]", "GGUF weights", "write a Modelfile beside it: `FROM ./weights.gguf`"),
    (r"version https://git-lfs\.github\.com/spec/", "a pointer of Git LFS", "run `git lfs pull`"),
    (
        r"\s*<(?:!DOCTYPE\s+html|html|head|body)\b",
        "HTML, such as the page around a download",
        "download the file itself: on GitHub and Hugging Face, its raw file",
    ),
    (r"\s*<\?xml\b", "XML", "write one instruction on each line, as in `FROM llama3.2:3b`"),
    (
        r"\s*\{\s*(?:\"|\}|\Z)|\s*\[\s*(?:\{|\"|\]|\Z)",
        "JSON",
        "write one instruction on each line, as in `FROM llama3.2:3b`",
    ),
)
_PYTHON: Final = (
    r"(?m:^(?:import [\w.]+(?: as \w+)?|from [\w.]+ import [^\r\n]+|"
    r"(?:async )?def \w+\(.*|class \w+.*:|if __name__ ==.*"
    r"|print\(.*|\w+ = [\w.]+\(.*)[ \t]*$)"
)
_SHEBANG: Final = r"#![^\r\n]*\b(?:(?:ba|da|z|k)?sh|python[\d.]*|node|ruby|perl)\b"


def describe_foreign_file(source: Source, nodes: Sequence[Node]) -> Finding | None:
    """Return the finding on a file that is no Modelfile, at its first line; None if it may be one."""
    unknown = [node for node in nodes if isinstance(node, Unknown)]
    if not unknown:
        return None
    start = source.text[:_LONGEST_START]
    instructions = [node for node in nodes if isinstance(node, Instruction)]
    kind = hint = ""
    if not instructions:
        kind, hint = next(((kind, hint) for pattern, kind, hint in _STARTS if re.match(pattern, start)), ("", ""))
    own = (Parameter, System, Template, Message, Adapter)
    if not kind and not any(isinstance(node, own) for node in instructions):
        if sum(node.word.text in _DOCKERFILE for node in unknown) >= _FEWEST:
            kind, hint = "a Dockerfile", "build it with `docker build`; a Modelfile has FROM with a model, SYSTEM, …"
        elif len(re.findall(_PYTHON, start)) > _FEWEST:
            kind, hint = "Python", "write one instruction on each line, as in `FROM llama3.2:3b`"
        elif re.match(_SHEBANG, start):
            kind, hint = "a script", "run it, and lint the Modelfile that it writes"
    if not kind:
        return None
    end = re.match(r"[^\r\n]*", source.text)
    return Finding(Span(0, end.end() if end else 0), f"this file is {kind}, not a Modelfile", hint)
