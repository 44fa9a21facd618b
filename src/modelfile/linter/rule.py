"""The shape of a rule, and helpers that several rules share.

A rule is one function in a module of the same name. It gets each node of one type and yields findings: a place and
words. The engine adds code and severity, the report renders. The function's docstring is the rule's page: prose, then
`## Bad` and `## Good` with one Modelfile each; a test checks that Bad is reported and Good is not.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, wraps
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from modelfile.catalog.catalog import Catalog, catalog
from modelfile.diagnostics import Edit, Finding, Fix, Safety, Severity
from modelfile.errors import InputError, Speller, UsageError
from modelfile.immutable import field, record, replace
from modelfile.linter.suppressions import Suppression
from modelfile.names import DEFAULT_HOST, ModelName
from modelfile.source import Span
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Comment, Draft, From, Instruction, Node, Parameter, Template

if TYPE_CHECKING:
    from modelfile.catalog.families import Family
    from modelfile.gotemplate.parser import ParsedTemplate
    from modelfile.weights.header import GGUFHeader

_T = TypeVar("_T")
_Subject = TypeVar("_Subject", bound=Node | Modelfile)


@record(kw_only=True)
class LockStatus:
    """The entry of a Modelfile in the project's lock."""

    listed: bool = True
    """False if the lock has no entry for it."""
    current: bool = True
    """False if its text has changed since it was pinned."""
    base: str | None = None
    """The base, as written when it was pinned."""


@record(kw_only=True)
class EscapedPath:
    """The target of a path that leads out of the project."""

    target: str
    by_symlink: bool
    """True if a symlink leads out; False if the path itself does."""


@record(kw_only=True)
class RejectedFile:
    """A local file, or several, that Ollama cannot use, or uses as something else than its instruction says."""

    instruction: Instruction
    """The FROM, ADAPTER or DRAFT that names it."""
    message: str
    hint: str
    content: str = ""
    """`model`, `adapter` or `projector` if the file is one, and another instruction is for that."""
    rule: str = ""
    """The name of the rule that reports it; empty: `unusable-weights`, or one on the content."""
    severity: Severity | None = None
    """None: that of the rule."""


@record(kw_only=True)
class Context:
    """Everything a rule may use in addition to the node. Paths are as written in the Modelfile."""

    modelfile: Modelfile
    exists: Callable[[str], bool] | None = None
    """Return True unless a path is missing: one that cannot be looked at counts; None if there is no folder to look in.

    Standard input has none.
    """
    neighbors: Callable[[str], tuple[str, ...]] | None = None
    """Return the names in the folder of a path; None if there is no folder to look in."""
    is_ignored: Callable[[str], bool | None] | None = None
    """Return True if git ignores a path, None outside of a repository; None if there is no folder to look in."""
    missing_weights: Callable[[str], str] | None = None
    """Return what Ollama looks for if a path is a folder without weights; None if there is no folder to look in."""
    find_escape: Callable[[str], EscapedPath | None] | None = None
    """Return the target of an existing path that leaves the project; None if there is no folder to look in."""
    rejected_files: Callable[[], Iterable[RejectedFile]] | None = None
    """Return the local files that Ollama cannot use; None if there is no folder to look in."""
    headers: Callable[[str], Mapping[str, GGUFHeader]] | None = None
    """Return the headers of the GGUF files that a path names, by their paths, but for those that cannot be read.

    None if there is no folder to look in, and for a build, which opens no file unless it has something to do.
    """
    lock_status: LockStatus | None = None
    """None if there is no lock, or a damaged one."""
    lock_error: InputError | None = None
    """Why the lock cannot be read; rules that depend on it do not run then."""
    registries: tuple[str, ...] | None = None
    """Hosts that bases may come from; None allows all."""
    memory: int | None = None
    """Memory of the machine that runs the model, in bytes; None if it is not configured."""
    formatter: Callable[[Modelfile], str] | None = None
    """The formatter behind `mf fmt`."""
    ollama: Catalog = field(default_factory=catalog)
    """Facts about the Ollama version that the Modelfile is for."""
    ollama_is_given: bool = False
    """True if somebody named that version; otherwise it is the newest known."""
    speller: Speller = field(default_factory=Speller)
    """Suggestions for misspelled words of this Modelfile."""
    unused_suppressions: tuple[Suppression, ...] = ()
    """Suppressions that suppress nothing; filled in after all other rules have run."""
    memo: dict[Callable[..., object], Any] = field(default_factory=dict, compare=False, repr=False)
    """Answers about the Modelfile that many rules ask for, by the function that gives them."""
    rule_names: tuple[tuple[str, str], ...] = ()
    """Codes and names of all rules; filled in with `unused_suppressions`."""

    @property
    def pinned_base(self) -> str | None:
        """The base that the lock has for this Modelfile, as written."""
        return self.lock_status.base if self.lock_status else None


@record(kw_only=True)
class Rule:
    """A check with its code, name and severity."""

    code: str
    name: str
    severity: Severity
    on: tuple[type, ...]
    """The types of the nodes that it checks, or `Modelfile` for the whole."""
    default: bool
    """True if it runs without being selected; otherwise its code, its name, its family or `ALL` has to select it."""
    since: str
    """The first version of modelfile that has it."""
    cannot_decide: Callable[[Context], str | None] | None
    """Return the reason why the rule cannot check everything, if there is one; None if it only reads the Modelfile."""
    check: Callable[[Any, Context], Iterator[Finding]]

    def subjects(self, modelfile: Modelfile) -> tuple[Node | Modelfile, ...]:
        """Return the nodes that it checks, or the Modelfile itself; a rule for which there are none does not run."""
        if Modelfile in self.on:
            return (modelfile,)
        return modelfile.of_type(self.on if self.on[1:] else self.on[0])

    @property
    def page(self) -> str:
        """The rule's documentation, in Markdown."""
        import inspect  # takes long to import

        return inspect.cleandoc(self.check.__doc__ or "")


_Check: TypeAlias = Callable[[_Subject, Context], Iterator[Finding]]


def rule(  # noqa: PLR0913  # the fields of a rule
    code: str,
    name: str,
    *,
    on: type[_Subject] | tuple[type[_Subject], ...],
    severity: Severity,
    default: bool = True,
    since: str = "0.1.0",
    cannot_decide: Callable[[Context], str | None] | None = None,
) -> Callable[[_Check[_Subject]], Rule]:
    """Make a rule of a function. `linter/rules/__init__.py` lists the rules that run."""
    return lambda check: Rule(
        code=code,
        name=name,
        severity=severity,
        on=on if isinstance(on, tuple) else (on,),
        default=default,
        since=since,
        cannot_decide=cannot_decide,
        check=check,
    )


def no_folder(context: Context) -> str | None:
    """Return why a rule on files cannot decide, if there is no folder to look in."""
    return "standard input has no folder to look for files in" if context.exists is None else None


_PATH_ENDINGS: Final = (".gguf", ".safetensors", ".bin", ".pth")
_HUGGING_FACE: Final = ("hf.co/", "huggingface.co/", "www.huggingface.co/")
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_BREAK: Final = re.compile(r"[ \t]*(?:\r\n|\r|\n)")
_ALONE: Final = re.compile(r"[ \t]*(?:[\r\n#]|\Z)")
"""An empty line, a comment, or the end of the text."""
_WORD: Final = re.compile(r"[a-z_]+")
_COMMENT: Final = re.compile(r"\s#.*", re.DOTALL)


@lru_cache(maxsize=1 << 14)
def looks_like_path(text: str) -> bool:
    """Return True if a FROM is written like a path. Ollama itself only asks if the path exists."""
    drive = text[1:3] in (":\\", ":/")
    if drive or text in (".", "..") or text.startswith(("/", "./", "../", "~", ".\\", "..\\", "\\")):
        return True
    if not text.endswith(_PATH_ENDINGS) or "://" in text or text.startswith(_HUGGING_FACE):
        return False
    name = name_or_none(text)
    return not (name and (name.tagged or name.host != DEFAULT_HOST))


@lru_cache(maxsize=1 << 14)
def name_or_none(text: str) -> ModelName | None:
    """Parse a model name; None if it is not valid."""
    try:
        return ModelName.parse(text)
    except UsageError:
        return None


def last_from(modelfile: Modelfile) -> From | None:
    """Return the last FROM, which wins if several name a model."""
    return modelfile.last(From)


def once_per_file(compute: Callable[[Modelfile, Context], _T]) -> Callable[[Modelfile, Context], _T]:
    """Make a function that computes a fact about a Modelfile once, for all rules that ask for it."""

    @wraps(compute)
    def ask(modelfile: Modelfile, context: Context) -> _T:
        memo = context.memo
        if compute not in memo:
            memo[compute] = compute(modelfile, context)
        fact: _T = memo[compute]
        return fact

    return ask


@once_per_file
def base_family(modelfile: Modelfile, context: Context) -> Family | None:
    """Return the family of the base; None if it is not known. Of several FROM, the last one with a family counts."""
    written = [base.value.text for base in modelfile.of_type(From) if base.value.closed and base.value.text]
    if not written:
        return None
    from modelfile.catalog.families import find_family  # reads a file, and few rules ask

    for base in reversed(written):
        if "blobs" in base and (shown := _shown_name(modelfile)) and (family := find_family(shown)):
            return replace(family, library=False)
        is_folder = not base.lower().endswith(".gguf") and context.exists and context.exists(base)
        if not is_folder and (family := find_family(base)):
            return family
    return None


def _shown_name(modelfile: Modelfile) -> str | None:
    """Return the name of the model whose blob FROM names, if a comment of `ollama show --modelfile` tells it."""
    from modelfile.linter.rules.references import original_name  # it imports this module

    base = last_from(modelfile)
    return original_name(base, modelfile) if base else None


def existing_path(instruction: Instruction, context: Context) -> str | None:
    """Return the path in a FROM, ADAPTER or DRAFT, as written, if it exists."""
    written = instruction.value.text
    is_path = isinstance(instruction, From | Adapter | Draft) and instruction.value.closed
    return written if is_path and context.exists and context.exists(written) else None


@once_per_file
def local_headers(modelfile: Modelfile, context: Context) -> Mapping[str, GGUFHeader]:
    """Return the headers of the GGUF files of FROM, by their paths; of none if a FROM names a model, which wins."""
    found: dict[str, GGUFHeader] = {}
    for base in modelfile.of_type(From):
        path = existing_path(base, context)
        if path is None or context.headers is None:
            return {}
        found.update(context.headers(path))
    return found


def model_header(modelfile: Modelfile, context: Context) -> GGUFHeader | None:
    """Return the header of the model in the GGUF files of FROM; None if there is none."""
    headers = local_headers(modelfile, context)
    if not headers:
        return None
    from modelfile.weights.facts import content_of  # most Modelfiles name no file

    return next((header for header in headers.values() if content_of(header) == "model"), None)


def facts_of_base(modelfile: Modelfile, context: Context) -> tuple[GGUFHeader | None, Family | None]:
    """Return the header of the model in a local file; otherwise the family of the base; or neither.

    The name of a local file decides nothing that its header would, even if that is not read.
    """
    if header := model_header(modelfile, context):
        return header, None
    if context.headers is None and any(existing_path(base, context) for base in modelfile.of_type(From)):
        return None, None
    return None, base_family(modelfile, context)


def parser_findings(modelfile: Modelfile, name: str) -> Iterator[Finding]:
    """Return the parser's own diagnostics of one rule."""
    return (found for found in modelfile.diagnostics if found.name == name)


@lru_cache(maxsize=8)
def parsed_template(text: str) -> ParsedTemplate:
    """Parse a template once for all rules."""
    from modelfile.gotemplate.parser import parse_template  # 20 ms, and many Modelfiles have none

    return parse_template(text)


def last_template(modelfile: Modelfile) -> tuple[Template, ParsedTemplate] | None:
    """Return the last TEMPLATE, which wins, if Ollama accepts it."""
    last = modelfile.last(Template)
    if last is None or not last.value.closed or not last.value.text:
        return None
    parsed = parsed_template(last.value.text)
    return None if parsed.diagnostics else (last, parsed)


def template_findings(template: Template, context: Context, name: str) -> Iterator[Finding]:
    """Yield the template parser's diagnostics of one rule, at their places in the Modelfile."""
    value = template.value
    for found in parsed_template(value.text).diagnostics if value.closed and value.text else ():
        if found.name == name:
            span = context.modelfile.locate_span(value, found.span.start, found.span.end)
            yield Finding(span, found.message, found.hint)


def deletion(instruction: Instruction, modelfile: Modelfile) -> Fix:
    """Return a safe fix that deletes an instruction with its lines, and the comment that is only about it.

    It is only for one that the build does not need.
    """
    rest = _REST_OF_LINE.match(modelfile.text, instruction.span.end)
    end = rest.end() if rest else instruction.span.end
    start = modelfile.source.line_start(instruction.span.start)
    start = _comment_start(instruction, start, end, modelfile)
    return Fix(edits=(Edit(Span(start, end), ""),), safety=Safety.SAFE)


def _comment_start(instruction: Instruction, start: int, end: int, modelfile: Modelfile) -> int:
    """Return where the comment begins that is only about an instruction; `start` if there is none.

    It stands right above, and names the parameter and no other, or is followed by that instruction alone.
    """
    nodes, text = modelfile.nodes, modelfile.text
    at = bisect_left(nodes, instruction.span.start, key=lambda node: node.span.start)
    first = start
    while at and isinstance(above := nodes[at - 1], Comment) and _BREAK.fullmatch(text, above.span.end, first):
        at -= 1
        first = modelfile.source.line_start(above.span.start)
    words = frozenset(_WORD.findall(text[first:start].lower()))
    name = (instruction.name if isinstance(instruction, Parameter) else instruction.keyword).text.lower()
    if first == start or "ignore-file" in text[first:start] or words & (catalog().parameters.keys() - {name}):
        return start
    is_alone = first > 0 and _ALONE.match(text, end) is not None
    return first if name in words or is_alone else start


def strip_comment(text: str) -> str | None:
    """Return a value without the comment after it; None if there is no comment."""
    match = _COMMENT.search(text)
    return text[: match.start()].rstrip() if match else None


def title(rule: Rule) -> str:
    """Return the first sentence of a rule's page."""
    return rule.page.partition("\n")[0]


def page(rule: Rule) -> str:
    """Return a rule's page in Markdown, with its severity and how to suppress it."""
    off = "" if rule.default else " Off by default: select it by its name, code or family, or all rules by `ALL`."
    facts = f"Severity: {rule.severity}, since modelfile {rule.since}.{off} {_suppressing(rule)}"
    return f"# {rule.name} ({rule.code})\n\n{rule.page.replace(chr(13), '␍')}\n\n{facts}\n"


def _suppressing(rule: Rule) -> str:
    if rule.severity is Severity.ERROR and rule.code.startswith("MF1"):
        return (
            "Suppressing it does not help: Ollama rejects such a file, or reads something other than what is written."
        )
    return (
        f"To suppress it, write `# mf: ignore[{rule.name}] reason` above the instruction, or use `ignore` in mf.toml."
    )
