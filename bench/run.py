"""Benchmark `mf` against other tools, or against another checkout; a table on stderr, JSON on stdout."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.cases import CASES
from bench.harness import Case, Result, measure
from tests.support.paths import ROOT


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"cases to run: {', '.join(CASES)} (default: all)")
    parser.add_argument("--rounds", type=int, help="measured runs of each command (default: depends on the case)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the JSON to FILE, not to stdout")
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="compare with `mf` from another checkout")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    if arguments.against and not (arguments.against / "src" / "modelfile").is_dir():
        parser.error(f"no checkout of modelfile: {arguments.against}")
    if not Path(sys.executable).with_name("mf").exists():
        parser.error(f"mf is not installed for {sys.executable}: run `{sys.executable} -m pip install .`")

    measured = []
    for name in arguments.names or CASES:
        case = replace(CASES[name], rounds=arguments.rounds or CASES[name].rounds)
        if arguments.against:
            case = _between_checkouts(case, arguments.against.resolve())
        commands = {"ours": " ".join(case.ours), "theirs": " ".join(case.theirs)}
        print(f"{name} (n={case.rounds})", *commands.values(), sep="\n  ", file=sys.stderr, flush=True)
        results = measure(case)
        print(_table(results), file=sys.stderr, flush=True)
        figures = {figure: asdict(result) for figure, result in results.items()}
        measured.append({"name": name, "rounds": case.rounds, "commands": commands} | figures)
    about = {"system": platform.platform(), "processors": os.cpu_count(), "python": platform.python_version()}
    text = json.dumps(about | {"cases": measured}, indent=2) + "\n"
    if arguments.json:
        arguments.json.write_text(text)
    else:
        sys.stdout.write(text)


def _between_checkouts(case: Case, other: Path) -> Case:
    """Return a case that runs the same command from this checkout and from another."""
    ours, theirs = (
        ("env", f"PYTHONPATH={checkout / 'src'}", sys.executable, "-m", "modelfile", *case.ours[1:])
        for checkout in (ROOT, other)
    )
    return replace(case, ours=ours, theirs=theirs)


def _table(results: Mapping[str, Result]) -> str:
    rows = [["", "ours", "theirs", "ratio"]]
    for figure, result in results.items():
        unit, scale = ("MB", 1e-6) if figure == "memory" else ("ms", 1e3)
        cells = [
            f"{side.median * scale:.1f} {unit} ({side.min * scale:.1f} to {side.max * scale:.1f})"
            for side in (result.ours, result.theirs)
        ]
        rows.append([figure, *cells, f"{result.ratio:.2f}"])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


if __name__ == "__main__":
    main()
