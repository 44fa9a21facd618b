"""Write docs/rules from the rules themselves: `make docs`."""

from __future__ import annotations

from pathlib import Path

from modelfile.linter.rule import page, title
from modelfile.linter.rules import RULES

FOLDER = Path(__file__).parent / "rules"


def pages() -> dict[str, str]:
    """Every file of docs/rules by its name."""
    index = "| code | name | severity | |\n| --- | --- | --- | --- |\n"
    written = {}
    for rule in RULES:
        index += f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.severity} | {title(rule)} |\n"
        written[f"{rule.name}.md"] = page(rule)
    written["README.md"] = f"# Rules\n\nWritten by `make docs` from the rules themselves.\n\n{index}"
    return written


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        path.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
