"""What template.lark leaves to a reader with a memory: variables, loops, templates' names (Go 1.24, parse.go)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from modelfile.gotemplate.literals import Refused, quote, string
from modelfile.gotemplate.transformer import span_of
from modelfile.source import Span

if TYPE_CHECKING:
    from lark import Token

CLAUSES: Final = {
    "LEFT": "command",
    "IF": "if",
    "ELSE_IF": "if",
    "RANGE": "range",
    "WITH": "with",
    "ELSE_WITH": "with",
    "TEMPLATE": "template clause",
    "BLOCK": "block clause",
    "DEFINE": "define clause",
    "END": "end",
    "ELSE": "else",
    "BREAK": "{{break}}",
    "CONTINUE": "{{continue}}",
}
"""What opens an action, and Go's name for it."""

BEFORE_PIPELINE: Final = frozenset({"COMMA", "LPAREN", "NAME", *CLAUSES})
"""After what a pipeline may begin."""

_NOT_IN_BODY: Final = frozenset({"DEFINE", "END"})
_BLANKS: Final = " \t\r\n"
_SPACE: Final = f"{_BLANKS}\v\f\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""What Go's unicode.IsSpace takes."""


@dataclass(slots=True)
class Control:
    """An `if`, `range` or `with` that is not at its end."""

    opening: Token
    variables: int
    """How many variables there were before it."""
    has_else: bool = False


@dataclass(slots=True)
class Body:
    """A template that is not at its end: the text, a `define` or a `block`, with variables and loops of its own."""

    name: str = ""
    opening: Token | None = None
    opened: int = 0
    """Where the `}}` after its opening stands."""
    blank: bool = True
    controls: list[Control] = field(default_factory=list)
    loops: int = 0
    variables: list[str] = field(default_factory=lambda: ["$"])
    known: Counter[str] = field(default_factory=lambda: Counter("$"))

    def declare(self, variable: str) -> None:
        """Make a variable; Go makes one where one is set, too."""
        self.variables.append(variable)
        self.known[variable] += 1

    def forget(self, kept: int) -> None:
        """Drop all variables but the first `kept`."""
        self.known.subtract(self.variables[kept:])
        del self.variables[kept:]


class Scope:
    """Follows the tokens that the grammar has taken; raises Refused where Go stops."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._templates: set[str] = set()
        self._bodies = [Body()]
        self._name = ""
        self.opening: Token | None = None
        """What opened the action at hand, or the last one."""
        self.action: Token | None = None
        """Where the action at hand began, when Go says that."""
        self.previous: Token | None = None
        self.parentheses = 0

    @property
    def body(self) -> Body:
        """The template at hand."""
        return self._bodies[-1]

    @property
    def unclosed(self) -> Token | None:
        """What opened the innermost body or control that is not at its end."""
        return self.body.controls[-1].opening if self.body.controls else self.body.opening

    def take(self, token: Token) -> None:
        """Go on by a token."""
        match token.type:
            case "VARIABLE":
                self.check_variable(token)
            case "TARGET":
                self.body.declare(str(token))
            case "NAME":
                self._name = string(token)
            case "LPAREN":
                self.parentheses += 1
            case "RPAREN":
                self.parentheses -= 1
            case "TEXT":
                self.body.blank = self.body.blank and not token.strip(_SPACE)
            case "RIGHT":
                self._close_action(token)
            case kind:
                if kind in CLAUSES:
                    self._open_action(token)
        self.previous = token

    def finish(self) -> None:
        """Refuse what only the end of the text shows."""
        self._define(self.body, Span(0, 0), len(self._text))

    def check_variable(self, token: Token) -> None:
        """Refuse an unknown variable. Where a pipeline begins with it, Go has read the next token, too."""
        if self.body.known[str(token)] > 0:
            return
        span = span_of(token)
        seen = span.start
        if self.previous and self.previous.type in BEFORE_PIPELINE:
            seen = len(self._text) - len(self._text[span.end :].lstrip(_BLANKS))
        raise Refused(f"no variable is named `{token}` here", f"undefined variable {quote(token)}", span, seen)

    def _open_action(self, token: Token) -> None:
        body, self.opening = self.body, token
        self.action = None if token.type in {"DEFINE", "ELSE_IF", "ELSE_WITH"} else token
        body.blank = body.blank and token.type in _NOT_IN_BODY
        if token.type in {"IF", "RANGE", "WITH"}:
            body.controls.append(Control(token, len(body.variables)))
            body.loops += token.type == "RANGE"
        elif token.type == "ELSE":
            self._leave_loop(body.controls[-1])
            body.controls[-1].has_else = True

    def _close_action(self, right: Token) -> None:
        opening, start = self.opening, right.start_pos or 0
        if opening is None:
            return
        match opening.type:
            case "IF" | "RANGE" | "WITH":
                return
            case "DEFINE" | "BLOCK":
                self._bodies.append(Body(self._name, opening, start))
            case "END" if self.body.controls:
                control = self.body.controls.pop()
                self._leave_loop(control)
                self.body.forget(control.variables)
            case "END":
                body = self._bodies.pop()
                self._define(body, span_of(body.opening) if body.opening else Span(0, 0), start)
            case "BREAK" | "CONTINUE" if not self.body.loops:
                go = CLAUSES[opening.type]
                raise Refused(
                    f"`{go}` stands outside of any `range`", f"{go} outside {{{{range}}}}", span_of(opening), start
                )
        self.action = None

    def _leave_loop(self, control: Control) -> None:
        if control.opening.type == "RANGE" and not control.has_else:
            self.body.loops -= 1

    def _define(self, body: Body, span: Span, seen: int) -> None:
        """Add a template. Go lets one take the place of another only if either prints nothing."""
        if body.blank:
            return
        if body.name in self._templates:
            go = f"template: multiple definition of template {quote(body.name)}"
            raise Refused(f"a template named {quote(body.name)} is defined already", go, span, seen)
        self._templates.add(body.name)
