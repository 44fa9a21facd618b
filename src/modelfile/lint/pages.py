"""What is said of a rule: its page, with how to silence it."""

from __future__ import annotations

from modelfile.diagnostics import Severity
from modelfile.lint.rule import Rule


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
