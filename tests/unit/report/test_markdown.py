"""Markdown: values are code, texts are folded, and all of it fits into a comment."""

import re
from typing import Any

import pytest

from modelfile.differ.comparison import ComparedSide, Comparison
from modelfile.differ.models import compare_models
from modelfile.recipe.model import Model
from modelfile.report.markdown import code, comparisons_as_markdown, plain


def markdown(old: Model, new: Model, **options: Any) -> str:
    changes = compare_models(old, new)
    sides = [ComparedSide(name=name) for name in ("a|b.Modelfile", "b`c")]
    same = None if options and not changes else not changes
    return comparisons_as_markdown([Comparison(old=sides[0], new=sides[1], changes=changes, same=same, **options)])


def test_a_comment_names_both_sides_and_folds_texts() -> None:
    shown = markdown(Model(system="Be brief."), Model(system="Be kind.\n```\n</details>", parameters={"top_k": 1}))
    assert shown.startswith(
        "| | model | fingerprint |\n| --- | --- | --- |\n| old | `a\\|b.Modelfile` | unknown |\n"
        "| new | ``b`c`` | unknown |\n\n**behavior** (may change answers)\n\n"
    )
    assert "| top_k | `(none)` | `1` | default 40 |\n" in shown
    assert "<details><summary>system</summary>\n\n````diff\n@@ -1 +1,3 @@\n" in shown
    assert shown.endswith("+</details>\n````\n\n</details>\n")


def test_the_same_model_and_what_is_not_compared_are_said() -> None:
    assert markdown(Model(), Model()).endswith("|\n\nSame model.\n")
    assert markdown(Model(), Model(), undecided=("parameter stop",)).endswith("|\n\nNot compared: parameter stop.\n")


def test_a_license_that_is_known_is_a_line() -> None:
    assert markdown(Model(license="MIT"), Model(license="Apache-2.0")).endswith(
        "**license** (text only)\n\n- license: MIT replaced by Apache-2.0\n"
    )


def test_a_comment_has_a_limit() -> None:
    shown = markdown(Model(), Model(system="a word\n" * 50_000, license="c word\n" * 40_000))
    assert len(shown) < 31_000
    assert shown.count("+a word\n") > 1_500
    assert shown.endswith("\nand more lines\n```\n\n</details>\n")
    shown = markdown(Model(), Model(system="a", parameters={"stop": ("x" * 70_000,)}))
    assert len(shown) < 65_536
    assert shown.endswith("1 more part would be too long for a pull request: see `mf diff`.\n")


@pytest.mark.parametrize("text", ["a`b", "``", "`", "a|b", "\x1b[31m", "x" * 10])
def test_code_ends_where_it_should(text: str) -> None:
    shown = code(text)
    fence = re.match("`+", shown)
    assert fence
    inner = shown.removeprefix(fence[0]).removesuffix(fence[0])
    assert fence[0] not in re.findall("`+", inner)
    assert shown.isprintable()


def test_plain_text_is_code_only_if_it_may_be_markup() -> None:
    assert plain("parameter top_k") == "parameter top_k"
    assert [plain(text)[0] for text in ("@team", "see www.e.com", "#12", "<b>", "GH-1")] == ["`"] * 5
