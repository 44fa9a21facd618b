"""Lark grammars, compiled to tables, and the parser that runs the tables.

A grammar `x.lark` has its LALR tables beside it in `x.tables.json`: plain data, so that to load them executes nothing.
Lark compiles them when the package is built or installed (`make tables` writes them anew), and they are not in version
control. Where they are missing or belong to another grammar, Lark compiles the grammar. The parser does what Lark's
does, without its import, which took a sixth of the time of a lint.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

if TYPE_CHECKING:
    from lark.grammar import Rule

_SUFFIX: Final = ".tables.json"
_FORMAT: Final = 3
"""Number of this form of the tables; an existing checkout may have tables of another."""
_END: Final = "$END"

Callbacks: TypeAlias = Mapping[str, Callable[[Any], Any]]
"""Functions by the name of a rule, which take its children, or of a terminal, which take its token."""


class Token(str):
    """A token: its text, the name of its terminal, and its offset."""

    __slots__ = ("start", "type")
    type: str
    start: int

    def __new__(cls, kind: str, text: str, start: int) -> Self:
        """Return a token of a terminal at an offset."""
        token = str.__new__(cls, text)
        token.type, token.start = kind, start
        return token


class UnexpectedToken(Exception):  # named as in Lark
    """A token that cannot follow those before it."""

    def __init__(self, token: Token) -> None:
        super().__init__(f"unexpected {token.type} at {token.start}: {token!r}")
        self.token = token


class Grammar:
    """A compiled grammar, with the callbacks of its rules and terminals.

    A rule without a callback becomes the pair of its name and its children; a terminal becomes its token. As in Lark,
    tokens whose names start with an underscore and unnamed strings are no children.
    """

    def __init__(self, tables: dict[str, Any], callbacks: Callbacks) -> None:
        self.states: list[dict[str, int]] = tables["states"]
        """For each state, the next one by symbol; below zero, `~number` of the rule that is complete before a token."""
        self.end: int = tables["end"]
        """The state in which the whole text is read."""
        self.rules = [(*rule, callbacks.get(rule[1])) for rule in tables["rules"]]
        """Symbol, name (empty if inlined), length, kept children, True if a single child stands for it, callback."""
        self.terminals: dict[str, tuple[int, str]] = tables["terminals"]
        """Priorities and regular expressions, in the order in which they are tried: by priority, then as written."""
        self.callbacks = callbacks
        self._scanners: dict[int, Callable[[str, int], re.Match[str] | None]] = {}

    def parse(self, text: str) -> Any:
        """Return what the callbacks make of a text. Only terminals that can follow are tried, as in Lark.

        Raises:
            UnexpectedToken: The grammar does not accept the text.
        """
        automaton, position = Automaton(self), 0
        while position < len(text):
            found = self._scanner(automaton.state)(text, position)
            if found is None:
                raise UnexpectedToken(Token("", text[position], position))
            automaton.feed(Token(found.lastgroup or "", found[0], position))
            position = found.end()
        return automaton.finish(position)

    def _scanner(self, state: int) -> Callable[[str, int], re.Match[str] | None]:
        if state not in self._scanners:
            self._scanners[state] = re.compile(self.alternatives(self.states[state])).match
        return self._scanners[state]

    def alternatives(self, names: Container[str]) -> str:
        """Return the regular expression of the first of some terminals that matches; its name is the last group."""
        return "|".join(f"(?P<{name}>{regexp})" for name, (_, regexp) in self.terminals.items() if name in names)


class Automaton:
    """An LALR automaton: feed it all tokens of a text, one by one, then finish."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._states = [0]
        self._values: list[Any] = []

    @property
    def state(self) -> int:
        """The number of the present state."""
        return self._states[-1]

    def feed(self, token: Token) -> None:
        """Take the next token, and call the callbacks of all that is complete before it.

        Raises:
            UnexpectedToken: The token cannot follow.
        """
        states, table = self._states, self._grammar.states
        while (action := table[states[-1]].get(token.type)) is not None:
            if action >= 0:
                states.append(action)
                callback = self._grammar.callbacks.get(token.type)
                self._values.append(callback(token) if callback else token)
                return
            self._reduce(~action)
            if states[-1] == self._grammar.end:
                return
        raise UnexpectedToken(token)

    def finish(self, length: int) -> Any:
        """Return the value of the whole text, given its length.

        Raises:
            UnexpectedToken: The text is incomplete.
        """
        self.feed(Token(_END, "", length))
        return self._values[-1]

    def _reduce(self, number: int) -> None:
        """Replace the values of a complete rule by its own."""
        symbol, name, length, kept, is_single, callback = self._grammar.rules[number]
        states, values = self._states, self._values
        at = len(values) - length
        children = values[at:]
        del states[at + 1 :], values[at:]
        if kept is not None:
            parts, children = children, []
            for index, is_inlined in kept:
                if not is_inlined:
                    children.append(parts[index])
                elif children:
                    children += parts[index]
                else:  # not copied: a list of many grows by one at a time
                    children = parts[index]
        if not name:
            value: Any = children
        elif is_single and len(children) == 1:
            value = children[0]
        else:
            value = callback(children) if callback else (name, children)
        values.append(value)
        states.append(self._grammar.states[states[-1]][symbol])


def load_grammar(path: Path, callbacks: Callbacks | None = None) -> Grammar:
    """Return the grammar of a file, from its tables if they are current."""
    text = path.read_text(encoding="utf-8")
    return Grammar(_read_tables(path, text) or compile_tables(text), callbacks or {})


def _read_tables(grammar: Path, text: str) -> dict[str, Any] | None:
    """Return the tables of a grammar; None if they are missing or stale."""
    try:
        tables = json.loads(_tables_path(grammar).read_bytes())
    except (OSError, ValueError):
        return None
    return tables if isinstance(tables, dict) and _origin(text).items() <= tables.items() else None


def write_tables(folder: Path = Path(__file__).parent) -> Iterator[Path]:
    """Write the tables of all grammars below a folder, and yield their paths."""
    for path in sorted(folder.rglob("*.lark")):
        tables = _tables_path(path)
        text = json.dumps(compile_tables(path.read_text(encoding="utf-8")), separators=(",", ":"))
        tables.write_text(f"{text}\n", encoding="ascii")
        yield tables


def _tables_path(grammar: Path) -> Path:
    return grammar.with_suffix(_SUFFIX)


def _origin(grammar: str) -> dict[str, Any]:
    """Return what tables are made from: tables of any other are stale."""
    return {"format": _FORMAT, "grammar": grammar}


def compile_tables(grammar: str) -> dict[str, Any]:
    """Return the tables of a grammar; equal grammars give equal tables.

    The states are numbered in the order in which they are reached: in Lark, their numbers depend on hashes.
    """
    from lark import Lark
    from lark.lexer import Lexer
    from lark.lexer import Token as LarkToken
    from lark.parsers.lalr_analysis import Shift

    class AnyLexer(Lexer):
        """A lexer that takes every grammar."""

        def __init__(self, _: object) -> None: ...

        def lex(self, *_: object) -> Iterator[LarkToken]:
            raise NotImplementedError

    lark = Lark(grammar, parser="lalr", lexer=AnyLexer)
    table = lark.parser.parser._parse_table  # noqa: SLF001  # Lark has no public access to it
    rules = {rule: number for number, rule in enumerate(lark.rules)}
    reached = [table.start_states["start"]]
    numbers = {reached[0]: 0}
    states: list[dict[str, int]] = []
    for state in reached:
        actions: dict[str, int] = {}
        for symbol, (action, to) in sorted(table.states[state].items()):
            if action is Shift and to not in numbers:
                numbers[to] = len(reached)
                reached.append(to)
            actions[symbol] = numbers[to] if action is Shift else ~rules[to]
        states.append(actions)
    terminals = sorted(lark.terminals, key=lambda term: -term.priority)
    return {
        **_origin(grammar),
        "terminals": {term.name: (term.priority, term.pattern.to_regexp()) for term in terminals},
        "rules": [*map(_compile_rule, rules)],
        "states": states,
        "end": numbers[table.end_states["start"]],
    }


def _compile_rule(rule: Rule) -> tuple[str, str, int, list[tuple[int, bool]] | None, bool]:
    """Return a rule as in `Grammar.rules`, without its callback. Kept children are None if all are kept as they are."""
    from lark.grammar import Terminal

    kept = [
        (index, not symbol.is_term and symbol.name.startswith("_"))
        for index, symbol in enumerate(rule.expansion)
        if not (isinstance(symbol, Terminal) and symbol.filter_out)
    ]
    is_plain = len(kept) == len(rule.expansion) and not any(is_inlined for _, is_inlined in kept)
    symbol = str(rule.origin.name)
    name = "" if symbol.startswith("_") else str(rule.alias or symbol)
    return symbol, name, len(rule.expansion), None if is_plain else kept, rule.options.expand1 and not rule.alias


if __name__ == "__main__":
    for written in write_tables():
        print(written)  # noqa: T201  # a program for `make tables` and the build
