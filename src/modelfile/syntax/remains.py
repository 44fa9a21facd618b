"""Remains of other programs between the lines of a Modelfile: merge conflicts, Markdown, shells and consoles."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, TypeAlias

from modelfile.diagnostics import Edit, Finding, Fix
from modelfile.source import Source, Span
from modelfile.syntax.nodes import WORDS, Comment, Instruction, License, Message, Node, System, Template, Unknown

Named: TypeAlias = tuple[str, Finding]
"""The name of a rule, and its finding."""

OPENING: Final = "<<<<<<<"
DIVIDER: Final = "======="
CLOSING: Final = ">>>>>>>"
_BASE: Final = "|||||||"
_MARKERS: Final = (OPENING, DIVIDER, CLOSING, _BASE)
_FENCES: Final = ("```", "~~~")
_HEREDOC: Final = re.compile(r"<<-?\s*[\"']?(\w+)[\"']?")
_HEREDOC_COMMAND: Final = r"(?:[$#%>]\s*)?(?:sudo\s+)?(?:cat|tee)\b[^\r\n]*<<"
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_TEXTS: Final = (System, Template, License, Message)
_SHOWN: Final = 40

# Compiled on use, for few Modelfiles have such lines.
_COMMANDS: Final = (
    r"(?:sudo\s+)?(?:ollama\s+(?:create|run|pull|push|serve|show|list|ls|rm|cp|ps|stop|start)\b|docker\s+\w|curl\s+\S"
    r"|wget\s+\S|git\s+(?:clone|pull|add|commit|push|checkout|lfs)\b|pip3?\s+install|huggingface-cli\s|hf\s+download"
    r"|brew\s+install|apt(?:-get)?\s+\w|conda\s+\w|npm\s+\w"
    r"|cat\s*[<>]|cat\s.*<<|cat\s+\S*[./]\S*|tee\s+\S"
    r"|echo\s+[\"'$>]|cd\s+[~./\w]\S*$|mkdir\s+\S|export\s+\w+=|chmod\s+\S"
    r"|python3?\s+\S+\.py|bash\s+\S|sh\s+\S|source\s+\S+$"
    r"|nano\s+\S|vim?\s+\S|touch\s+\S|ls(?:\s+-\w+)*$|rm\s+-|cp\s+\S+\s+\S+$|mv\s+\S+\s+\S+$|make(?:\s+\w+)?$|\./\S+\.sh\b"
    r"|(?:Get|Set|Add)-Content\b|Out-File\b|Invoke-\w+|type\s+\S+\.\S+$|systemctl\s|export\s+OLLAMA_)"
)
_PROMPTS: Final = (
    r"(?:\$\s+\S|PS(?:\s+[A-Z]:\\[^>]*)?>|[A-Z]:\\[^>]*>|[\w.-]+@[\w.-]+[: ][^$#%]{0,80}[$#%](?:\s|$)|>>>(?:\s|$)"
    r"|[\u276f\u279c\xbb]\s|\(\w+\)\s*(?:[\w@.-]+\s*)?[$%]\s|%\s+ollama\b|sudo$|\$$)"
)
_LOGS: Final = (
    r"(?:transferring model data|gathering model components|copying file sha256:|parsing (?:GGUF|modelfile)"
    r"|looking for model|using (?:existing|already created) layer|creating new layer"
    r"|creating model (?:layer|system|from)|creating (?:parameter|template|system|license|config)s? layer"
    r"|writing (?:layer|manifest)|verifying sha256|removing any unused|success$|pulling (?:manifest|[0-9a-f]{12})"
    r"|quantizing\s|converting (?:model|adapter)|Error: "
    r"|time=\d{4}-|\[GIN\]\s|\d{4}/\d\d/\d\d \d\d:\d\d"
    r"|llama_model_load"
    r"|llm_load_|llama_\w+: |ggml_\w+: |level=\w+ |\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d|Successfully (?:built|created)"
    r"|(?:Downloading|Saving to|Resolving|Connecting to|HTTP request sent)\b.*(?:\d%|http|\.\.\.|:)"
    r"|send a message)"
)
_PATCHES: Final = r"(?:diff --git\s|index [0-9a-f]{7,}\.\.|--- [ab]/|\+\+\+ [ab]/|@@ -\d+)"
_EDITORS: Final = r"(?::w?q!?|:x|~|-- INSERT --|\^[XOGKC](?:\s.*)?)$"
_TAGS: Final = r"(?:_?EO[FMLTD]_?|HEREDOC|MODELFILE|_?END_?(?:OF_?(?:FILE|MODELFILE))?)$"
_SIGN: Final = r"(>{1,3}|\.{3}|[$%]|\d{1,4}[:.|)]?|[+-]|\*|•)\s*"
_PREFIX: Final = rf"{_SIGN}(?:{'|'.join(WORDS)})\s"
_KINDS: Final = (
    ("end of a heredoc", _TAGS),
    ("prefix", _PREFIX),
    ("shell prompt", _PROMPTS),
    ("shell command", _COMMANDS),
    ("command of the prompt of `ollama run`", r"/(?:set|show|load|save|bye|clear|help|\?)(?:\s|$)"),
    ("log line of a console", _LOGS),
    ("line of a patch", _PATCHES),
    ("line of an editor", _EDITORS),
)


def find_remains(source: Source, nodes: Sequence[Node]) -> dict[int, Named | None]:
    """Return the findings on unknown lines that other programs left, by the start of the line.

    A line that the finding of another line explains has None.
    """
    found: dict[int, Named | None] = {}
    unknown = [node for node in nodes if isinstance(node, Unknown)]
    if unknown and (script := _script(source, unknown)):
        return script
    if unknown:
        found |= _conflicts(source, unknown)
        found |= _fences(source, nodes, unknown)
        for owner, block in _blocks(nodes):
            found |= _heredoc(source, owner, block) or _foreign_lines(source, owner, block)
    return found


def _script(source: Source, unknown: Sequence[Unknown]) -> dict[int, Named | None]:
    """Return one finding for the lines of a script around the heredoc with the Modelfile."""
    if "<<" not in source.text:
        return {}
    first = next((node for node in unknown if re.match(_HEREDOC_COMMAND, _written(source, node))), None)
    tag = re.search(_HEREDOC, _written(source, first)) if first else None
    if first is None or tag is None:
        return {}
    after = [node for node in unknown if node.span.start > first.span.start]
    last = next((node for node in after if _written(source, node) == tag[1]), None)
    if last is None:
        return {}
    around = [node for node in unknown if not first.span.start < node.span.start < last.span.start]
    lines = [source.line_of(node.span.start) for node in (first, last)]
    message = f"this file is a shell script: the Modelfile is in its heredoc, lines {lines[0] + 1} to {lines[1] - 1}"
    edits = (
        Edit(Span(0, _whole_line(source, first).end), ""),
        Edit(Span(_whole_line(source, last).start, len(source.text)), ""),
    )
    whole = Span(first.span.start, last.span.end)
    finding = Finding(whole, message, "keep only these lines, or run the script", Fix(edits=edits))
    return dict.fromkeys((node.span.start for node in around), None) | {first.span.start: ("shell-remains", finding)}


def is_prefixed_from(source: Source, line: Unknown) -> bool:
    """Return whether an unknown line is a FROM behind a sign, such as a prompt, or its number."""
    written = _written(source, line)
    return "FROM" in written.upper() and re.match(rf"{_SIGN}FROM\s", written, re.IGNORECASE) is not None


def _written(source: Source, node: Node) -> str:
    return source.text[node.span.start : node.span.end]


def _conflicts(source: Source, unknown: Sequence[Unknown]) -> dict[int, Named | None]:
    """Return one finding for each merge conflict, at its first marker."""
    if not any(marker in source.text for marker in _MARKERS):
        return {}
    found: dict[int, Named | None] = {}
    markers: list[Unknown] = []
    for node in unknown:
        marker = next((marker for marker in _MARKERS if source.text.startswith(marker, node.span.start)), None)
        if marker is None or (not markers and marker in (DIVIDER, _BASE)):
            continue
        if marker == OPENING and markers:
            found |= _conflict(source, markers)
            markers = []
        markers.append(node)
        if marker == CLOSING:
            found |= _conflict(source, markers)
            markers = []
    return found | _conflict(source, markers)


def _conflict(source: Source, markers: Sequence[Unknown]) -> dict[int, Named | None]:
    if not markers:
        return {}
    lines = [source.line_of(node.span.start) for node in markers]
    finding = describe_conflict(Span(markers[0].span.start, markers[-1].span.end), lines)
    return dict.fromkeys((node.span.start for node in markers), None) | {
        markers[0].span.start: ("conflict-markers", finding)
    }


def describe_conflict(span: Span, lines: Sequence[int]) -> Finding:
    """Return the finding on a merge conflict whose markers are in these lines."""
    first, last = lines[0], lines[-1]
    if first == last:
        return Finding(span, "unresolved merge conflict: a conflict marker", "delete the line of the marker")
    message = f"unresolved merge conflict: lines {first} to {last} contain both versions"
    numbers = f"{', '.join(map(str, lines[:-1]))} and {last}"
    return Finding(span, message, f"keep one version, and delete the markers in lines {numbers}")


def _fences(source: Source, nodes: Sequence[Node], unknown: Sequence[Unknown]) -> dict[int, Named | None]:
    """Return a finding for each Markdown fence around a Modelfile, or between its instructions."""
    fences = [node for node in unknown if source.text.startswith(_FENCES, node.span.start)]
    if not fences:
        return {}
    first = next(node for node in nodes if not isinstance(node, Comment))
    opens = first is fences[0]
    found = [node for node in fences if opens and node in (fences[0], fences[-1])]
    owners = {block[0].span.start: owner for owner, block in _blocks(nodes)}
    found += [
        node
        for node in fences
        if node not in (fences[0], fences[-1]) or not opens
        if (node.span.start in owners and not isinstance(owners[node.span.start], _TEXTS)) or node is nodes[-1]
    ]
    lines: dict[int, Named | None] = {}
    for node in found:
        lines |= _merged(source, [node], "Markdown fence")
    return lines


def _merged(source: Source, lines: Sequence[Unknown], kind: str) -> dict[int, Named | None]:
    """Return one finding for several lines of one kind."""
    if not lines:
        return {}
    first = lines[0]
    numbers = [source.line_of(node.span.start) for node in lines]
    if len(numbers) == 1:
        where = f": `{_short(_written(source, first))}`" if kind != "Markdown fence" else ""
    elif numbers[-1] - numbers[0] == len(numbers) - 1:
        where = f"s in lines {numbers[0]} to {numbers[-1]}"
    else:
        where = f"s in lines {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
    kinds = kind.replace("line of", "lines of") if len(numbers) > 1 else kind
    message = f"unexpected {kinds}{where if kinds == kind else where[1:]}"
    hint = f"delete {'it' if len(numbers) == 1 else 'them'}: the file must contain only the Modelfile"
    edits = tuple(Edit(_whole_line(source, node), "") for node in lines)
    return dict.fromkeys((node.span.start for node in lines), None) | {
        first.span.start: (
            "shell-remains",
            Finding(Span(first.span.start, lines[-1].span.end), message, hint, Fix(edits=edits)),
        )
    }


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _whole_line(source: Source, node: Unknown) -> Span:
    end = _REST_OF_LINE.match(source.text, node.span.end)
    return Span(source.line_start(node.span.start), end.end() if end else node.span.end)


def _blocks(nodes: Sequence[Node]) -> Iterator[tuple[Instruction | None, list[Unknown]]]:
    """Yield the runs of unknown lines, with the instruction above each; comments do not end a run."""
    owner: Instruction | None = None
    block: list[Unknown] = []
    for node in nodes:
        if isinstance(node, Unknown):
            block.append(node)
        elif not isinstance(node, Comment):
            if block:
                yield owner, block
            owner, block = (node if isinstance(node, Instruction) else None), []
    if block:
        yield owner, block


def _heredoc(source: Source, owner: Instruction | None, block: Sequence[Unknown]) -> dict[int, Named | None]:
    """Return the finding on a text that is written as a heredoc of a shell, for its lines."""
    start = _HEREDOC.fullmatch(owner.value.text) if isinstance(owner, _TEXTS) else None
    if owner is None or start is None:
        return {}
    word = owner.keyword.text.strip().upper()
    last = next((node for node in block if _written(source, node) == start[1]), None)
    lines = [node for node in block if last is None or node.span.start <= last.span.start]
    message = f"a Modelfile has no heredocs: the text of {word} is `{owner.value.text}`, and ended on its line"
    hint = f'put the text in triple quotes: {word} """…"""'
    span = Span(owner.value.span.start, lines[-1].span.end)
    return dict.fromkeys((node.span.start for node in lines), None) | {
        lines[0].span.start: ("unexpanded-reference", Finding(span, message, hint))
    }


def _foreign_lines(source: Source, owner: Instruction | None, block: Sequence[Unknown]) -> dict[int, Named | None]:
    kinds = [_kind(_written(source, node)) for node in block]
    if not any(kinds) or (isinstance(owner, _TEXTS) and not all(kinds)):  # a text that continues
        return {}
    found: dict[int, Named | None] = {}
    run: list[Unknown] = []
    kind = ""
    for node, own in zip(block, kinds, strict=True):
        if own == kind or (kind == "shell command" and own == "log line of a console"):
            run.append(node)
            continue
        found |= _run(source, run, kind)
        run, kind = [node], own
    return found | _run(source, run, kind)


def _run(source: Source, run: Sequence[Unknown], kind: str) -> dict[int, Named | None]:
    if not kind or not run:
        return {}
    if kind == "prefix":
        return _prefixed(source, run)
    return _merged(source, run, kind)


def _prefixed(source: Source, run: Sequence[Unknown]) -> dict[int, Named | None]:
    """Return a finding for each sign, or for line numbers, that lines begin with before the instruction."""
    starts = [re.match(_PREFIX, _written(source, node)) for node in run]
    found: dict[int, Named | None] = {}
    by_sign: dict[str, list[Span]] = {}
    for node, match in zip(run, starts, strict=True):
        if match:
            what = "line number" if match[1][0].isdigit() else f"`{match[1]}`"
            by_sign.setdefault(what, []).append(Span(node.span.start, node.span.start + len(match[1])))
    for what, spans in by_sign.items():
        more = f" and {len(spans) - 1} more" if len(spans) > 1 else ""
        edits = tuple(Edit(Span(span.start, _skip_space(source.text, span.end)), "") for span in spans)
        message = f"unexpected {what} before an instruction in line {source.line_of(spans[0].start)}{more}"
        finding = Finding(spans[0], message, "delete it: a line starts with its instruction", Fix(edits=edits))
        found |= dict.fromkeys((span.start for span in spans), None) | {spans[0].start: ("shell-remains", finding)}
    return found


def _skip_space(text: str, offset: int) -> int:
    while text[offset : offset + 1] in (" ", "\t"):
        offset += 1
    return offset


@cache
def _any_kind() -> re.Pattern[str]:
    """Return one pattern of all kinds, whose last group is named `k` and the number of the kind."""
    return re.compile("|".join(f"(?P<k{number}>{pattern})" for number, (_, pattern) in enumerate(_KINDS)))


def _kind(line: str) -> str:
    """Return the kind of a line that another program wrote; empty if none did."""
    match = _any_kind().match(line)
    return _KINDS[int(match.lastgroup[1:])][0] if match and match.lastgroup else ""
