"""Derive src/modelfile/catalog/chat_templates.json from a clone of github.com/ollama/ollama.

The clone needs the tags. Only figures of Ollama's texts are written, which are the same in all releases since 0.6.3; an
error says if a release differs. Usage: python docs/chat_templates.py CLONE [TAG…]
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

FACTS = Path(__file__).parents[1] / "src/modelfile/catalog/chat_templates.json"
TAGS = ("v0.6.3", "v0.9.3", "v0.19.0", "v0.24.0", "v0.30.0", "v0.32.15", "v0.33.0-rc2")


def figures(clone: str, tag: str) -> list[dict[str, Any]]:
    """Return the figures of each chat template that a release knows."""

    def read(name: str) -> bytes:
        argv = ["git", "-C", clone, "show", f"{tag}:template/{name}"]
        return subprocess.run(argv, check=True, capture_output=True).stdout  # noqa: S603  # git, on the given clone

    def sha256(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    found = []
    for known in json.loads(read("index.json")):
        name, text = known["name"], known["template"]
        template = read(f"{name}.gotmpl").replace(b"\r\n", b"\n")
        found.append(
            {
                "name": name,
                "sha256": sha256(text.encode()),
                "characters": dict(sorted(Counter(text).items())),
                "template": f"sha256:{sha256(template)}",
                "size": len(template),
                "stop": json.loads(read(f"{name}.json"))["stop"],
            }
        )
    return found


def main(argv: list[str]) -> int:
    """Write the figures; return the exit code."""
    clone, *tags = argv
    first, *others = tags or TAGS
    found = figures(clone, first)
    for tag in others:
        if figures(clone, tag) != found:
            sys.exit(f"error: {tag} does not know the same chat templates as {first}")
    lines = ",\n".join(json.dumps(each, ensure_ascii=True) for each in found)
    FACTS.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
