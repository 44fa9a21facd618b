"""Changes as lines."""

import pytest

from modelfile.differ.comparison import Change
from modelfile.differ.models import compare_models
from modelfile.recipe.model import Model
from modelfile.recipe.recipe import Message
from modelfile.report.differences import heading_of, lines_of, shows_text

APACHE, LLAMA = "Apache License\nVersion 2.0, January 2004\n", "LLAMA 3.2 COMMUNITY LICENSE AGREEMENT\n"


def lines(old: Model, new: Model) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines_of(compare_models(old, new))]


def test_values_are_a_table() -> None:
    old = Model(parameters={"temperature": 0.2, "num_predict": 100})
    new = Model(parameters={"temperature": 0.8, "top_k": 40, "x\x1b": 1})
    assert lines(old, new) == [
        "behavior (may change answers)",
        "  num_predict  100 -> (none)  default -1",
        "  temperature  0.2 -> 0.8     default 0.8",
        "  top_k        (none) -> 40   default 40: no effect on Ollama 0.32.15",
        "  x<U+001B>    (none) -> 1",
    ]


def test_a_category_of_changes_without_effect_is_of_text_only() -> None:
    assert lines(Model(), Model(parameters={"top_k": 40}))[0] == "behavior (text only)"


def test_digests_are_short_and_capabilities_are_lost_and_gained() -> None:
    old = Model(weights=(f"sha256:{'1' * 64}",), template="{{ .Suffix }}")
    new = Model(weights=(f"sha256:{'2' * 64}", f"sha256:{'3' * 64}"), template="{{ .Tools }}")
    assert lines(old, new)[1] == "  weights  sha256:111111111111… -> sha256:222222222222…, sha256:333333333333…"
    assert lines(old, new)[-1] == "  capabilities  insert -> tools  lost insert; gained tools"


@pytest.mark.parametrize(
    ("old", "new", "heading", "is_shown"),
    [
        (LLAMA, APACHE, "license: Llama 3.2 Community License replaced by Apache-2.0", False),
        ("", APACHE, "license, added: Apache-2.0", False),
        (LLAMA, "", "license, removed: Llama 3.2 Community License", False),
        (LLAMA, f"{LLAMA}\nMIT", "license: MIT added", False),
        (LLAMA, f"{LLAMA}\nBe nice.", "license", True),
        (LLAMA, "Our own terms.", "license: Llama 3.2 Community License removed", True),
        ("", "Our own terms.", "license, added", True),
    ],
)
def test_licenses_are_named_if_they_are_known(old: str, new: str, heading: str, *, is_shown: bool) -> None:
    (change,) = compare_models(Model(license=old), Model(license=new))
    assert (heading_of(change), shows_text(change)) == (heading, is_shown)


def message(old: Message | None, new: Message | None, positions: tuple[int | None, int | None]) -> Change:
    sides = [Model(messages=tuple(filter(None, (side,)))) for side in (old, new)]
    (change,) = compare_models(*sides)
    assert change.positions == positions
    return change


def test_messages_are_added_removed_edited_and_moved() -> None:
    hi, bye = Message("user", "Hi you."), Message("user", "Hi all.")
    assert heading_of(message(None, hi, (None, 0))) == "message 1 (user), added"
    assert heading_of(message(hi, None, (0, None))) == "message 1 (user), removed"
    assert heading_of(message(hi, bye, (0, 0))) == "message 1 (user)"
    talk = (hi, Message("assistant", "Yes?"), bye)
    assert lines(Model(messages=talk), Model(messages=(bye, *talk[:2]))) == [
        "prompt (may change answers)",
        "  message 1 (user), moved from 3",
    ]


def test_a_template_that_renders_the_same_says_so() -> None:
    assert lines(Model(template="{{.Prompt}}"), Model(template="{{ .Prompt }}"))[:2] == [
        "template (text only)",
        "  template: renders the same",
    ]


def test_secrets_in_values_are_redacted() -> None:
    key = "sk-proj-7f3kQ9xT2mLw8Zr4VbNc5YhJ1pDs6GeA"
    assert key[8:] not in "".join(lines(Model(), Model(parameters={"stop": (key,)})))
