"""The laws of the differ: nothing differs from itself, directions mirror each other, and changes say all."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.support.patching import apply_changes

from modelfile.differ.comparison import DERIVED, Change, Impact
from modelfile.differ.models import compare_models
from modelfile.differ.sequences import find_matches
from modelfile.differ.texts import compare_texts
from modelfile.recipe.model import Model, fingerprint
from modelfile.recipe.recipe import Message
from modelfile.report.text_diffs import show_text_diff

WORDS = st.lists(st.sampled_from(["Be", "brief", "kind", "{{ .Tools }}", "{{.Tools}}", " ", "\n", "é"]), max_size=8)
TEXTS = WORDS.map("".join)
DIGESTS = st.lists(st.sampled_from([f"sha256:{digit * 64}" for digit in "12"]), max_size=2).map(tuple)
VALUES = st.one_of(st.sampled_from([0, 1, 40, 0.8, 0.5, True, False]), st.lists(TEXTS, max_size=2).map(tuple))
MESSAGES = st.builds(Message, st.sampled_from(["user", "assistant"]), st.sampled_from(["a b", "a c", "d", "e f g"]))
MODELS = st.builds(
    Model,
    weights=DIGESTS,
    adapters=DIGESTS,
    drafts=DIGESTS,
    template=TEXTS,
    system=TEXTS,
    license=st.sampled_from(["", "MIT", "Apache-2.0", "MIT\nApache-2.0", "mine"]),
    parameters=st.dictionaries(st.sampled_from(["temperature", "top_k", "stop", "own"]), VALUES),
    messages=st.lists(MESSAGES, max_size=6).map(tuple),
    renderer=st.sampled_from(["", "qwen3-coder"]),
    parser=st.sampled_from(["", "qwen3-coder"]),
    requires=st.sampled_from(["", "0.14.0"]),
)


def keys(changes: tuple[Change, ...]) -> list[str]:
    return sorted(map(repr, changes))


@given(MODELS, MODELS)
def test_models_differ_exactly_if_their_fingerprints_do(old: Model, new: Model) -> None:
    assert compare_models(old, old) == ()
    assert bool(compare_models(old, new)) == (fingerprint(old) != fingerprint(new))
    assert all(change.aspect not in DERIVED for change in compare_models(old, replace(old, system="other")))


@given(MODELS, MODELS)
def test_both_directions_mirror_each_other(old: Model, new: Model) -> None:
    changes = compare_models(old, new)
    assert keys(compare_models(new, old)) == keys(tuple(change.mirrored() for change in changes))


@given(MODELS, MODELS)
def test_the_changes_applied_to_the_old_model_give_the_new_one(old: Model, new: Model) -> None:
    changes = compare_models(old, new)
    assert fingerprint(apply_changes(old, changes)) == fingerprint(new)
    assert fingerprint(apply_changes(new, [change.mirrored() for change in changes])) == fingerprint(old)


@given(MODELS, MODELS)
def test_changes_come_in_the_order_of_categories_and_those_without_effect_are_of_text_only(
    old: Model, new: Model
) -> None:
    changes = compare_models(old, new)
    categories = [change.category for change in changes]
    assert categories == sorted(categories, key=[*type(categories[0])].index if categories else None)
    assert all(change.impact is Impact.TEXT for change in changes if change.no_effect)


@given(TEXTS | st.none(), TEXTS | st.none(), st.booleans())
def test_the_pieces_of_blocks_make_both_texts(old: str | None, new: str | None, is_template: bool) -> None:
    diff = compare_texts(old, new, is_template=is_template)
    for text, side in ((old, 0), (new, 1)):
        lines = [line for block in diff.blocks for line in (block.old, block.new)[side]]
        assert "\n".join(lines) == (text or "")
        for block in diff.blocks:
            if block.pieces:
                other = "-+"[1 - side]
                joined = "".join(piece.text for piece in block.pieces if piece.mark != other)
                assert joined == "\n".join((block.old, block.new)[side])
    assert all(block.is_same for block in diff.blocks) == (old == new)


@given(TEXTS | st.none(), TEXTS | st.none())
def test_hunks_show_every_word_that_differs(old: str | None, new: str | None) -> None:
    rows = [row for hunk in show_text_diff(old, new).hunks for row in hunk.rows]
    assert any(row.mark != " " for row in rows) == (old != new)
    blocks = compare_texts(old, new).blocks
    for mark, side in (("-", "old"), ("+", "new")):
        shown = "".join(text for row in rows for piece_mark, text in row.pieces if piece_mark == mark).replace("↵", "")
        words = [
            "".join(piece.text for piece in block.pieces if piece.mark == mark)
            if block.pieces
            else "".join(getattr(block, side))
            for block in blocks
            if not block.is_same
        ]
        assert shown == "".join(words).replace("\n", "")


@given(st.lists(st.sampled_from("abcd"), max_size=12), st.lists(st.sampled_from("abcd"), max_size=12))
def test_matches_are_runs_of_equal_items_in_order_in_both_directions(old: list[str], new: list[str]) -> None:
    for most in (0, 1_000):
        matches = find_matches(old, new, most)
        assert matches[-1] == (len(old), len(new), 0)
        end = new_end = 0
        for at, new_at, length in matches:
            assert at >= end
            assert new_at >= new_end
            assert old[at : at + length] == new[new_at : new_at + length]
            end, new_end = at + length, new_at + length
        assert [(new_at, at, length) for at, new_at, length in matches] == find_matches(new, old, most)
