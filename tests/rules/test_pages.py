"""Requirements for every rule: its page, its examples, its names."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.support.weights_files import FILES, weights_folder

from modelfile.catalog.catalog import catalog
from modelfile.diagnostics import Severity
from modelfile.errors import InputError
from modelfile.formatter import format_modelfile
from modelfile.linter import rules as rules_package
from modelfile.linter.engine import lint
from modelfile.linter.fixes import apply_fixes
from modelfile.linter.local_files import rejected_files, rejected_quantizations
from modelfile.linter.rule import Context, EscapedPath, LockStatus, RejectedFile, Rule
from modelfile.linter.rules import RULES
from modelfile.linter.rules.style.unformatted import unformatted
from modelfile.project.project import Project
from modelfile.project.target import Target
from modelfile.source import Source
from modelfile.syntax.modelfile import Modelfile
from modelfile.syntax.nodes import Adapter, Draft, From
from modelfile.weights.gguf import recall_header
from modelfile.weights.header import GGUFHeader

EXAMPLE = re.compile(r"^## (Bad|Good)\n\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAMILIES = {
    "structure": "1",
    "references": "2",
    "parameters": "3",
    "template": "4",
    "text": "5",
    "weights": "6",
    "security": "7",
    "style": "9",
}
ESCAPES = {
    "../../weights.gguf": EscapedPath(target="/home/anna/weights.gguf", by_symlink=False),
    "./linked.gguf": EscapedPath(target="/home/anna/weights.gguf", by_symlink=True),
}
EXISTING = frozenset(
    {*(f"./{name}" for name in FILES), "/home/anna/models/weights.gguf", "billing", "./billing", *ESCAPES}
)
"""The files next to the examples of a page."""
LOCK_ENTRIES = {
    "Added since the last `mf pin`": LockStatus(listed=False),
    "Changed since the last `mf pin`": LockStatus(current=False),
}
"""Lock entries, by a phrase in the example of a page."""

REPLACED = re.compile(
    r"\b(?:lest|mend\w*|blanks?|idle|blind|refus\w+|told|tells?|meant|lets? go|gates?|line ends?|swept|leftover|spelt"
    r"|quantis\w+|licences?|catalogue|recognis\w+)\b",
    re.IGNORECASE,
)
"""Words that STYLE.md replaces."""

each_rule = pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.name) for rule in RULES])


def rejected(modelfile: Modelfile) -> tuple[RejectedFile, ...]:
    named = [node for node in modelfile.of_type((From, Adapter, Draft)) if node.value.text.removeprefix("./") in FILES]
    target = Target(Project(weights_folder()), weights_folder() / "Modelfile", modelfile=modelfile)
    kinds = ["Q8_0"] if "Quantized to Q8_0" in modelfile.text else []
    version = catalog().version
    return (*rejected_files(target, named, version), *rejected_quantizations(target, kinds, version))


def headers(path: str) -> Mapping[str, GGUFHeader]:
    try:
        return {path: recall_header(weights_folder() / path)}
    except InputError:
        return {}


def context_of(text: str, rule: Rule) -> Context:
    data = text.encode().replace(rb"\xe9", b"\xe9")  # a page has to be UTF-8
    modelfile = Modelfile.parse(Source.decode(data))
    return Context(
        modelfile=modelfile,
        exists=EXISTING.__contains__,
        find_escape=ESCAPES.get,
        headers=headers,
        memory=8 << 30,
        rejected_files=lambda: rejected(modelfile),
        lock_status=next((status for mark, status in LOCK_ENTRIES.items() if mark in text), None),
        registries=("registry.ollama.ai", "hf.co", "models.example.com"),
        formatter=format_modelfile if rule is unformatted else None,
    )


def reported(text: str, rule: Rule) -> set[str]:
    return {found.name for found in lint(context_of(text, rule))}


@each_rule
def test_page_has_a_title_prose_and_two_examples(rule: Rule) -> None:
    title, prose, *_ = rule.page.split("\n\n")
    assert title.endswith(".")
    assert "\n" not in title
    assert not prose.startswith("##")
    assert [name for name, _ in EXAMPLE.findall(rule.page)] == ["Bad", "Good"]


@each_rule
def test_page_is_plain_english(rule: Rule) -> None:
    prose = rule.page.partition("\n## ")[0]
    assert not re.match(r"(What|Which|Where|Who|Whether|So|That)\b", prose)
    assert not REPLACED.findall(prose)


@each_rule
def test_message_and_help_follow_the_style(rule: Rule) -> None:
    bad = context_of(dict(EXAMPLE.findall(rule.page))["Bad"], rule)
    for found in lint(bad):
        assert found.hint
        for text in (found.message, found.hint):
            assert re.match(r"[a-z`*]|[A-Z_]{2,}\b|U\+|Ollama\b|Go\b", text)
            assert not text.endswith(".")
            assert not REPLACED.findall(text)


@each_rule
def test_a_finding_is_no_error_unless_its_rule_is(rule: Rule) -> None:
    bad = lint(context_of(dict(EXAMPLE.findall(rule.page))["Bad"], rule))
    assert Severity.ERROR not in {found.severity for found in bad if found.name == rule.name} - {rule.severity}


@each_rule
def test_bad_is_reported_and_good_is_clean(rule: Rule) -> None:
    examples = dict(EXAMPLE.findall(rule.page))
    assert reported(examples["Bad"], rule) == {rule.name}
    assert reported(examples["Good"], rule) == set()


@each_rule
def test_bad_with_its_fixes_is_good(rule: Rule) -> None:
    examples = dict(EXAMPLE.findall(rule.page))
    bad = context_of(examples["Bad"], rule)
    if any(found.fix for found in lint(bad) if found.name == rule.name):
        fixed, _ = apply_fixes(bad.modelfile, lambda modelfile: lint(context_of(modelfile.text, rule)), unsafe=True)
        assert fixed.text == examples["Good"]


@each_rule
def test_file_function_and_name_agree(rule: Rule) -> None:
    assert rule.check.__name__ == rule.name.replace("-", "_")
    *_, family, module = rule.check.__module__.split(".")
    assert module == rule.check.__name__
    assert re.fullmatch(rf"MF{FAMILIES[family]}\d\d", rule.code)


def test_every_module_is_listed_in_order_of_codes() -> None:
    folder = Path(rules_package.__file__).parent
    modules = {path.stem for path in folder.glob("*/*.py")} - {"__init__"}
    assert {rule.check.__name__ for rule in RULES} == modules
    assert [rule.code for rule in RULES] == sorted({rule.code for rule in RULES})
    assert len({rule.name for rule in RULES}) == len(RULES)
