"""Changes as values."""

from modelfile.differ.comparison import Aspect, Change, ComparedSide, Comparison, show_value
from modelfile.recipe.recipe import Message
from modelfile.recipe.values import ParameterValue


def test_values_are_shown_as_they_are_written() -> None:
    values: list[ParameterValue | None] = [None, True, 2.0, 0.25, ("<é>", '"')]
    assert [show_value(value) for value in values] == [None, "true", "2", "0.25", r'"<é>", "\""']


def test_a_comparison_has_a_mirror() -> None:
    change = Change(aspect=Aspect.MESSAGE, old=Message("user", "a"), new=None, positions=(1, None))
    comparison = Comparison(old=ComparedSide(name="a"), new=ComparedSide(name="b"), changes=(change,), same=False)
    mirror = comparison.mirrored()
    assert (mirror.old.name, mirror.changes[0].new, mirror.changes[0].positions) == ("b", change.old, (None, 1))
    assert mirror.mirrored() == comparison


def test_json_has_numbers_lists_and_positions_from_1() -> None:
    value = Change(aspect=Aspect.PARAMETER, name="top_k", old=40.0, new=0.5).as_json()
    assert (value["old"], value["new"], value["old_position"]) == (40, 0.5, None)
    assert isinstance(value["old"], int)
    message = Change(aspect=Aspect.MESSAGE, old=None, new=Message("user", "a"), positions=(None, 0)).as_json()
    assert (message["new"], message["new_position"]) == ({"role": "user", "content": "a"}, 1)
