"""Write docs/rules from the rules themselves: `make docs`."""

from __future__ import annotations

from pathlib import Path

from modelfile.lint.rules import RULES

FOLDER = Path(__file__).parent / "rules"


def pages() -> dict[str, str]:
    """Every file of docs/rules by its name."""
    index = "| code | name | severity | |\n| --- | --- | --- | --- |\n"
    written = {}
    for rule in RULES:
        title = rule.page.partition("\n")[0]
        index += f"| {rule.code} | [{rule.name}]({rule.name}.md) | {rule.severity} | {title} |\n"
        silence = f"To silence it, write `# mf: ignore[{rule.name}] why` above the line, or in mf.toml `ignore`."
        if "MF1" in rule.code and rule.severity == "error":
            silence = "Ollama refuses such a file; silencing the rule does not change that."
        page = rule.page.replace("\r", "␍")  # to be seen, and to survive a checkout
        written[f"{rule.name}.md"] = f"# {rule.name} ({rule.code}, {rule.severity})\n\n{page}\n\n{silence}\n"
    written["README.md"] = f"# Rules\n\nWritten by `make docs` from the rules themselves.\n\n{index}"
    return written


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.md"):
        path.unlink()
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
