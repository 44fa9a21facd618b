"""`mf explain`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelfile.catalog.parameters import PARAMETERS, Parameter
from modelfile.errors import UsageError
from modelfile.lint.pages import page, title
from modelfile.lint.rule import Rule
from modelfile.lint.rules import RULES

if TYPE_CHECKING:
    from modelfile.catalog.instructions import Instruction


def explain(
    name: Annotated[
        str | None, typer.Argument(metavar="RULE|PARAMETER|INSTRUCTION", help="What to explain; if nothing, all rules.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Explain a rule, a parameter or an instruction; without a name, list the rules."""
    if name is None:
        told: Any = [_rule(rule) for rule in RULES]
        text = "\n".join(f"{rule.code}  {rule.name:28} {rule.severity:8} {title(rule)}" for rule in RULES)
    else:
        told, text = _explain(name)
    typer.echo(json.dumps(told, indent=2, ensure_ascii=False) if as_json else text)


def _explain(name: str) -> tuple[dict[str, Any], str]:
    from modelfile.catalog.instructions import INSTRUCTIONS  # 1 ms, which every other command would pay

    for rule in RULES:
        if name.upper() == rule.code or name.lower() == rule.name:
            return _rule(rule), page(rule).rstrip()
    if parameter := PARAMETERS.get(name.lower()):
        return _facts(f"PARAMETER {parameter.name}", _parameter(parameter))
    if instruction := INSTRUCTIONS.get(name.upper()):
        return _facts(instruction.word, _instruction(instruction))
    from difflib import get_close_matches

    known = [*(rule.name for rule in RULES), *(rule.code for rule in RULES), *PARAMETERS, *INSTRUCTIONS]
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "`mf explain` lists all rules"
    raise UsageError(f"`{name}` is no rule, parameter or instruction", hint=hint)


def _facts(title: str, facts: dict[str, Any]) -> tuple[dict[str, Any], str]:
    facts = {key: value for key, value in facts.items() if value not in (None, "", [], {})}
    lines = []
    for key, value in facts.items():
        shown = "; ".join(f"{part}: {what}" for part, what in value.items()) if isinstance(value, dict) else value
        lines.append(f"{key}: {shown}")
    return facts, "\n".join([f"# {title}\n", *lines])


def _rule(rule: Rule) -> dict[str, Any]:
    words = {"code": rule.code, "name": rule.name, "severity": str(rule.severity), "since": rule.since}
    return {**words, "default": rule.default, "title": title(rule), "page": rule.page}


def _parameter(parameter: Parameter) -> dict[str, Any]:
    default = {f"since {since}": parameter.decided if value is None else value for since, value in parameter.defaults}
    return {
        "what": parameter.summary,
        "type": str(parameter.kind),
        "default": default,
        "from": parameter.minimum,
        "to": parameter.maximum,
        "special": {str(value): what for value, what in parameter.special},
        "since": str(parameter.since),
        "until": parameter.until and str(parameter.until),
        "dropped since": parameter.deprecated and str(parameter.deprecated),
        "source": parameter.source,
    }


def _instruction(instruction: Instruction) -> dict[str, Any]:
    return {
        "what": instruction.summary,
        "given twice": "they add up" if instruction.repeats else "the last wins",
        "since": str(instruction.since),
        "until": instruction.until and str(instruction.until),
        "source": instruction.source,
    }
