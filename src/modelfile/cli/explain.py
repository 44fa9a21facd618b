"""`mf explain`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Final

from modelfile.catalog.parameters import PARAMETERS, Default, Kind, ParameterSpec
from modelfile.catalog.versions import Version
from modelfile.cli.parameters import Argument, Option
from modelfile.errors import UsageError
from modelfile.linter.rule import Rule, page, title
from modelfile.linter.rules import RULES
from modelfile.linter.rules.structure.unknown_instruction import unknown_instruction
from modelfile.linter.settings import select_rules
from modelfile.report.json_output import print_json
from modelfile.report.terminal import current

if TYPE_CHECKING:
    from modelfile.catalog.file_types import FileType
    from modelfile.catalog.instructions import InstructionSpec
    from modelfile.catalog.quantizations import Quantization

_CODE: Final = r"(?:MF)?[0-9]{1,3}(?:XX)?"
_TYPES: Final = {
    Kind.INT: "<whole number>",
    Kind.FLOAT: "<number>",
    Kind.BOOL: "true|false",
    Kind.STRINGS: "<text>",
}
_ON_NUMBERS: Final = ("invalid-parameter-value", "duplicate-instruction")
_FIRST: Final = Version(0, 0, 6)
"""The first release in the catalog."""
_LABEL: Final = 10
_TYPES_MEANT: Final = {"MXFP4": "MXFP4_MOE"}
_EXAMPLES: Final = (1, 8, 32, 70)
"""Billions of parameters of which the size of the weights is shown."""
_WIDTH: Final = 100


def explain(
    name: Annotated[
        str | None,
        Argument(metavar="NAME", help="Rule, family, parameter, instruction, quantization, gguf; default: all rules."),
    ] = None,
    *,
    as_json: Annotated[bool, Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Explain a rule, parameter, instruction, quantization or format of weights, or list rules.

    Lists the rules of a family such as MF2; without a name, lists all.

    With --json: a list of {"code", "name", "severity", "since", "default", "title", "page"}; for one rule only that
    object. For a finding of `mf check` that is no rule's {"code", "name", "title", "help"}. For a parameter {"name",
    "summary", "example", "type", "default", "minimum", "maximum", "special", "since", "until", "deprecated", "rules",
    "source"}, for an instruction {"name", "summary", "syntax", "example", "repeated", "since", "until", "rules",
    "source"}, for a quantization {"name", "summary", "bits_per_weight", "since", "made_since", "made_until"}, for
    `gguf` and `safetensors` {"name", "summary", "facts", "rules", "source"}.
    """
    content, text = _list(RULES) if name is None else _explain(name)
    if as_json:
        print_json(content, current.get())
    else:
        current.get().print_lines(text)


def _explain(name: str) -> tuple[Any, str]:
    from modelfile.catalog.instructions import INSTRUCTIONS  # 1 ms that no other command pays

    if re.fullmatch(_CODE, name, re.IGNORECASE):
        found = select_rules(RULES, [f"MF{name.upper().removeprefix('MF')}"])
        return _list(found) if len(found) > 1 else (_rule(found[0]), page(found[0]).rstrip())
    if rule := next((rule for rule in RULES if rule.name == name.lower()), None):
        return _rule(rule), page(rule).rstrip()
    if parameter := PARAMETERS.get(name.lower()):
        return _parameter(parameter), _parameter_page(parameter)
    if instruction := INSTRUCTIONS.get(name.upper()):
        return _instruction(instruction), _instruction_page(instruction)
    if quantization := _quantization(name):
        return quantization
    if other := _weights_format(name) or _condition(name):
        return other
    if name.upper() == "FORMAT":
        hint = 'ask for JSON in the request: `"format": "json"`, or a JSON schema instead of "json"'
        raise UsageError("there is no FORMAT in Modelfiles, whatever tutorials say", hint=hint)
    from difflib import get_close_matches

    from modelfile.catalog.file_types import FILE_TYPES_BY_NAME

    known = [*(rule.name for rule in RULES), *(rule.code for rule in RULES), *PARAMETERS, *INSTRUCTIONS]
    close = get_close_matches(name, known, n=1) or get_close_matches(name.upper(), FILE_TYPES_BY_NAME, n=1)
    hint = f"did you mean `{close[0]}`?" if close else "run `mf explain` to list all rules"
    raise UsageError(f"unknown rule, parameter, instruction or quantization: `{name}`", hint=hint)


def _quantization(name: str) -> tuple[dict[str, Any], str] | None:
    """Return what is known of a type of weights: its size and use, and which releases make and run it."""
    from modelfile.catalog.file_types import FILE_TYPES_BY_NAME
    from modelfile.catalog.quantizations import QUANTIZATIONS

    made = QUANTIZATIONS.get(name.upper())
    named = _TYPES_MEANT.get(name.upper(), made.means if made else name.upper())
    if (spec := FILE_TYPES_BY_NAME.get(named)) is None:
        return None
    made = made if made and not made.experimental else None
    content = {
        "name": spec.name,
        "summary": spec.use,
        "bits_per_weight": spec.bits,
        "since": spec.since and str(spec.since),
        "made_since": made and str(made.since),
        "made_until": made and made.until and str(made.until),
    }
    return content, _quantization_page(spec, made)


def _quantization_page(spec: FileType, made: Quantization | None) -> str:
    from textwrap import fill

    from modelfile.catalog.architectures import OLDEST
    from modelfile.machine import format_memory

    making = ["by llama.cpp's `llama-quantize`"]
    if made and made.until:
        making.insert(0, f"by `mf build --quantize {spec.name}` with Ollama {made.since} to before {made.until}")
    sizes = (f"{billions}B {format_memory(int(billions * spec.bits / 8 * 10**9))}" for billions in _EXAMPLES)
    return _page(
        spec.name,
        fill(spec.use, _WIDTH),
        Bits=[f"{spec.bits:g} per weight"],
        Weights=[", ".join(sizes)],
        Made=making,
        Runs=[
            f"in Ollama {spec.since} and later"
            if spec.since
            else f"in every release from {OLDEST} on, the oldest that was read"
        ],
        Fits=["`mf show NAME --memory` prints the memory that a model needs"],
    )


def _weights_format(name: str) -> tuple[dict[str, Any], str] | None:
    """Return what is known of a format of weights."""
    from modelfile.catalog.weights_formats import WEIGHTS_FORMATS

    if (found := WEIGHTS_FORMATS.get(name.lower())) is None:
        return None
    on_format = sorted((rule for rule in RULES if _is_on_format(rule, found.name)), key=_is_on_other_than_weights)
    rules = [f"{rule.code} {rule.name}" for rule in on_format]
    facts = {heading: [*lines] for heading, lines in found.facts.items()}
    content = {"name": found.name, "summary": found.summary, "facts": facts, "rules": rules, "source": found.source}
    return content, _page(found.name, found.summary, **facts, Rules=rules)


def _is_on_format(rule: Rule, name: str) -> bool:
    """Return whether a rule mentions a format of weights, or is on weights of any format."""
    mentioned = set(re.findall(r"\b(?:GGUF|safetensors)\b", _prose(rule)))
    return name in mentioned or not (mentioned or _is_on_other_than_weights(rule))


def _is_on_other_than_weights(rule: Rule) -> bool:
    return not rule.code.startswith("MF6")


def _condition(name: str) -> tuple[dict[str, str], str] | None:
    """Return what `mf check` reports under a code or name besides rules."""
    from modelfile.inspection import CONDITIONS  # 10 ms that rules and parameters do not need

    for one in CONDITIONS:
        if name.upper() == one.code or name.lower() == one.name:
            words = {"code": one.code, "name": one.name, "title": one.title, "help": one.hint}
            return words, f"# {one.code} {one.name}\n\n{one.title} `mf check` reports it; {one.hint}."
    return None


def _list(rules: Iterable[Rule]) -> tuple[list[dict[str, Any]], str]:
    lines = (f"{rule.code}  {rule.name:28} {rule.severity:8} {title(rule)}" for rule in rules)
    return [_rule(rule) for rule in rules], "\n".join(lines)


def _rule(rule: Rule) -> dict[str, Any]:
    words = {"code": rule.code, "name": rule.name, "severity": str(rule.severity), "since": rule.since}
    return {**words, "default": rule.default, "title": title(rule), "page": rule.page}


def _parameter(parameter: ParameterSpec) -> dict[str, Any]:
    default = {f"since {since}": parameter.decided if value is None else value for since, value in parameter.defaults}
    return {
        "name": parameter.name,
        "summary": parameter.summary,
        "example": parameter.example,
        "type": str(parameter.kind),
        "default": default,
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "special": {str(value): meaning for value, meaning in parameter.special},
        "since": str(parameter.since),
        "until": parameter.until and str(parameter.until),
        "deprecated": parameter.deprecated and str(parameter.deprecated),
        "rules": [rule.name for rule in _rules_on_parameter(parameter)],
        "source": parameter.source,
    }


def _instruction(instruction: InstructionSpec) -> dict[str, Any]:
    return {
        "name": instruction.word,
        "summary": instruction.summary,
        "syntax": instruction.syntax,
        "example": instruction.example,
        "repeated": instruction.twice,
        "since": str(instruction.since),
        "until": instruction.until and str(instruction.until),
        "rules": [rule.name for rule in _rules_on_instruction(instruction)],
        "source": instruction.source,
    }


def _parameter_page(parameter: ParameterSpec) -> str:
    line = f"PARAMETER {parameter.name}"
    defaults = [_default(parameter, value) for _, value in parameter.defaults]
    since = ["", *(f"since {since}: " for since, _ in parameter.defaults[1:])]
    return _page(
        line,
        parameter.summary,
        Syntax=[f"{line} {_TYPES[parameter.kind]}"],
        Example=[f"{line} {parameter.example}"] if parameter.example else [],
        Range=[parameter.range] if parameter.range else [],
        Default=[f"{when}{default}" for when, default in zip(since, defaults, strict=True)],
        Special=[f"{value}: {meaning}" for value, meaning in parameter.special],
        Repeated=["they add up" if parameter.kind is Kind.STRINGS else "the last one wins"],
        Ollama=[_life(parameter.since, parameter.until, ignored=parameter.deprecated is not None)],
        Rules=[f"{rule.code} {rule.name}" for rule in _rules_on_parameter(parameter)],
    )


def _instruction_page(instruction: InstructionSpec) -> str:
    names = ", ".join(sorted(name for name, parameter in PARAMETERS.items() if parameter.until is None))
    return _page(
        instruction.word,
        instruction.summary,
        Syntax=[f"{instruction.word} {instruction.syntax}"],
        Example=[f"{instruction.word} {instruction.example}"],
        Names=[names, "`mf explain NAME` explains one"] if instruction.word == "PARAMETER" else [],
        Repeated=[instruction.twice],
        Ollama=[_life(instruction.since, instruction.until, ignored=False)],
        Rules=[f"{rule.code} {rule.name}" for rule in _rules_on_instruction(instruction)],
    )


def _page(heading: str, summary: str, **facts: list[str]) -> str:
    from textwrap import fill

    lines = []
    for label, texts in facts.items():
        for number, line in enumerate(texts):
            start = ("" if number else label).ljust(_LABEL)
            lines.append(fill(line, _WIDTH, initial_indent=start, subsequent_indent=" " * _LABEL))
    return "\n".join([f"# {heading}\n", f"{summary}\n", *lines])


def _default(parameter: ParameterSpec, value: Default) -> str:
    match value:
        case None:
            return parameter.decided.rstrip(".")
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(value) or "none"
        case _:
            meaning = dict(parameter.special).get(value)
            return f"{value:g}" + (f" ({meaning})" if meaning else "")


def _life(since: Version, until: Version | None, *, ignored: bool) -> str:
    if until is None:
        return f"accepts it since {since}" + ("; earlier versions reject it" if since > _FIRST else "")
    return f"accepted it from {since} on; {'warns and ignores it' if ignored else 'rejects it'} since {until}"


def _rules_on_parameter(parameter: ParameterSpec) -> list[Rule]:
    if parameter.until is not None:
        names = ["deprecated-parameter" if parameter.deprecated else "removed-parameter"]
    else:
        names = [*_ON_NUMBERS] if parameter.kind is not Kind.STRINGS else []
        names += ["non-finite-number", "excessive-precision"] if parameter.kind is Kind.FLOAT else []
        names += ["out-of-range"] if parameter.range else []
    mention = re.compile(rf"`(?:PARAMETER )?{parameter.name}\b")
    return [rule for rule in RULES if rule.name in names or mention.search(_prose(rule))]


def _rules_on_instruction(instruction: InstructionSpec) -> list[Rule]:
    mention = re.compile(rf"\b{instruction.word}\b")
    return [
        rule
        for rule in RULES
        if rule is not unknown_instruction  # it mentions them all
        and ([kind.__name__.upper() for kind in rule.on] == [instruction.word] or mention.search(_prose(rule)))
    ]


def _prose(rule: Rule) -> str:
    return rule.page.partition("\n## ")[0]
