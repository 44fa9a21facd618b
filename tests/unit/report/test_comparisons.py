"""The formats of `mf diff`."""

import io
import json
from collections.abc import Mapping

import jsonschema
import pytest
from hypothesis import given
from tests.laws.test_differ import MODELS
from tests.support.paths import ROOT

from modelfile.differ.comparison import ComparedSide, Comparison
from modelfile.differ.models import compare_models
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message
from modelfile.report.comparisons import comparison_as_json, print_comparisons, print_names, render
from modelfile.report.json_output import dumps
from modelfile.report.terminal import Terminal

SCHEMA = json.loads((ROOT / "docs/schema/diff.schema.json").read_text(encoding="utf-8"))
OLD = Model(system="Be brief.\nBye.", parameters={"top_k": 40}, license="MIT")
NEW = Model(system="Be kind.\nBye.\n", messages=(Message("user", "::error::<b>`a`|b"),), license="Apache-2.0")


def compare(old: Model, new: Model, digests: tuple[str | None, str | None] = (None, None)) -> Comparison:
    changes = compare_models(old, new)
    before, after = (
        ComparedSide(name=name, fingerprint=fingerprint(model), digest=digest and f"sha256:{digest * 64}")
        for name, model, digest in zip(("a\x1b", "b"), (old, new), digests, strict=True)
    )
    return Comparison(old=before, new=after, changes=changes, same=not changes)


def printed(comparison: Comparison, environ: Mapping[str, str] | None = None, **options: bool) -> str:
    out = io.StringIO()
    print_comparisons([comparison], Terminal(io.StringIO(), out, io.StringIO(), environ or {}), **options)
    return out.getvalue()


def test_both_fingerprints_come_first() -> None:
    first, second, *_ = printed(compare(OLD, NEW)).splitlines()
    assert first == f"- a<U+001B>  {fingerprint(OLD)[:16]}…"
    assert second == f"+ b  {fingerprint(NEW)[:16]}…"


def test_the_same_model_is_said_whatever_its_digests() -> None:
    same = f"same model: {fingerprint(OLD)[:16]}…\n"
    assert printed(compare(OLD, OLD)) == same
    assert printed(compare(OLD, OLD, ("1", "1"))) == same
    assert printed(compare(OLD, OLD, ("1", "2"))) == (
        f"{same}Ollama's digests differ, as each version and store of Ollama writes other manifests: "
        "sha256:111111111111… -> sha256:222222222222…\n"
    )


def test_a_summary_has_a_line_for_each_change() -> None:
    assert printed(compare(OLD, NEW), stat=True).splitlines()[2:] == [
        "  parameter top_k  removed",
        "  system           +2 -1",
        "  message 1        +1 -0",
        "  license          +1 -1",
        "4 changes: 2 may change answers, 2 text only",
    ]


def test_names_are_those_of_the_parts() -> None:
    out = io.StringIO()
    print_names([compare(OLD, NEW)], Terminal(io.StringIO(), out, io.StringIO(), {}), of_files=False)
    assert out.getvalue() == "parameter top_k\nsystem\nmessage 1\nlicense\n"


@pytest.mark.parametrize("width", ["1", "20", "80", "400"])
def test_colors_change_no_text_at_any_width(width: str) -> None:
    styled = printed(compare(OLD, NEW), {"FORCE_COLOR": "1", "COLUMNS": width})
    plain = styled
    for code in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m"):
        plain = plain.replace(code, "")
    assert plain == printed(compare(OLD, NEW))
    assert "\x1b[31m" in styled


@given(MODELS, MODELS)
def test_json_is_as_its_schema(old: Model, new: Model) -> None:
    jsonschema.validate(json.loads(dumps(comparison_as_json(compare(old, new)))), SCHEMA)


def test_a_notice_is_one_line_that_begins_no_other_command() -> None:
    lines = render([compare(OLD, NEW)], "github").splitlines()
    assert lines[0] == (
        "::notice file=b,title=parameter top_k%3A text only::"
        "top_k  40 -> (none)  default 40: no effect on Ollama 0.32.15"
    )
    assert len(lines) == 4
    assert all(line.startswith("::notice file=b,title=") for line in lines)
    assert lines[2].endswith("::message 1 (user), added%0A  @@ -0,0 +1 @@%0A  +::error::<b>`a`|b")
    assert render([compare(OLD, NEW, ("1", "2"))], "github").startswith("::notice title=")


def test_a_long_change_is_cut_in_a_notice() -> None:
    (line,) = render([compare(Model(), Model(system="a\n" * 100))], "github").splitlines()
    assert line.count("%0A") == 40
    assert line.endswith("%0Aand 63 more lines")
