"""The checks that a context-free grammar cannot make: variables, loops, names of templates (Go 1.24, parse.go)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from modelfile.characters import SPACES
from modelfile.gotemplate.literals import TemplateSyntaxError, quote, read_string
from modelfile.gotemplate.transformer import span_of
from modelfile.immutable import field, record
from modelfile.source import Span

if TYPE_CHECKING:
    from modelfile.grammar import Token

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
"""Go's name for each token that opens an action."""

BEFORE_PIPELINE: Final = frozenset({"COMMA", "LPAREN", "NAME", *CLAUSES})
"""The tokens that a pipeline can follow."""

_NOT_IN_BODY: Final = frozenset({"DEFINE", "END"})
_WHITESPACE: Final = " \t\r\n"


@record(frozen=False)
class Control:
    """An `if`, `range` or `with` that is still open."""

    opening: Token
    variables: int
    """The number of variables declared before it."""
    has_else: bool = False


@record(frozen=False)
class Body:
    """A template that is still open: the whole text, a `define` or a `block`, with its own variables and loops."""

    name: str = ""
    opening: Token | None = None
    opened: int = 0
    """The offset of the `}}` of its opening."""
    is_empty: bool = True
    controls: list[Control] = field(default_factory=list)
    loops: int = 0
    variables: list[str] = field(default_factory=lambda: ["$"])
    declared: Counter[str] = field(default_factory=lambda: Counter("$"))

    def declare(self, variable: str) -> None:
        """Declare a variable; an assignment declares one too, as in Go."""
        self.variables.append(variable)
        self.declared[variable] += 1

    def drop_variables(self, count: int) -> None:
        """Drop all variables but the first `count`."""
        self.declared.subtract(self.variables[count:])
        del self.variables[count:]


class Scope:
    """The open templates, blocks and variables at a token; raises TemplateSyntaxError where Go stops."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._templates: set[str] = set()
        self._bodies = [Body()]
        self._name = ""
        self.opening: Token | None = None
        """The opening of the current or the last action."""
        self.action: Token | None = None
        """The opening of the current action, if Go's messages mention it."""
        self.previous: Token | None = None
        self.parentheses = 0

    @property
    def body(self) -> Body:
        """The innermost open template."""
        return self._bodies[-1]

    @property
    def unclosed(self) -> Token | None:
        """The opening of the innermost open template or control."""
        return self.body.controls[-1].opening if self.body.controls else self.body.opening

    def take(self, token: Token) -> None:
        """Advance by a token that the grammar has accepted."""
        match token.type:
            case "FIELD" | "CHAIN" | "DOT" | "FUNCTION" | "PIPE":
                pass
            case "VARIABLE":
                self.check_variable(token)
            case "TARGET":
                self.body.declare(str(token))
            case "NAME":
                self._name = read_string(token)
            case "LPAREN":
                self.parentheses += 1
            case "RPAREN":
                self.parentheses -= 1
            case "TEXT":
                self.body.is_empty = self.body.is_empty and not token.strip(SPACES)
            case "RIGHT":
                self._close_action(token)
            case kind:
                if kind in CLAUSES:
                    self._open_action(token)
        self.previous = token

    def finish(self) -> None:
        """Check the template as a whole, at the end of the text.

        Raises:
            TemplateSyntaxError: A template of its name is already defined.
        """
        self._define(self.body, Span(0, 0), len(self._text))

    def check_variable(self, token: Token) -> None:
        """Reject an undeclared variable. At the start of a pipeline, Go has read the next token too."""
        if self.body.declared[str(token)] > 0:
            return
        span = span_of(token)
        last_read = span.start
        if self.previous and self.previous.type in BEFORE_PIPELINE:
            last_read = len(self._text) - len(self._text[span.end :].lstrip(_WHITESPACE))
        raise TemplateSyntaxError(
            f"undefined variable `{token}`", f"undefined variable {quote(token)}", span, last_read
        )

    def _open_action(self, token: Token) -> None:
        body, self.opening = self.body, token
        self.action = None if token.type in {"DEFINE", "ELSE_IF", "ELSE_WITH"} else token
        body.is_empty = body.is_empty and token.type in _NOT_IN_BODY
        if token.type in {"IF", "RANGE", "WITH"}:
            body.controls.append(Control(token, len(body.variables)))
            body.loops += token.type == "RANGE"
        elif token.type == "ELSE":
            self._leave_loop(body.controls[-1])
            body.controls[-1].has_else = True

    def _close_action(self, right: Token) -> None:
        opening, start = self.opening, right.start
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
                self.body.drop_variables(control.variables)
            case "END":
                body = self._bodies.pop()
                self._define(body, span_of(body.opening) if body.opening else Span(0, 0), start)
            case "BREAK" | "CONTINUE" if not self.body.loops:
                go = CLAUSES[opening.type]
                raise TemplateSyntaxError(
                    f"`{go}` outside any `range`", f"{go} outside {{{{range}}}}", span_of(opening), start
                )
        self.action = None

    def _leave_loop(self, control: Control) -> None:
        if control.opening.type == "RANGE" and not control.has_else:
            self.body.loops -= 1

    def _define(self, body: Body, span: Span, last_read: int) -> None:
        """Add a template. Go lets one replace another only if either of them prints nothing."""
        if body.is_empty:
            return
        if body.name in self._templates:
            go = f"template: multiple definition of template {quote(body.name)}"
            raise TemplateSyntaxError(f"template {quote(body.name)} is defined twice", go, span, last_read)
        self._templates.add(body.name)
