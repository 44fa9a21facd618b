"""What a rule is.

A rule is one function in a module of its name. It is given each node of one type, and yields findings: a place and
words. The engine adds code and severity, the report renders. Its docstring is its page: prose, then `## Bad` and
`## Good` with a Modelfile each; a test holds that Bad is reported and Good is not.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from modelfile.catalog.catalog import Catalog, catalog
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.errors import UsageError
from modelfile.linter.suppressions import Suppression
from modelfile.names import DEFAULT_HOST, ModelName
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Draft, From, Instruction, Node, Template

if TYPE_CHECKING:
    from modelfile.gotemplate.parser import Template as ParsedTemplate

_Subject = TypeVar("_Subject", bound=Node | Modelfile)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockStatus:
    """What the project's lock has for a Modelfile."""

    listed: bool = True
    """Whether it has anything."""
    current: bool = True
    """Whether the text is still the one that was pinned."""
    base: str | None = None
    """The base, as written when it was pinned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EscapedPath:
    """Where a path leads that leads out of the project."""

    target: str
    linked: bool
    """Whether a symbolic link does it; else the path itself says so."""
    refused: bool = False
    """Whether Ollama refuses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a rule may know besides the node."""

    modelfile: Modelfile
    exists: Callable[[str], bool] | None = None
    """Whether a path, as written in the Modelfile, exists; None where nobody can tell (standard input)."""
    weightless: Callable[[str], bool] | None = None
    """Whether a path, as written in the Modelfile, is a folder without weights; None where nobody can tell."""
    outside: Callable[[str], EscapedPath | None] | None = None
    """Where a path that exists, as written in the Modelfile, leaves the project; None where nobody can tell."""
    locked: LockStatus | None = None
    """None where there is no lock."""
    registries: tuple[str, ...] | None = None
    """The hosts that bases may come from; None: any."""
    formatted: Callable[[Modelfile], str] | None = None
    """What `mf fmt` makes of a Modelfile."""
    target: Catalog = field(default_factory=catalog)
    """What there is in the Ollama version that the Modelfile is for."""
    unused: tuple[Suppression, ...] = ()
    """The suppressions that silence nothing; known only once all other rules have run."""
    known: tuple[tuple[str, str], ...] = ()
    """The codes and names of all rules; where `idle` is known, too."""

    @property
    def pinned(self) -> str | None:
        """The base that the lock has for this Modelfile, as written."""
        return self.locked.base if self.locked else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A check with its names."""

    code: str
    name: str
    severity: Severity
    on: type
    default: bool
    """Whether `ALL` chooses it; else only its code, its name or a family does."""
    since: str
    """The first version of modelfile that has it."""
    cannot_decide: Callable[[Context], str | None] | None
    """Says why it cannot look, or not at everything. None: it always can, as it only looks at the Modelfile."""
    check: Callable[[Any, Context], Iterator[Finding]]

    @property
    def page(self) -> str:
        """What the rule is about, in Markdown."""
        return inspect.cleandoc(self.check.__doc__ or "")


_Check: TypeAlias = Callable[[_Subject, Context], Iterator[Finding]]


def rule(  # noqa: PLR0913  # what is said of a rule
    code: str,
    name: str,
    *,
    on: type[_Subject],
    severity: Severity,
    default: bool = True,
    since: str = "0.1.0",
    cannot_decide: Callable[[Context], str | None] | None = None,
) -> Callable[[_Check[_Subject]], Rule]:
    """Make a rule of a function. It is in force once `lint/rules/__init__.py` lists it."""
    return lambda check: Rule(
        code=code,
        name=name,
        severity=severity,
        on=on,
        default=default,
        since=since,
        cannot_decide=cannot_decide,
        check=check,
    )


def no_folder(context: Context) -> str | None:
    """Why a rule on files cannot look at what came without a folder."""
    return "standard input has no folder to look for files in" if context.exists is None else None


_PATH_ENDINGS: Final = (".gguf", ".safetensors", ".bin", ".pth")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_COMMENT: Final = re.compile(r"\s#.*", re.DOTALL)


def looks_like_path(text: str) -> bool:
    """Whether a FROM is meant as a path, by its look; Ollama itself only asks whether it exists."""
    drive = text[1:3] in (":\\", ":/")
    if drive or text in (".", "..") or text.startswith(("/", "./", "../", "~", ".\\", "..\\", "\\")):
        return True
    name = name_or_none(text)
    return text.endswith(_PATH_ENDINGS) and not (name and (name.tagged or name.host != DEFAULT_HOST))


def name_or_none(text: str) -> ModelName | None:
    """The model name in a FROM, if it is one."""
    try:
        return ModelName.parse(text)
    except UsageError:
        return None


def last_from(modelfile: Modelfile) -> From | None:
    """The last FROM, which wins where several name a model."""
    return next((node for node in reversed(modelfile.nodes) if isinstance(node, From)), None)


def written_path(instruction: Instruction, context: Context) -> str | None:
    """The path in a FROM, ADAPTER or DRAFT, if it exists."""
    written = instruction.value.text
    is_path = isinstance(instruction, From | Adapter | Draft) and instruction.value.closed
    return written if is_path and context.exists and context.exists(written) else None


def refused(modelfile: Modelfile, name: str) -> Iterator[Finding]:
    """What the parser itself reports under a name."""
    for found in modelfile.diagnostics:
        if found.name == name:
            yield Finding(found.span, found.message, found.hint, found.fix)


@lru_cache(maxsize=8)
def parsed_template(text: str) -> ParsedTemplate:
    """A template's tree; parsed once for all rules."""
    from modelfile.gotemplate.parser import parse_template  # 20 ms, and many Modelfiles have none

    return parse_template(text)


def template_in_force(modelfile: Modelfile) -> tuple[Template, ParsedTemplate] | None:
    """The TEMPLATE that wins, if Ollama takes it."""
    last = next((node for node in reversed(modelfile.nodes) if isinstance(node, Template)), None)
    if last is None or not last.value.closed or not last.value.text:
        return None
    parsed = parsed_template(last.value.text)
    return None if parsed.diagnostics else (last, parsed)


def refused_template(template: Template, context: Context, name: str) -> Iterator[Finding]:
    """What Go refuses of a template under a name, at its place in the Modelfile."""
    value = template.value
    for found in parsed_template(value.text).diagnostics if value.closed and value.text else ():
        if found.name == name:
            start, end = (context.modelfile.locate(value, offset) for offset in (found.span.start, found.span.end))
            yield Finding(Span(start, end), found.message, found.hint)


def deletion(instruction: Instruction, modelfile: Modelfile) -> Fix:
    """The fix that deletes an instruction with its lines, where nothing of what is built hangs on it."""
    text, start = modelfile.text, instruction.span.start
    while start and text[start - 1] not in "\r\n":
        start -= 1
    rest = _REST_OF_LINE.match(text, instruction.span.end)
    end = rest.end() if rest else instruction.span.end
    return Fix(edits=(Edit(Span(start, end), ""),), safety=Safety.SAFE)


def without_comment(text: str) -> str | None:
    """A value without what was meant as a comment behind it; None if there is none."""
    match = _COMMENT.search(text)
    return text[: match.start()].rstrip() if match else None


def title(rule: Rule) -> str:
    """What the rule finds, as one sentence."""
    return rule.page.partition("\n")[0]


def page(rule: Rule) -> str:
    """The whole page, in Markdown."""
    off = "" if rule.default else " Only in force where `select` or `extend-select` names it."
    facts = f"{rule.severity}, since modelfile {rule.since}.{off} {_silencing(rule)}"
    return f"# {rule.name} ({rule.code})\n\n{rule.page.replace(chr(13), '␍')}\n\n{facts}\n"


def _silencing(rule: Rule) -> str:
    if rule.severity is Severity.ERROR and rule.code.startswith("MF1"):
        return "Ollama refuses such a file, or reads other than is written; to silence the rule does not change that."
    return f"To silence it: `# mf: ignore[{rule.name}] why` above the instruction, or `ignore` in mf.toml."
