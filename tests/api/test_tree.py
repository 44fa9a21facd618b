"""Tests of the tree: every module has a test file, and no file is too long or too small."""

import re
from pathlib import Path

from tests.support.paths import ROOT

SOURCES = ROOT / "src" / "modelfile"
UNIT = ROOT / "tests" / "unit"
EXEMPT = {
    "builder/api": "tests/commands/test_build_project.py",
    "builder/constraints": "tests/unit/builder/test_plan.py",
    "builder/execute": "tests/faults/test_client.py",
    "builder/forecast": "tests/unit/builder/test_plan.py",
    "builder/snapshot": "tests/unit/weights/test_digests.py",
    "builder/verification": "tests/faults/test_server.py",
    "catalog/behaviors": "tests/unit/catalog/test_catalog.py",
    "catalog/instructions": "tests/unit/catalog/test_catalog.py",
    "catalog/parameters/loading": "tests/unit/catalog/test_catalog.py",
    "catalog/parameters/sampling": "tests/unit/catalog/test_catalog.py",
    "catalog/parameters/spec": "tests/unit/catalog/test_catalog.py",
    "catalog/quantizations": "tests/unit/catalog/test_catalog.py",
    "catalog/templates": "tests/unit/catalog/test_catalog.py",
    "catalog/weights_formats": "tests/commands/test_explain.py",
    "catalog/versions": "tests/unit/catalog/test_catalog.py",
    "comparisons/arguments": "tests/commands/test_diff_revisions.py",
    "diagnostics": "tests/rules/test_pages.py",
    "errors": "tests/unit/cli/test_app.py",
    "events": "tests/unit/report/test_progress.py",
    "formatter": "tests/laws/test_formatter.py",
    "gotemplate/evaluation": "tests/unit/gotemplate/test_render.py",
    "gotemplate/execution": "tests/unit/gotemplate/test_render.py",
    "gotemplate/fields": "tests/unit/gotemplate/test_parser.py",
    "gotemplate/format_strings": "tests/unit/gotemplate/test_render.py",
    "gotemplate/functions": "tests/unit/gotemplate/test_render.py",
    "gotemplate/json_text": "tests/unit/gotemplate/test_render.py",
    "gotemplate/lexer": "tests/unit/gotemplate/test_parser.py",
    "gotemplate/literals": "tests/unit/gotemplate/test_parser.py",
    "gotemplate/nodes": "tests/unit/gotemplate/test_parser.py",
    "gotemplate/numbers": "tests/unit/gotemplate/test_render.py",
    "gotemplate/printing": "tests/unit/gotemplate/test_render.py",
    "gotemplate/schema": "tests/unit/gotemplate/test_render.py",
    "gotemplate/scope": "tests/rules/test_template.py",
    "gotemplate/transformer": "tests/unit/gotemplate/test_parser.py",
    "gotemplate/trees": "tests/unit/gotemplate/test_render.py",
    "gotemplate/govalues": "tests/unit/gotemplate/test_render.py",
    "linter/api": "tests/commands/test_lint.py",
    "linter/context": "tests/rules/test_references.py",
    "linter/engine": "tests/commands/test_lint.py",
    "linter/local_files": "tests/commands/test_lint_and_build.py",
    "linter/rule": "tests/rules/test_pages.py",
    "linter/settings": "tests/commands/test_config.py",
    "linter/suppressions": "tests/rules/test_style.py",
    "pinning/check": "tests/commands/test_pin.py",
    "pinning/find": "tests/commands/test_find.py",
    "pinning/locked_models": "tests/commands/test_update.py",
    "pinning/outdated": "tests/commands/test_outdated.py",
    "pinning/pin": "tests/commands/test_pin_project.py",
    "pinning/pinner": "tests/commands/test_pin_project.py",
    "pinning/resolver": "tests/commands/test_pin_registry.py",
    "pinning/update": "tests/commands/test_update.py",
    "pinning/verify": "tests/commands/test_verify.py",
    "project/config": "tests/commands/test_config.py",
    "project/target": "tests/unit/project/test_project.py",
    "recipe/model": "tests/laws/test_laws.py",
    "recipe/values": "tests/laws/test_laws.py",
    "report/weights": "tests/commands/test_show_weights.py",
    "report/discoveries": "tests/commands/test_find.py",
    "report/findings": "tests/unit/report/test_formats.py",
    "report/health": "tests/commands/test_doctor.py",
    "report/json_output": "tests/unit/report/test_schemas.py",
    "report/memory": "tests/commands/test_show_memory.py",
    "report/models": "tests/commands/test_models.py",
    "report/outdated": "tests/commands/test_outdated.py",
    "report/pins": "tests/commands/test_pin.py",
    "report/plans": "tests/commands/test_build_plan.py",
    "report/stores": "tests/commands/test_cases.py",
    "report/updates": "tests/commands/test_update.py",
    "report/verifications": "tests/commands/test_verify.py",
    "stores/backups": "tests/contracts/test_backups.py",
    "stores/disk/changes": "tests/unit/stores/disk/test_store.py",
    "stores/disk/partial": "tests/unit/stores/disk/test_download.py",
    "stores/disk/damage": "tests/unit/stores/disk/test_integrity.py",
    "stores/memory": "tests/contracts/test_store.py",
    "stores/ollama/client": "tests/unit/stores/ollama/test_session.py",
    "stores/open": "tests/unit/test_addresses.py",
    "stores/protocol": "tests/contracts/test_store.py",
    "stores/staging": "tests/faults/test_client.py",
    "syntax/modelfile": "tests/api/test_api.py",
    "syntax/nodes": "tests/unit/syntax/test_vectors.py",
    "syntax/parser": "tests/unit/syntax/test_vectors.py",
    "syntax/quoting": "tests/api/test_api.py",
    "syntax/suggestions": "tests/rules/test_structure.py",
    "syntax/syntax_errors": "tests/rules/test_structure.py",
    "weights/content_type": "tests/unit/weights/test_folder.py",
}
"""Modules whose tests are elsewhere, with the file that covers them."""
FORMATS = {"concise", "github", "gitlab", "junit", "sarif", "formats"}
"""Modules of `report` that are tested together, in tests/unit/report/test_formats.py."""
LONGEST = 400
LONG: dict[str, str] = {}
"""Files of more than 400 lines, with the reason."""
SUPPRESSION = re.compile(r"# (?:noqa\b|type: ignore)")
REASON = re.compile(r"# (?:noqa: [A-Z0-9, ]+|type: ignore\[[a-z, -]+\])  # |re\.compile")
CLOCKS = re.compile(r"\b(?:process_time|perf_counter|thread_time|monotonic\(\))")
TIMED = {
    "tests/laws/test_patterns.py": "matching cannot be counted: patterns are compared with a linear one",
    "tests/contracts/test_fake_faults.py": "the fake server waits no shorter than a fault says",
    "tests/live/test_faults.py": "waits for a server that may never start an upload",
    "tests/laws/test_mutated_headers.py": "CPU time, in `make fuzz` only",
}
"""Tests that read a clock, with the reason; a busy machine makes any other limit of time fail."""
SMALL = 60
MOST_SMALL = 15


def modules() -> list[Path]:
    """Return the modules that need a test file, without `.py`."""
    found = (path.relative_to(SOURCES).with_suffix("") for path in sorted(SOURCES.rglob("*.py")))
    return [
        path
        for path in found
        if not path.name.startswith("__")
        and path.parts[0] != "cli"
        and path.parts[:2] != ("linter", "rules")
        and not (path.parts[0] == "report" and path.name in FORMATS)
    ]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_module_has_a_test_file_or_is_exempt() -> None:
    tested = {path.as_posix(): UNIT / path.parent / f"test_{path.name}.py" for path in modules()}
    assert {name for name, path in tested.items() if not path.exists()} <= EXEMPT.keys() <= tested.keys()
    assert all((ROOT / path).is_file() for path in EXEMPT.values())


def test_every_test_of_a_module_has_its_module() -> None:
    tests = {path.relative_to(UNIT) for path in UNIT.rglob("test_*.py")} - {
        Path("syntax/test_vectors.py"),  # of parser and recipe
        Path("report/test_schemas.py"),  # of the formats that have one
    }
    named = {path.parent / path.stem.removeprefix("test_") for path in tests}
    assert {path for path in named if not (SOURCES / path).with_suffix(".py").exists()} == set()


def test_no_file_is_longer_than_400_lines_without_a_reason() -> None:
    paths = (path for folder in ("src", "tests") for path in (ROOT / folder).rglob("*.py"))
    assert {path.relative_to(ROOT).as_posix() for path in paths if lines(path) > LONGEST} <= LONG.keys()


def test_few_modules_are_small() -> None:
    small = {path.as_posix() for path in modules() if lines(SOURCES / path.with_suffix(".py")) < SMALL}
    assert len(small) <= MOST_SMALL, small


def test_no_test_measures_time() -> None:
    paths = {*(ROOT / "tests").rglob("test_*.py")} - {Path(__file__)}
    timed = {path.relative_to(ROOT).as_posix() for path in paths if CLOCKS.search(path.read_text(encoding="utf-8"))}
    assert timed == TIMED.keys()


def test_every_suppression_of_a_check_has_a_reason_on_its_line() -> None:
    paths = (path for folder in ("src", "tests", "docs", "examples", "bench") for path in (ROOT / folder).rglob("*.py"))
    lines = (f"{path}: {line}" for path in paths for line in path.read_text(encoding="utf-8").splitlines())
    assert [line for line in lines if SUPPRESSION.search(line) and not REASON.search(line)] == []
